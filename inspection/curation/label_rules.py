"""What a label may not contradict: the written rules, and what becomes of views in conflict.

Rules speak about labels as they stand after the reviews, so a review that settles a part settles
its other views as well. A rule never changes a label: it holds a view until a person decides.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from inspection.boxes import defect_boxes, parse_boxes
from inspection.curation.reviews import EXCLUDED
from inspection.errors import first_three
from inspection.line import Line

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
# how sure a box is against a label by itself: people draw boxes with the defect before their eyes,
# and file by lot; one in ten of the sample line's box conflicts is a wrong box
BOX_CONFIDENCE = 0.9
# the rule about near-duplicates
NEAR_DUPLICATES = "near_duplicate_conflict"


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
    table: pd.DataFrame,
    line: Line,
    actions: Mapping[str, str],
) -> list[Conflict]:
    """Every conflict by every rule that is not `off`; a view may be in several."""
    find = {
        "box_conflict": lambda: box_conflicts(table, line),
        "part_disagreement": lambda: disagreements(
            table,
            by="part_id",
            rule="part_disagreement",
        ),
        "duplicate_conflict": lambda: copy_conflicts(table),
        NEAR_DUPLICATES: lambda: disagreements(
            table,
            by="near_duplicate_group",
            rule=NEAR_DUPLICATES,
        ),
    }

    found: list[Conflict] = []
    for rule, conflicts_by in find.items():
        if actions[rule] != "off":
            found += conflicts_by()
    return found


def box_conflicts(table: pd.DataFrame, line: Line) -> list[Conflict]:
    """Views whose defect boxes all speak of other classes than the label."""
    columns = (table[name] for name in ("view_id", "label", "boxes"))
    found = []
    for view_id, label, cell in zip(*columns, strict=True):
        conflict = _box_conflict(
            view_id,
            label,
            cell,
            line,
        )
        if conflict is not None:
            found.append(conflict)
    return found


def _box_conflict(
    view_id: str,
    label: str,
    cell: str,
    line: Line,
) -> Conflict | None:
    boxed = defect_boxes(parse_boxes(cell), line)
    defects = Counter(box.category for box in boxed)
    if not defects or label in defects:
        return None

    suggested = defects.most_common(1)[0][0]
    reason = f"boxed as {', '.join(sorted(defects))}, labelled {label}"
    return Conflict(
        str(view_id),
        "box_conflict",
        reason,
        suggested,
        BOX_CONFIDENCE,
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


def _copy_conflict(
    view_id: str,
    label: str,
    cell: str,
) -> Conflict | None:
    paths: dict[str, list[str]] = {}
    for copy in json.loads(cell):
        paths.setdefault(copy["label"], []).append(copy["path"])
    # the view itself, and its copies of the same label
    n_alike = 1 + len(paths.pop(label, []))
    paths.pop("", None)
    if not paths:
        return None

    others = [
        f"{first_three(some)}, labelled {name}" for name, some in sorted(paths.items())
    ]
    reason = f"same bytes as {' and as '.join(others)}"
    suggested = max(sorted(paths), key=lambda name: len(paths[name]))
    n_others = sum(map(len, paths.values()))
    confidence = n_others / (n_others + n_alike)
    return Conflict(
        view_id,
        "duplicate_conflict",
        reason,
        suggested,
        confidence,
    )


def disagreements(
    table: pd.DataFrame,
    *,
    by: str,
    rule: str,
) -> list[Conflict]:
    """Views that share a value of column `by` ('' counts for none) and not the label."""
    found: list[Conflict] = []
    for key, group in table[table[by] != ""].groupby(by, sort=True):
        votes = Counter(group["label"])
        if len(votes) < 2:
            continue
        counted = ", ".join(f"{n} x {name}" for name, n in sorted(votes.items()))
        reason = f"{by} {key}: {counted}"
        found += [
            Conflict(
                str(one),
                rule,
                reason,
                "",
                0.0,
            )
            for one in group["view_id"]
        ]
    return found


def with_holds(
    table: pd.DataFrame,
    conflicts: Sequence[Conflict],
    *,
    rules: Sequence[str],
) -> pd.DataFrame:
    """Columns `held` and `held_reason`: views in conflict by one of `rules`, unless reviewed."""
    reasons: dict[str, list[str]] = {}
    for conflict in conflicts:
        if conflict.rule in rules:
            reason = f"{conflict.rule}: {conflict.reason}"
            reasons.setdefault(conflict.view_id, []).append(reason)

    reason_of = {view_id: "; ".join(some) for view_id, some in reasons.items()}
    held = table["view_id"].map(lambda view_id: reason_of.get(view_id, ""))
    held = held.where(table["label_source"] != "review", "")
    return table.assign(
        held=held != "",
        held_reason=held,
    )


def changes(
    before: pd.DataFrame,
    after: pd.DataFrame,
    reviews: Mapping[str, pd.Series],
) -> pd.DataFrame:
    """Every difference between the manifest and the clean one: label, excluded or held."""
    kept = after.set_index("view_id")
    rows = []
    for _, row in before.iterrows():
        review = reviews.get(row["image_sha256"])
        if review is not None:
            rows.append(_reviewed(row, review))
        elif kept.loc[row["view_id"], "held"]:
            rows.append(_held(row, str(kept.loc[row["view_id"], "held_reason"])))
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))


def _reviewed(row: pd.Series, review: pd.Series) -> dict[str, str]:
    return _identity(row) | {
        "what": "excluded" if review["label"] == EXCLUDED else "label",
        "before": row["label"],
        "after": review["label"],
        "source": "review",
        "reason": f"{review['reviewer']}: {review['note']}",
    }


def _held(row: pd.Series, held_reason: str) -> dict[str, str]:
    rule, _, reason = held_reason.partition(": ")
    return _identity(row) | {
        "what": "held",
        "before": row["label"],
        "after": row["label"],
        "source": f"rule:{rule}",
        "reason": reason,
    }


def _identity(row: pd.Series) -> dict[str, str]:
    return {column: row[column] for column in ("view_id", "path", "part_id")}
