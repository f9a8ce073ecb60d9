"""Which box frames a region in a view: located, labelled, or the whole frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from inspection.models.crops import part_box
from inspection.errors import raise_all
from inspection.line import Line, Region
from inspection.boxes import boxes_of, parse_boxes
from inspection.geometry import Box, Floats, box_from_mask, coverage, intersection_over_union


@dataclass(frozen=True)
class Framed:
    """The box of a region in a view, in frame pixels, where it came from, and how sure it is.

    `source` is `located`, `labelled` or `frame`; `confidence` is 0..1.
    """

    box: Box
    source: str
    confidence: float


def located_regions(line: Line) -> list[str]:
    """The regions that must be found in the frame, in the locator's order of outputs."""
    return [name for name, region in line.regions.items() if not region.whole_frame]


def locator_targets(views: pd.DataFrame, regions: Sequence[str], cells: tuple[int, int]) -> Floats:
    """Cell coverage (N, regions, height, width), 0..1, by the labelled part boxes of each view.

    `cells` is (width, height) of the grid. A region without a box in a view is NaN there.
    """
    targets = np.full((len(views), len(regions), cells[1], cells[0]), np.nan, np.float32)
    for i, view in enumerate(views.itertuples()):
        for j, region in enumerate(regions):
            box = part_box(str(view.boxes), region)
            if box is not None:
                targets[i, j] = coverage([box], cells, _size_px(view))
    return targets


def require_boxes(views: pd.DataFrame, regions: Sequence[str]) -> None:
    """Refuse a line with a region that nobody has drawn a box of in the train fold."""
    raise_all(
        f"line.regions.{name}: no view of the train fold has a box of it, so it cannot be "
        "located; label some boxes, or set whole_frame: true"
        for name in regions
        if not _n_boxed(views, name)
    )


def frame_view(
    view: Any, line: Line, probabilities: Mapping[str, Floats], *, framing: str
) -> dict[str, Framed]:
    """The box that frames each region in a view; one neither located nor labelled is missing.

    `probabilities` holds the locator's map (h, w) of each region that it looks for.
    """
    framed = {
        name: _framed(view, name, region, probabilities.get(name), framing)
        for name, region in line.regions.items()
    }
    return {name: found for name, found in framed.items() if found is not None}


def locator_agreement(views: pd.DataFrame, maps: Mapping[str, Floats]) -> dict[str, list[float]]:
    """IoU of located and labelled boxes, per region, over the views that have a labelled one.

    A view in which the region is not located counts as 0.
    """
    agreement: dict[str, list[float]] = {region: [] for region in maps}
    for i, view in enumerate(views.itertuples()):
        for region, probabilities in maps.items():
            labelled = part_box(str(view.boxes), region)
            if labelled is None:
                continue
            found = box_from_mask(probabilities[i], _size_px(view))
            iou = intersection_over_union(found[0], labelled) if found else 0.0
            agreement[region].append(iou)
    return agreement


def _size_px(view: Any) -> tuple[int, int]:
    return int(view.width_px), int(view.height_px)


def defect_boxes(view: Any, shows: Sequence[str]) -> list[Box]:
    """The labelled boxes of a view's own defect, where it shows in the region."""
    return boxes_of(parse_boxes(view.boxes), {view.label}) if view.label in shows else []


def _framed(
    view: Any, region: str, settings: Region, probability: Floats | None, framing: str
) -> Framed | None:
    size = _size_px(view)
    if settings.whole_frame:
        return Framed(Box(0.0, 0.0, float(size[0]), float(size[1])), "frame", 1.0)
    labelled = part_box(view.boxes, region)
    located = None if probability is None else box_from_mask(probability, size)
    if labelled is not None and (framing == "boxes" or located is None):
        return Framed(labelled, "labelled", 1.0)
    return None if located is None else Framed(located[0], "located", located[1])


def _n_boxed(views: pd.DataFrame, region: str) -> int:
    return sum(part_box(boxes, region) is not None for boxes in views["boxes"])
