"""Golden crops: val crops on which every runtime must judge as torch does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inspection.evaluation.parity import Parity, compare
from inspection.geometry import Box, Floats, Image, box_from_mask
from inspection.models.crops import evenly_spaced
from inspection.runtime.detectors import DetectorCard
from inspection.runtime.heat import hot_boxes, scaled
from inspection.runtime.views import DetectorOutput


@dataclass(frozen=True)
class Batch:
    """What a detector's model says of N crops: values (N, ...) and raw heat (N, ..., h, w)."""

    values: Any
    heat: Any

    def outputs(self) -> list[DetectorOutput]:
        """The outputs crop by crop, in the shapes in which the inspector has them."""
        return [
            DetectorOutput.of(values, heat)
            for values, heat in zip(self.values, self.heat, strict=True)
        ]


def evenly_drawn(images: Image, n: int) -> Image:
    """At most `n` of the images (N, ...), evenly drawn in their order, the ends among them."""
    return np.array(images[evenly_spaced(len(images), n)])


def detector_parity(
    wanted: Batch,
    got: Batch,
    detector: DetectorCard,
    verdict_of: Callable[[float], str],
    *,
    size_px: tuple[int, int],
    tolerance: float,
) -> Parity:
    """How far a runtime's outputs lie from torch's: scores, heat, verdicts and boxes.

    `verdict_of` gives the verdict on a score of this detector. `size_px` is (width, height) of the
    crops; boxes may differ as far as heat that is off by `tolerance` (0..1 on the absolute scale)
    makes them.
    """
    expected, found = wanted.outputs(), got.outputs()
    heat = _heat(expected, detector)
    other_heat = _heat(found, detector)
    moved = 0
    for output, ours, theirs in zip(expected, heat, other_heat, strict=True):
        number = output.likeliest_map
        moved += not boxes_agree(
            ours[number],
            theirs[number],
            size_px=size_px,
            threshold=detector.heat.box_threshold,
            tolerance=tolerance,
        )

    scores = [detector.score(output) for output in expected]
    other_scores = [detector.score(output) for output in found]
    return compare(
        scores=(scores, other_scores),
        heat=(heat, other_heat),
        verdicts=(
            [verdict_of(score) for score in scores],
            [verdict_of(score) for score in other_scores],
        ),
        moved=moved,
    )


def boxes_agree(
    wanted: Floats,
    got: Floats,
    *,
    size_px: tuple[int, int],
    threshold: float,
    tolerance: float,
) -> bool:
    """Whether two heatmaps (h, w) are boxed alike, give or take `tolerance` of heat.

    What is boxed of the first also at a higher threshold must lie in boxes of the second, and
    these in what is boxed of the first at a lower one.
    """
    least = _boxed(wanted, size_px, threshold + tolerance)
    found = _boxed(got, size_px, threshold)
    most = _boxed(wanted, size_px, threshold - tolerance)
    return _all_inside(least, found) and _all_inside(found, most)


def locator_parity(wanted: Floats, got: Floats) -> Parity:
    """How far two locators' probability maps (N, regions, h, w) lie apart, and what they find.

    The score is the probability of a cell; `heat_difference` is how far the edges of a box lie
    apart, as a fraction of the frame; a frame is flipped when a region is found by one alone.
    """
    edges, found = _located(wanted)
    other_edges, other_found = _located(got)
    return compare(
        scores=(wanted, got),
        heat=(edges, other_edges),
        verdicts=(found, other_found),
    )


def _heat(outputs: Sequence[DetectorOutput], detector: DetectorCard) -> list[Floats]:
    """All heatmaps (maps, h, w) of each output on the absolute scale."""
    scale = detector.heat
    return [scaled(output.heat, scale.cold, scale.hot) for output in outputs]


def _boxed(heat: Floats, size_px: tuple[int, int], threshold: float) -> list[Box]:
    return [box for box, _ in hot_boxes(heat, size_px, threshold)]


def _all_inside(boxes: Sequence[Box], others: Sequence[Box]) -> bool:
    """Whether each box lies inside one of the others."""
    return all(any(_is_inside(box, other) for other in others) for box in boxes)


def _is_inside(box: Box, other: Box) -> bool:
    return (
        box.x_px >= other.x_px
        and box.y_px >= other.y_px
        and box.right_px <= other.right_px
        and box.bottom_px <= other.bottom_px
    )


def _located(maps: Floats) -> tuple[list[Any], list[Any]]:
    """Of each region in each frame the edges of its box, and whether it was found.

    The edges are fractions of the frame, zeros where it was not found.
    """
    edges, found = [], []
    for regions in maps:
        boxes = [box_from_mask(one, (1, 1)) for one in regions]
        edges.append([_edges(box[0]) if box else (0.0,) * 4 for box in boxes])
        found.append(tuple(box is not None for box in boxes))
    return edges, found


def _edges(box: Box) -> tuple[float, ...]:
    return box.x_px, box.y_px, box.right_px, box.bottom_px
