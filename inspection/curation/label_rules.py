"""What a label may not contradict, and what a person decided: the written rules, and reviews.

Rules speak about labels as they stand after the reviews, so a review that settles a part settles
its other views as well. A rule never changes a label: it holds a view until a person decides.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from inspection.boxes import defect_boxes, parse_boxes
from inspection.errors import InspectionError, first_three, raise_all
from inspection.line import Line, fold_name

REVIEW_COLUMNS = ("image_sha256", "label", "reviewer", "note")
CHANGE_COLUMNS = (
    "view_id",
    "path",
    "part_id",
    "what",
    "before",
    "after",
    "source",
    "reason",
)
EXCLUDED = "-"


@dataclass(frozen=True)
class Conflict:
    """A view whose label contradicts something: by which rule, why, what speaks for which label.

    `confidence` 0..1 is how sure the rule is, by itself, that this view is the wrong one: 0 where
    only a comparison with the other views can tell.
    """

    view_id: str
    rule: str
    reason: str
    suggested: str
    confidence: float


def conflicts(
    table: pd.DataFrame, line: Line, actions: Mapping[str, str]
) -> list[Conflict]:
    """Every conflict by every rule that is not `off`; a view may be in several."""
    found = {
        "box_conflict": lambda: box_conflicts(table, line),
        "part_disagreement": lambda: disagreements(
            table, by="part_id", rule="part_disagreement"
        ),
        "duplicate_conflict": lambda: duplicate_conflicts(table),
    }
    return [
        one for rule, find in found.items() if actions[rule] != "off" for one in find()
    ]


def box_conflicts(table: pd.DataFrame, line: Line) -> list[Conflict]:
    """Views whose defect boxes all speak of other classes than the label."""
    conflicts = []
    for view_id, label, cell in zip(
        table["view_id"], table["label"], table["boxes"], strict=True
    ):
        boxed = defect_boxes(parse_boxes(cell), line)
        defects = Counter(box.category for box in boxed)
        if defects and label not in defects:
            suggested = defects.most_common(1)[0][0]
            reason = f"boxed as {', '.join(sorted(defects))}, labelled {label}"
            conflicts.append(
                Conflict(str(view_id), "box_conflict", reason, suggested, 0.9)
            )
    return conflicts


def duplicate_conflicts(table: pd.DataFrame) -> list[Conflict]:
    """Views of which a copy, of the same bytes or nearly, is labelled otherwise."""
    rule = "duplicate_conflict"
    return copy_conflicts(table) + disagreements(
        table, by="near_duplicate_group", rule=rule
    )


def copy_conflicts(table: pd.DataFrame) -> list[Conflict]:
    """Views whose very bytes are filed a second time under another label; settled by a review.

    Of such files some are wrong, whatever they look like: the confidence is the share of the files
    that say otherwise.
    """
    unsettled = table[table["label_source"] != "review"]
    columns = (unsettled[name] for name in ("view_id", "label", "copies"))
    found = [_copy_conflict(*row) for row in zip(*columns, strict=True)]
    return [one for one in found if one is not None]


def _copy_conflict(view_id: str, label: str, cell: str) -> Conflict | None:
    paths: dict[str, list[str]] = {}
    for copy in json.loads(cell):
        paths.setdefault(copy["label"], []).append(copy["path"])
    n_alike = 1 + len(paths.pop(label, []))
    paths.pop("", None)
    if not paths:
        return None
    told = [
        f"{first_three(some)}, labelled {name}" for name, some in sorted(paths.items())
    ]
    reason = f"same bytes as {' and as '.join(told)}"
    suggested = max(sorted(paths), key=lambda name: len(paths[name]))
    n_others = sum(map(len, paths.values()))
    confidence = n_others / (n_others + n_alike)
    return Conflict(view_id, "duplicate_conflict", reason, suggested, confidence)


def disagreements(table: pd.DataFrame, *, by: str, rule: str) -> list[Conflict]:
    """Views that share a value of column `by` ('' counts for none) and not the label."""
    conflicts = []
    for key, group in table[table[by] != ""].groupby(by, sort=True):
        votes = Counter(group["label"])
        if len(votes) > 1:
            reason = f"{by} {key}: " + ", ".join(
                f"{n} x {name}" for name, n in sorted(votes.items())
            )
            conflicts += [
                Conflict(str(one), rule, reason, "", 0.0) for one in group["view_id"]
            ]
    return conflicts


def read_reviews(
    rows: pd.DataFrame, table: pd.DataFrame, line: Line
) -> dict[str, pd.Series]:
    """Reviewed rows by image hash, labels canonical (or EXCLUDED).

    Raises InspectionError that lists every unknown hash and class, and every contradiction.
    """
    problems = []
    if tuple(rows.columns) != REVIEW_COLUMNS:
        raise InspectionError(
            f"reviews: the columns are {list(rows.columns)}; they should be {list(REVIEW_COLUMNS)}"
        )
    known = {**line.class_by_alias, EXCLUDED: EXCLUDED}
    labels = rows["label"].map(lambda name: known.get(fold_name(name), ""))
    strange = rows.loc[
        ~rows["image_sha256"].isin(set(table["image_sha256"])), "image_sha256"
    ]
    if len(strange):
        problems.append(
            f"reviews: {len(strange)} image_sha256 are not in the manifest: "
            f"{first_three(strange)}; remove these rows, or bring the images back"
        )
    nameless = sorted(set(rows.loc[labels == "", "label"]))
    if nameless:
        problems.append(
            f"reviews: unknown labels {first_three(nameless)}; use one of "
            f"{', '.join(line.classes)}, or {EXCLUDED} to exclude the view"
        )
    reviews = rows.assign(label=labels)
    n_labels = reviews.groupby("image_sha256")["label"].nunique()
    twice = list(n_labels[n_labels > 1].index)
    if twice:
        problems.append(
            f"reviews: {len(twice)} images are reviewed with different labels: "
            f"{first_three(twice)}; keep one row each"
        )
    raise_all(problems)
    return {str(row["image_sha256"]): row for _, row in reviews.iterrows()}


def with_reviews(table: pd.DataFrame, reviews: Mapping[str, pd.Series]) -> pd.DataFrame:
    """The manifest with reviewed labels, column `label_source`, and without excluded views."""
    reviewed = table["image_sha256"].isin(list(reviews))
    told = table["image_sha256"].map(
        lambda sha: reviews[sha]["label"] if sha in reviews else ""
    )
    labels = table["label"].where(~reviewed, told)
    source = pd.Series("file", index=table.index).where(~reviewed, "review")
    cleaned = table.assign(label=labels, label_source=source)
    return cleaned[cleaned["label"] != EXCLUDED].reset_index(drop=True)


def with_holds(
    table: pd.DataFrame, conflicts: Sequence[Conflict], *, rules: Sequence[str]
) -> pd.DataFrame:
    """Columns `held` and `held_reason`: views in conflict by one of `rules`, unless reviewed."""
    reasons: dict[str, list[str]] = {}
    for conflict in conflicts:
        if conflict.rule in rules:
            reason = f"{conflict.rule}: {conflict.reason}"
            reasons.setdefault(conflict.view_id, []).append(reason)
    told = table["view_id"].map(lambda view_id: "; ".join(reasons.get(view_id, [])))
    told = told.where(table["label_source"] != "review", "")
    return table.assign(held=told != "", held_reason=told)


def changes(
    before: pd.DataFrame, after: pd.DataFrame, reviews: Mapping[str, pd.Series]
) -> pd.DataFrame:
    """Every difference between the manifest and the clean one: label, excluded or held."""
    kept = after.set_index("view_id")
    rows = []
    for _, row in before.iterrows():
        where = {column: row[column] for column in ("view_id", "path", "part_id")}
        review = reviews.get(row["image_sha256"])
        if review is not None:
            what = "excluded" if review["label"] == EXCLUDED else "label"
            by = {
                "source": "review",
                "reason": f"{review['reviewer']}: {review['note']}",
            }
            rows.append(where | by | _change(what, row["label"], review["label"]))
        elif kept.loc[row["view_id"], "held"]:
            rule, _, reason = str(kept.loc[row["view_id"], "held_reason"]).partition(
                ": "
            )
            by = {"source": f"rule:{rule}", "reason": reason}
            rows.append(where | by | _change("held", row["label"], row["label"]))
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))


def _change(what: str, before: str, after: str) -> dict[str, str]:
    return {"what": what, "before": before, "after": after}
