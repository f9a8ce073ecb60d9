"""What people have drawn: the rows of reviews/boxes.csv, and the boxes of the views they are about.

A view that a row names has its boxes replaced as a whole, by those of its rows. A row of category
`-` without numbers says that the view has none.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from inspection.boxes import (
    DECIMALS,
    LabelledBox,
    boxes_cell,
    defect_boxes,
    parse_boxes,
)
from inspection.curation.label_rules import CHANGE_COLUMNS
from inspection.errors import InspectionError, first_three, raise_all
from inspection.geometry import Box
from inspection.line import Line, fold_name

NUMBERS = ("x_px", "y_px", "width_px", "height_px")
BOX_REVIEW_COLUMNS = ("image_sha256", "category", *NUMBERS, "reviewer", "note")
NO_BOX = "-"
# what a box of the manifest names as its source where a person drew it at the review desk
SOURCE = "review"
# px by which an edge may lie outside: positions are kept in hundredths of a pixel, and the sum of
# two rounded numbers is off by one hundredth at most
ROUNDING_PX = 0.01


@dataclass(frozen=True)
class BoxReview:
    """The boxes of a view as a person drew them, none where there are none; who, and why."""

    boxes: tuple[LabelledBox, ...]
    reviewer: str
    note: str


def canonical(category: str, line: Line) -> str:
    """The class or region that a category or an alias of it names; '' where it is unknown."""
    folded = fold_name(category)
    by_alias = {**line.region_by_alias, **line.class_by_alias}
    return by_alias.get(folded, "")


def fault(one: LabelledBox, size_px: tuple[int, int], line: Line) -> str:
    """Why a box cannot be used in a frame of (width, height), in words; '' where it can."""
    box, (width_px, height_px) = one.box, size_px
    numbers = (box.x_px, box.y_px, box.width_px, box.height_px)
    if not canonical(one.category, line):
        known = ", ".join([*line.classes, *line.regions])
        return f"category {one.category!r} is unknown; use one of {known}, or {NO_BOX}"
    if not all(math.isfinite(number) for number in numbers):
        return "a position or size is no number; correct it"
    if min(box.width_px, box.height_px) <= 0:
        return "the box has no area; correct it"

    beyond = max(
        -box.x_px, -box.y_px, box.right_px - width_px, box.bottom_px - height_px
    )
    if round(beyond, DECIMALS) > ROUNDING_PX:
        place = described([one])
        return (
            f"{place} lies outside of the frame, {width_px} x {height_px}; correct it"
        )
    return ""


def read_box_reviews(
    rows: pd.DataFrame, table: pd.DataFrame, line: Line
) -> dict[str, BoxReview]:
    """What was drawn by image hash, categories canonical. `table` is the raw manifest.

    Raises InspectionError that lists every unknown image and category, every box that is none or
    lies outside of its frame, and every contradiction.
    """
    if tuple(rows.columns) != BOX_REVIEW_COLUMNS:
        raise InspectionError(
            f"boxes: the columns are {list(rows.columns)}; "
            f"they should be {list(BOX_REVIEW_COLUMNS)}"
        )

    views = {str(view.image_sha256): view for view in table.itertuples()}
    known = rows[rows["image_sha256"].isin(list(views))]
    by_image = {str(sha256): some for sha256, some in known.groupby("image_sha256")}
    raise_all(
        [
            *_unknown_images(rows, views),
            *(
                f"boxes: {views[sha256].path}: {problem}"
                for sha256, some in by_image.items()
                for problem in _problems(some, _size_px(views[sha256]), line)
            ),
        ]
    )
    return {sha256: _review(some, line) for sha256, some in by_image.items()}


def with_box_reviews(
    table: pd.DataFrame, reviews: Mapping[str, BoxReview], line: Line
) -> pd.DataFrame:
    """The manifest with the boxes that people drew in place of those that the data had.

    A mask gives way where the boxes of defects have changed: it would outweigh them as the place
    of the defect (see stage crop).
    """
    if not reviews:
        return table

    reviewed = table["image_sha256"].isin(list(reviews))
    after = table.assign(
        boxes=table["boxes"].where(~reviewed, _cells(table, reviews)),
    )
    moved = _moved_defects(table, after, line)
    return after.assign(mask_path=table["mask_path"].where(~moved, ""))


def box_changes(
    before: pd.DataFrame, after: pd.DataFrame, reviews: Mapping[str, BoxReview]
) -> pd.DataFrame:
    """What `reviews` change between the manifest and the clean one, as `label_rules.changes`.

    Of views that the clean manifest no longer holds nothing is said.
    """
    kept = after.set_index("view_id")
    rows: list[dict[str, str]] = []
    for _, row in before[before["view_id"].isin(kept.index)].iterrows():
        review = reviews.get(row["image_sha256"])
        if review is not None:
            rows += _changes(row, kept.loc[row["view_id"]], review)
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))


def described(boxes: list[LabelledBox]) -> str:
    """Boxes in words: `dent at 10 20 24 24` is category, left, top, width and height in pixels."""
    places = []
    for one in boxes:
        box = one.box
        numbers = (box.x_px, box.y_px, box.width_px, box.height_px)
        place = " ".join(f"{number:.8g}" for number in numbers)
        places.append(f"{one.category} at {place}")
    return "; ".join(places) or "no box"


def _unknown_images(rows: pd.DataFrame, views: Mapping[str, Any]) -> list[str]:
    found = [one for one in dict.fromkeys(rows["image_sha256"]) if one not in views]
    if not found:
        return []
    return [
        f"boxes: {len(found)} image_sha256 are not in the manifest: {first_three(found)}; "
        "remove these rows, or bring the images back"
    ]


def _problems(
    rows: pd.DataFrame, size_px: tuple[int, int], line: Line
) -> Iterator[str]:
    """What is wrong with the rows of one image."""
    reviewers = sorted(set(rows["reviewer"]))
    if len(reviewers) > 1:
        yield f"drawn by {first_three(reviewers)}; keep the rows of one"

    empty = rows["category"].str.strip() == NO_BOX
    if empty.any() and len(rows) > 1:
        yield f"{NO_BOX} says that there is no box, and other rows say more; keep either"
    if (rows.loc[empty, list(NUMBERS)] != "").any(axis=None):
        yield f"{NO_BOX} says that there is no box; leave its numbers empty"

    for one in _boxes(rows[~empty]):
        problem = fault(one, size_px, line)
        if problem:
            yield problem


def _boxes(rows: pd.DataFrame) -> list[LabelledBox]:
    """The boxes of rows; what is no number becomes NaN."""
    numbers = rows[list(NUMBERS)].apply(pd.to_numeric, errors="coerce").astype(float)
    return [
        LabelledBox(str(category), Box(*map(float, place)), SOURCE)
        for category, place in zip(
            rows["category"], numbers.itertuples(index=False), strict=True
        )
    ]


def _review(rows: pd.DataFrame, line: Line) -> BoxReview:
    drawn = rows[rows["category"].str.strip() != NO_BOX]
    boxes = tuple(
        LabelledBox(canonical(one.category, line), one.box, SOURCE)
        for one in _boxes(drawn)
    )
    first = rows.iloc[0]
    return BoxReview(boxes, str(first["reviewer"]), str(first["note"]))


def _size_px(view: Any) -> tuple[int, int]:
    return int(view.width_px), int(view.height_px)


def _cells(table: pd.DataFrame, reviews: Mapping[str, BoxReview]) -> pd.Series:
    """The manifest's cell of what was drawn, by view; '' where nothing was."""
    return table["image_sha256"].map(
        lambda sha256: boxes_cell(reviews[sha256].boxes) if sha256 in reviews else ""
    )


def _moved_defects(before: pd.DataFrame, after: pd.DataFrame, line: Line) -> pd.Series:
    """Whether the boxes of defects, by view, are others than they were."""

    def defects(cell: str) -> list[tuple[str, Box]]:
        found = defect_boxes(parse_boxes(cell), line)
        return sorted(((one.category, one.box) for one in found), key=repr)

    return before["boxes"].map(defects) != after["boxes"].map(defects)


def _changes(
    before: pd.Series, after: pd.Series, review: BoxReview
) -> Iterator[dict[str, str]]:
    source = {"source": SOURCE, "reason": f"{review.reviewer}: {review.note}"}
    identity = {name: before[name] for name in ("view_id", "path", "part_id")}
    yield identity | {
        "what": "boxes",
        "before": described(parse_boxes(before["boxes"])),
        "after": described(parse_boxes(after["boxes"])),
        **source,
    }
    if before["mask_path"] != after["mask_path"]:
        yield identity | {
            "what": "mask",
            "before": before["mask_path"],
            "after": after["mask_path"],
            **source,
        }
