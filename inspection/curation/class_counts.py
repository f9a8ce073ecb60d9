"""Whether every class has the parts it takes: one to learn from and one to judge by."""

import pandas as pd

from inspection.errors import raise_all
from inspection.line import Line

# parts of a class: one in the train fold to learn from, one in the test fold to judge by
MIN_PARTS = 2


def check_classes(table: pd.DataFrame, line: Line) -> None:
    """Raise InspectionError that lists every class without views, or with one part alone.

    Views that are held, by the columns `held` and `held_reason` where a table has them, count for
    nothing; the message counts them.
    """
    held = table["held"] if "held" in table else pd.Series(False, index=table.index)
    n_parts = table[~held].groupby("label")["part_id"].nunique()

    problems = []
    for name in line.classes:
        n_found = int(n_parts.get(name, 0))
        if n_found < MIN_PARTS:
            lack = _lack(n_found, name, table[held])
            problems.append(
                f"data: {_role(name, line)} {name!r} has {lack}, or remove it from params.yaml"
            )
    raise_all(problems)


def _role(name: str, line: Line) -> str:
    return "the normal class" if name == line.normal else "class"


def _lack(
    n_parts: int,
    name: str,
    held: pd.DataFrame,
) -> str:
    of_class = held[held["label"] == name]
    if len(of_class):
        return f"{n_parts} part(s) left of two that it takes: {_held(of_class)}"
    if n_parts == 0:
        return (
            f"no views; add some, add what files call it to line.classes.{name}.aliases"
        )
    return "one part, and it takes one to learn from and one to judge by; add parts"


def _held(views: pd.DataFrame) -> str:
    rules = views["held_reason"].str.partition(": ")[0].value_counts()
    by_rule = ", ".join(f"{n} by {rule}" for rule, n in rules.items())
    return (
        f"{len(views)} views are held ({by_rule}), see changes.csv of stage clean_labels; decide "
        "on them in reviews/labels.csv, set the rule to report in clean_labels.rules"
    )
