"""Labelled boxes: those that cannot be, and those that two files both tell."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from inspection.dataset.quarantine import Finding
from inspection.line import Line, fold_name

SAME_BOX_PX = 1.5
OUTSIDE_PX = 1.0


@dataclass(frozen=True)
class Box:
    """A labelled box in the pixels of its frame: top left corner and size."""

    category: str
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    source: str

    def as_row(self) -> dict[str, str | float]:
        """The box as the manifest stores it, coordinates rounded to a hundredth of a pixel."""
        return {
            key: round(value, 2) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def fault(box: Box, *, width_px: int, height_px: int) -> str:
    """Why the box cannot be, in one word, or '' when it can.

    `box_not_a_number`, `box_empty` (no area) or `box_outside` (more than a pixel over the edge).
    """
    edges = (box.x_px, box.y_px, box.width_px, box.height_px)
    if not all(math.isfinite(edge) for edge in edges):
        return "box_not_a_number"
    if box.width_px <= 0 or box.height_px <= 0:
        return "box_empty"
    over = (
        -box.x_px,
        -box.y_px,
        box.x_px + box.width_px - width_px,
        box.y_px + box.height_px - height_px,
    )
    return "box_outside" if max(over) > OUTSIDE_PX else ""


def clipped(box: Box, *, width_px: int, height_px: int) -> Box:
    """The box within the frame: labels round by up to a pixel over the edge."""
    left, top = max(box.x_px, 0.0), max(box.y_px, 0.0)
    right = min(box.x_px + box.width_px, float(width_px))
    bottom = min(box.y_px + box.height_px, float(height_px))
    return replace(
        box, x_px=left, y_px=top, width_px=right - left, height_px=bottom - top
    )


def same(one: Box, other: Box) -> bool:
    """True when both name one category and no edge differs by more than SAME_BOX_PX."""
    return (
        one.category == other.category
        and max(_edge_distances(one, other)) <= SAME_BOX_PX
    )


def merged(boxes: Iterable[Box]) -> list[Box]:
    """Boxes with those that two sources tell alike counted once.

    Such a box keeps the edges of the first source and names both, as in `yolo+coco`.
    """
    kept: list[Box] = []
    for box in boxes:
        twin = next((k for k in kept if k.source != box.source and same(k, box)), None)
        if twin is None:
            kept.append(box)
        else:
            kept[kept.index(twin)] = replace(twin, source=f"{twin.source}+{box.source}")
    return kept


def resolved(
    boxes: Sequence[Box],
    *,
    path: str,
    size_px: tuple[int, int],
    sources: Collection[str],
    line: Line,
) -> tuple[list[Box], list[Finding]]:
    """The boxes of one view that can be, under canonical names, each once; and what was odd.

    `size_px` is (width, height) of the frame; `sources` names all that tell of the view, so that
    a box which only one of them has is told as `boxes_disagree` (and kept).
    """
    width_px, height_px = size_px
    good, findings = [], []
    for box in (_canonical(box, line) for box in boxes):
        reason = fault(box, width_px=width_px, height_px=height_px)
        if box.category not in line.classes and box.category not in line.regions:
            reason = "box_unknown_category"
        if reason:
            findings.append(Finding(path, reason, _told(box), view_kept=True))
        else:
            good.append(clipped(box, width_px=width_px, height_px=height_px))
    kept = merged(good)
    if len(sources) > 1:
        alone = [f"only {_told(box)}" for box in kept if "+" not in box.source]
        findings += [
            Finding(path, "boxes_disagree", told, view_kept=True) for told in alone
        ]
    return kept, findings


def _canonical(box: Box, line: Line) -> Box:
    folded = fold_name(box.category)
    known = line.class_by_alias.get(folded) or line.region_by_alias.get(folded)
    return replace(box, category=known or box.category)


def _told(box: Box) -> str:
    edges = (box.x_px, box.y_px, box.width_px, box.height_px)
    return f"{box.source}: {box.category} at " + " ".join(
        f"{edge:.1f}" for edge in edges
    )


def _edge_distances(one: Box, other: Box) -> tuple[float, float, float, float]:
    return (
        abs(one.x_px - other.x_px),
        abs(one.y_px - other.y_px),
        abs(one.x_px + one.width_px - other.x_px - other.width_px),
        abs(one.y_px + one.height_px - other.y_px - other.height_px),
    )
