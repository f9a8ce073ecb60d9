"""Boxes around defects, in pixels of the original frame."""

from dataclasses import dataclass

import numpy as np

from inspection.geometry import Box, Floats, intersection_over_union
from inspection.runtime.detectors import DetectorCard
from inspection.runtime.heat import hot_boxes, scaled
from inspection.runtime.views import DetectorOutput, ViewOutputs

# Shares of the raw peak, tried in turn until an area is large enough to be boxed. The
# first boxes little more than the peak; below half of it (full width at half maximum, as
# peaks are measured elsewhere) an area is no longer about that peak.
PEAK_SHARES = (0.9, 0.8, 0.7, 0.6, 0.5)
# A box narrower than a pixel of the frame shows nothing: it lies on the frame's edge,
# where all but a sliver of it was clipped.
MIN_SIDE_PX = 1


@dataclass(frozen=True)
class DefectBox:
    """Where a defect is, in pixels of the original frame, and how hot it is there (0..1)."""

    box: Box
    region: str
    found_by: str
    heat: float


def heat_of(output: DetectorOutput, detector: DetectorCard) -> Floats:
    """The heat (h, w) of the likeliest defect on the absolute scale, 0..1."""
    return scaled(output.raw_heat, detector.heat.cold, detector.heat.hot)


def defect_boxes(
    outputs: ViewOutputs, name: str, detector: DetectorCard
) -> list[DefectBox]:
    """The boxes that a detector draws in a view which it does not let pass, hottest first.

    Beyond the frame's edge the crop shows the frame's mirror image (see `cut`): heat there belongs
    to the place that is mirrored, and says nothing new where that is boxed already.
    """
    window = outputs.windows[detector.region]
    output = outputs.detectors[name]
    heat = heat_of(output, detector)

    found = hot_boxes(heat, window.size_px, detector.heat.box_threshold)
    if not found:
        found = _hottest(output.raw_heat, heat, window.size_px)

    inside: list[DefectBox] = []
    mirrored: list[DefectBox] = []
    for box, peak in found:
        in_window = window.to_frame(box)
        in_frame = in_window.mirrored_into(*outputs.frame_size_px)
        placed = in_frame.clipped(*outputs.frame_size_px)
        if min(placed.width_px, placed.height_px) < MIN_SIDE_PX:
            continue

        boxes = inside if in_frame == in_window else mirrored
        boxes.append(DefectBox(placed, detector.region, name, round(peak, 4)))

    new = [one for one in mirrored if not any(_overlap(one, known) for known in inside)]
    return sorted([*inside, *new], key=lambda one: -one.heat)


def _overlap(one: DefectBox, other: DefectBox) -> bool:
    return intersection_over_union(one.box, other.box) > 0


def _hottest(
    raw: Floats, heat: Floats, size_px: tuple[int, int]
) -> list[tuple[Box, float]]:
    """The place that is worst where nothing is hot on the absolute scale.

    A verdict that is no pass says where to look; its heat tells that there is little to see.
    """
    peak = raw.max()
    if not peak > 0:
        return []

    relative = np.asarray(raw / peak, np.float32)
    for share in PEAK_SHARES:
        found = hot_boxes(relative, size_px, share)
        if found:
            return [(found[0][0], float(heat.max()))]
    return []
