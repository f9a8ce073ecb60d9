"""Which box frames a region in a view: located, labelled, or the whole frame."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from inspection.boxes import boxes_of, parse_boxes
from inspection.errors import raise_all
from inspection.geometry import Box, Floats, coverage, intersection_over_union
from inspection.line import Region
from inspection.models.crops import part_box
from inspection.runtime.framing import Located, whole_frame


@dataclass(frozen=True)
class Framed:
    """The box of a region in a view, in frame pixels, where it came from, and how sure it is.

    `source` is `located`, `labelled` or `frame`; `confidence` is 0..1.
    """

    box: Box
    source: str
    confidence: float


def located_regions(regions: Mapping[str, Region]) -> list[str]:
    """The regions that must be found in the frame, in the locator's order of outputs."""
    return [name for name, region in regions.items() if not region.whole_frame]


def locator_targets(
    views: pd.DataFrame, regions: Sequence[str], cells: tuple[int, int]
) -> Floats:
    """Cell coverage (N, regions, height, width), 0..1, by the labelled part boxes of each view.

    `cells` is (width, height) of the grid. A region without a box in a view is NaN there.
    """
    shape = (len(views), len(regions), cells[1], cells[0])
    targets = np.full(shape, np.nan, np.float32)

    for row, view in enumerate(views.itertuples()):
        for number, region in enumerate(regions):
            box = part_box(str(view.boxes), region)
            if box is not None:
                targets[row, number] = coverage([box], cells, _size_px(view))

    return targets


def require_boxes(views: pd.DataFrame, regions: Iterable[str]) -> None:
    """Refuse a line with a region that nobody has drawn a box of in these views."""
    raise_all(
        f"line.regions.{name}: no view of the train fold has a box of it, so it cannot be "
        "located; label some boxes, or set whole_frame: true"
        for name in regions
        if all(part_box(boxes, name) is None for boxes in views["boxes"])
    )


def frame_view(
    view: Any,
    regions: Mapping[str, Region],
    located: Mapping[str, Located],
    *,
    framing: str,
) -> dict[str, Framed]:
    """The box that frames each region in a view; one neither located nor labelled is missing.

    `framing` says which is preferred, `located` or `boxes`; the other one stands in for it.
    """
    framed = {}
    for name, region in regions.items():
        if region.whole_frame:
            framed[name] = Framed(whole_frame(_size_px(view)), "frame", 1.0)
            continue

        found = _preferred(located.get(name), part_box(view.boxes, name), framing)
        if found is not None:
            framed[name] = found

    return framed


def locator_agreement(
    view: Any, regions: Iterable[str], located: Mapping[str, Located]
) -> dict[str, float]:
    """IoU, 0..1, of the located and the labelled box of each region that has a labelled one.

    A region that was looked for and not located counts as 0.
    """
    agreement = {}
    for region in regions:
        labelled = part_box(view.boxes, region)
        if labelled is None:
            continue

        found = located.get(region)
        agreement[region] = (
            intersection_over_union(found.box, labelled) if found else 0.0
        )

    return agreement


def defect_boxes(view: Any, shows: Sequence[str]) -> list[Box]:
    """The labelled boxes of a view's own defect, where it shows in the region."""
    if view.label not in shows:
        return []

    return boxes_of(parse_boxes(view.boxes), {view.label})


def _preferred(
    located: Located | None, labelled: Box | None, framing: str
) -> Framed | None:
    if located is not None and (framing == "located" or labelled is None):
        return Framed(located.box, "located", located.confidence)
    if labelled is not None:
        return Framed(labelled, "labelled", 1.0)
    return None


def _size_px(view: Any) -> tuple[int, int]:
    return int(view.width_px), int(view.height_px)
