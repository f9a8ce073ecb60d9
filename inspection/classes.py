"""Whether every class has the parts it takes: one to learn from and one to judge by."""

import pandas as pd

from inspection.errors import raise_all
from inspection.line import Line


def check_classes(table: pd.DataFrame, line: Line) -> None:
    """Raise InspectionError that lists every class without views, or with one part alone."""
    n_parts = table.groupby("label")["part_id"].nunique()
    found = {name: int(n_parts.get(name, 0)) for name in line.classes}
    problems = [
        f"data: {_role(name, line)} {name!r} has {_few(n, name)}, or remove it from params.yaml"
        for name, n in found.items()
        if n < 2
    ]
    raise_all(problems)


def _role(name: str, line: Line) -> str:
    return "the normal class" if name == line.normal else "class"


def _few(n_parts: int, name: str) -> str:
    if n_parts == 0:
        return f"no views; add some, add what files call it to line.classes.{name}.aliases"
    return "one part, and it takes one to learn from and one to judge by; add parts"
