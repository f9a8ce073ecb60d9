"""What the next `dvc repro` will change by the decisions that stand in the tables of reviews."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from inspection.boxes import parse_boxes
from inspection.curation.box_reviews import (
    BOX_REVIEW_COLUMNS,
    described,
    read_box_reviews,
    with_box_reviews,
)
from inspection.curation.label_rules import conflicts, with_holds
from inspection.curation.reviews import REVIEW_COLUMNS, read_reviews, with_reviews
from inspection.line import Line

# The rules that stage clean_labels knows.
RULES = (
    "box_conflict",
    "part_disagreement",
    "duplicate_conflict",
    "near_duplicate_conflict",
)


@dataclass(frozen=True)
class Effects:
    """What changes beside the clean manifest that lies there.

    `labels` and `boxes` are views in which these change (path, before, after), `left_out` paths
    that go, `released` paths that were held and no longer are, `counts` views to learn from by
    class.
    """

    labels: list[tuple[str, str, str]]
    boxes: list[tuple[str, str, str]]
    left_out: list[str]
    released: list[str]
    held: list[str]
    counts: pd.DataFrame

    def __bool__(self) -> bool:
        changes = (
            self.labels,
            self.boxes,
            self.left_out,
            self.released,
            self.held,
        )
        return any(changes)

    def __str__(self) -> str:
        if not self:
            return "nothing: no decision changes what the next run learns from"
        found = (
            (len(self.labels), "labels change"),
            (len(self.boxes), "views get other boxes"),
            (len(self.left_out), "views are left out"),
            (len(self.released), "held views return"),
            (len(self.held), "views are held"),
        )
        words = [f"{n} {what}" for n, what in found if n]
        return ", ".join(words)


def effects(
    raw: pd.DataFrame,
    clean: pd.DataFrame,
    rows: Sequence[Sequence[str]],
    line: Line,
    box_rows: Sequence[Sequence[str]] = (),
) -> Effects:
    """Compare the clean manifest with the one that these rows of labels and boxes will make.

    `raw` is the manifest of stage validate. Near-duplicates are those of the last run; the rules
    are those that held a view in it. Raises InspectionError where the stage would refuse the rows.
    """
    after = _reviewed(raw, rows, box_rows, line)

    # near-duplicates are found in the pixels of all frames, which no review changes
    now = clean.set_index("view_id")
    groups = now["near_duplicate_group"]
    after["near_duplicate_group"] = after["view_id"].map(groups).fillna("")
    after = _held_again(after, _holding_rules(clean), line)

    then = after.set_index("view_id")
    gone = now.index.difference(then.index)
    both = now.index.intersection(then.index)
    old = now.loc[both]
    new = then.loc[both]
    was_held = old["held"]
    is_held = new["held"]
    return Effects(
        labels=_changed(old, new, "label"),
        boxes=_changed_boxes(old, new),
        left_out=sorted(now.loc[gone, "path"]),
        released=sorted(new["path"][was_held & ~is_held]),
        held=sorted(new["path"][~was_held & is_held]),
        counts=_counts(clean, after, line),
    )


def _reviewed(
    raw: pd.DataFrame,
    rows: Sequence[Sequence[str]],
    box_rows: Sequence[Sequence[str]],
    line: Line,
) -> pd.DataFrame:
    """The manifest with what people said: as stage clean_labels, before its rules."""
    said = pd.DataFrame(list(rows), columns=list(REVIEW_COLUMNS))
    reviews = read_reviews(said, raw, line)
    relabelled = with_reviews(raw, reviews)

    drawn = pd.DataFrame(list(box_rows), columns=list(BOX_REVIEW_COLUMNS))
    box_reviews = read_box_reviews(drawn, raw, line)
    return with_box_reviews(relabelled, box_reviews, line)


def _held_again(views: pd.DataFrame, rules: Sequence[str], line: Line) -> pd.DataFrame:
    """The views with those held that these rules hold."""
    actions = {}
    for rule in RULES:
        actions[rule] = "hold" if rule in rules else "off"
    found = conflicts(views, line, actions)
    return with_holds(views, found, rules=rules)


def _changed_boxes(old: pd.DataFrame, new: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Path, boxes before and boxes after, in words, where they differ."""
    found = []
    for path, before, after in _changed(old, new, "boxes"):
        found.append((path, _in_words(before), _in_words(after)))
    return found


def _in_words(boxes_json: str) -> str:
    return described(parse_boxes(boxes_json))


def _changed(
    old: pd.DataFrame, new: pd.DataFrame, column: str
) -> list[tuple[str, str, str]]:
    """Path, value before and value after where they differ."""
    differs = old[column] != new[column]
    was, becomes = old[differs], new[differs]
    paths = was["path"].astype(str)
    before = was[column].astype(str)
    after = becomes[column].astype(str)
    return list(zip(paths, before, after, strict=True))


def _holding_rules(clean: pd.DataFrame) -> list[str]:
    """The rules that hold views, as the reasons of held views name them."""
    found = set()
    for reasons in clean.loc[clean["held"], "held_reason"]:
        for reason in str(reasons).split("; "):
            rule, _, _ = reason.partition(":")
            found.add(rule)
    return sorted(found.intersection(RULES))


def _counts(clean: pd.DataFrame, after: pd.DataFrame, line: Line) -> pd.DataFrame:
    """Views to learn from by class, now and then."""
    names = list(line.classes)
    found = {}
    for head, table in (("now", clean), ("after", after)):
        learned = table[~table["held"]]
        counts_by_label = learned["label"].value_counts()
        found[head] = counts_by_label.reindex(names, fill_value=0)

    counts = pd.DataFrame(found)
    counts.index.name = "class"
    counts["change"] = counts["after"] - counts["now"]
    return counts.reset_index()
