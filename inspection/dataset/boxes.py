"""Which labelled boxes are usable, and which of them two annotation files both name."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from inspection.boxes import LabelledBox
from inspection.dataset.quarantine import Finding
from inspection.geometry import Box
from inspection.line import Line, fold_name

# pixels by which an edge may differ between two files of one box: YOLO stores centre and size to
# six digits and COCO whole pixels, so an edge moves by up to one pixel on a frame of some
# thousand; two boxes that a person drew apart differ by more
SAME_BOX_PX = 1.5
# pixels that a box may stick out of its frame: tools round edges outwards by up to one pixel;
# what lies further out was drawn on another image
OUTSIDE_PX = 1.0


def fault(
    box: Box,
    *,
    width_px: int,
    height_px: int,
) -> str:
    """Why a box is not usable, in one word; '' when it is.

    `box_not_a_number`, `box_empty` (no area) or `box_outside` (more than a pixel over the edge).
    """
    if not all(math.isfinite(edge) for edge in _numbers(box)):
        return "box_not_a_number"
    if box.width_px <= 0 or box.height_px <= 0:
        return "box_empty"

    beyond = (-box.x_px, -box.y_px, box.right_px - width_px, box.bottom_px - height_px)
    return "box_outside" if max(beyond) > OUTSIDE_PX else ""


def same(one: LabelledBox, other: LabelledBox) -> bool:
    """True when both name one category and no edge differs by more than SAME_BOX_PX."""
    if one.category != other.category:
        return False

    edges = zip(_edges(one.box), _edges(other.box), strict=True)
    return all(abs(mine - theirs) <= SAME_BOX_PX for mine, theirs in edges)


def merged(boxes: Iterable[LabelledBox]) -> list[LabelledBox]:
    """Boxes, with those that two sources name alike counted once.

    Such a box keeps the edges of the first source and names both, as in `yolo+coco`.
    """
    kept: list[LabelledBox] = []
    for box in boxes:
        twin = _twin(box, kept)
        if twin is None:
            kept.append(box)
        else:
            both = f"{kept[twin].source}+{box.source}"
            kept[twin] = replace(kept[twin], source=both)
    return kept


def resolved(
    boxes: Sequence[LabelledBox],
    *,
    path: str,
    size_px: tuple[int, int],
    sources: Collection[str],
    line: Line,
) -> tuple[list[LabelledBox], list[Finding]]:
    """The usable boxes of one view under canonical names, each once; and what was odd.

    `size_px` is (width, height) of the frame; `sources` names all files that speak of the view,
    so that a box which only one of them has is listed as `boxes_disagree` (and kept).
    """
    good = []
    findings = []
    for box in boxes:
        named = _canonical(box, line)
        reason = _reason(named, size_px, line)
        if reason:
            findings.append(Finding(path, reason, _described(named), view_kept=True))
        else:
            good.append(replace(named, box=named.box.clipped(*size_px)))

    kept = merged(good)
    if len(sources) > 1:
        findings += _disagreements(path, kept)
    return kept, findings


def _reason(
    box: LabelledBox,
    size_px: tuple[int, int],
    line: Line,
) -> str:
    """Why a box is left out, in one word; '' when it is not."""
    if box.category not in line.classes and box.category not in line.regions:
        return "box_unknown_category"
    return fault(
        box.box,
        width_px=size_px[0],
        height_px=size_px[1],
    )


def _twin(box: LabelledBox, kept: Sequence[LabelledBox]) -> int | None:
    """The number of the box that another source gave for the same thing."""
    for number, other in enumerate(kept):
        if other.source != box.source and same(other, box):
            return number
    return None


def _disagreements(path: str, kept: Sequence[LabelledBox]) -> list[Finding]:
    """The boxes that one source alone has, of a view that several sources speak of."""
    alone = [box for box in kept if "+" not in box.source]
    return [
        Finding(path, "boxes_disagree", f"only {_described(box)}", view_kept=True)
        for box in alone
    ]


def _canonical(box: LabelledBox, line: Line) -> LabelledBox:
    folded = fold_name(box.category)
    known = line.class_by_alias.get(folded) or line.region_by_alias.get(folded)
    return replace(box, category=known or box.category)


def _described(box: LabelledBox) -> str:
    place = " ".join(f"{number:.1f}" for number in _numbers(box.box))
    return f"{box.source}: {box.category} at {place}"


def _numbers(box: Box) -> tuple[float, float, float, float]:
    return box.x_px, box.y_px, box.width_px, box.height_px


def _edges(box: Box) -> tuple[float, float, float, float]:
    return box.x_px, box.y_px, box.right_px, box.bottom_px
