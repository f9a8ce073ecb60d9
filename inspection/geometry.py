"""Boxes and crop windows: where a region lies in a frame, and the way from the crop back to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np

Image = np.ndarray[Any, np.dtype[np.uint8]]
Floats = np.ndarray[Any, np.dtype[np.float32]]

# A cell belongs to a region where the locator thinks it likelier than not.
MIN_PROBABILITY = 0.5

# Mean probability inside the box, from which it counts as found. Below one half the area fills less
# of its own box than it leaves empty: a streak or a reflection, not a region, which is compact.
MIN_CONFIDENCE = 0.5

# Cells (4 x 4 px of the shrunken frame). Fewer are a speck: no edge can be interpolated across
# them, and the box would be of the noise.
MIN_CELLS = 4


@dataclass(frozen=True)
class Box:
    """An axis-aligned box in pixels: top left corner, width to the right, height downwards."""

    x_px: float
    y_px: float
    width_px: float
    height_px: float

    @property
    def right_px(self) -> float:
        """The first column to the right of the box."""
        return self.x_px + self.width_px

    @property
    def bottom_px(self) -> float:
        """The first row below the box."""
        return self.y_px + self.height_px

    @property
    def area_px(self) -> float:
        """Width times height, in square pixels."""
        return self.width_px * self.height_px

    @classmethod
    def from_edges(cls, left: float, top: float, right: float, bottom: float) -> Self:
        """A box from its edges; edges that have crossed make an empty box."""
        return cls(left, top, max(0.0, right - left), max(0.0, bottom - top))

    def grown(self, fraction: float) -> "Box":
        """The box with `fraction` of its size added on each side."""
        dx, dy = self.width_px * fraction, self.height_px * fraction
        return Box(
            self.x_px - dx,
            self.y_px - dy,
            self.width_px + 2 * dx,
            self.height_px + 2 * dy,
        )

    def clipped(self, width_px: int, height_px: int) -> "Box":
        """The part of the box that lies inside an image of the given size."""
        xs = (min(max(0.0, x), float(width_px)) for x in (self.x_px, self.right_px))
        ys = (min(max(0.0, y), float(height_px)) for y in (self.y_px, self.bottom_px))
        (left, right), (top, bottom) = xs, ys
        return Box.from_edges(left, top, right, bottom)

    def rounded(self) -> dict[str, float]:
        """The box as JSON, in tenths of a pixel."""
        return {key: round(float(value), 1) for key, value in vars(self).items()}


def intersection_over_union(one: Box, other: Box) -> float:
    """Area of the intersection over area of the union, 0..1."""
    common = Box.from_edges(
        max(one.x_px, other.x_px),
        max(one.y_px, other.y_px),
        min(one.right_px, other.right_px),
        min(one.bottom_px, other.bottom_px),
    ).area_px
    union = one.area_px + other.area_px - common
    return common / union if union > 0 else 0.0


@dataclass(frozen=True)
class CropWindow:
    """The window of a frame that a crop shows: whole frame pixels, which may lie outside of it.

    `size_px` is (width, height) of the crop that the window is resized to. A `turned` crop shows
    the window upside down (rotated by 180 degrees), so that parts lie the same way in all crops.
    """

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    size_px: tuple[int, int]
    turned: bool = False

    @property
    def scale(self) -> tuple[float, float]:
        """Frame pixels per crop pixel, along x and y."""
        return self.width_px / self.size_px[0], self.height_px / self.size_px[1]

    def to_frame(self, box: Box) -> Box:
        """Map a box from crop pixels to frame pixels."""
        sx, sy = self.scale
        x, y, width, height = vars(self._upright(box)).values()
        return Box(self.x_px + x * sx, self.y_px + y * sy, width * sx, height * sy)

    def to_crop(self, box: Box) -> Box:
        """Map a box from frame pixels to crop pixels."""
        sx, sy = self.scale
        x, y = (box.x_px - self.x_px) / sx, (box.y_px - self.y_px) / sy
        return self._upright(Box(x, y, box.width_px / sx, box.height_px / sy))

    def _upright(self, box: Box) -> Box:
        """The box rotated with the crop; doing it twice changes nothing."""
        if not self.turned:
            return box
        x, y = self.size_px[0] - box.right_px, self.size_px[1] - box.bottom_px
        return Box(x, y, box.width_px, box.height_px)


def is_turned(boxes: Mapping[str, Box], orient: Sequence[str] | None) -> bool:
    """Whether a part lies the wrong way round: the second region left of the first.

    `orient` names the two regions, or is None for parts that have no direction. Where one of them
    is not among `boxes`, the part counts as the right way round.
    """
    if orient is None or not all(name in boxes for name in orient):
        return False
    first, second = (boxes[name].x_px + boxes[name].width_px / 2 for name in orient)
    return second < first


def crop_window(
    box: Box, *, size_px: tuple[int, int], margin_fraction: float, turned: bool = False
) -> CropWindow:
    """The window around a region's box: margin added, then grown to the aspect of the crop.

    The scale is the same along x and y up to rounding to whole pixels, so nothing is squashed.
    """
    grown = box.grown(margin_fraction)
    aspect = size_px[0] / size_px[1]
    width = max(grown.width_px, grown.height_px * aspect)
    height = max(grown.height_px, grown.width_px / aspect)
    centre_x = grown.x_px + grown.width_px / 2
    centre_y = grown.y_px + grown.height_px / 2
    return CropWindow(
        x_px=round(centre_x - width / 2),
        y_px=round(centre_y - height / 2),
        width_px=max(1, round(width)),
        height_px=max(1, round(height)),
        size_px=size_px,
        turned=turned,
    )


def cut(frame: Image, window: CropWindow, *, outside: int | None = None) -> Image:
    """Cut the window out of a frame (H, W) or (H, W, 3) and resize it: a uint8 crop.

    What lies outside the frame repeats the frame's edge, or has the value `outside`. Shrinking
    averages areas, so thin defects keep their energy.
    """
    left, right = _inside(window.x_px, window.width_px, frame.shape[1])
    top, bottom = _inside(window.y_px, window.height_px, frame.shape[0])
    x, width = _placed(
        left - window.x_px, right - left, window.width_px, window.size_px[0]
    )
    y, height = _placed(
        top - window.y_px, bottom - top, window.height_px, window.size_px[1]
    )

    # Areas are averaged to shrink, so that a thin scratch does not fall between two samples.
    shrinks = window.width_px >= window.size_px[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    piece = np.asarray(
        cv2.resize(frame[top:bottom, left:right], (width, height), interpolation=how)
    )

    around = (y, window.size_px[1] - y - height, x, window.size_px[0] - x - width)
    if any(around):
        border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
        piece = np.asarray(
            cv2.copyMakeBorder(piece, *around, border, value=outside or 0)
        )

    crop = np.asarray(piece, np.uint8)
    return np.ascontiguousarray(crop[::-1, ::-1]) if window.turned else crop


def _inside(start: int, length: int, limit: int) -> tuple[int, int]:
    """From where to where a stretch lies within 0..limit; the nearest pixel where it does not."""
    first = min(max(0, start), limit - 1)
    return first, max(first + 1, min(limit, start + length))


def _placed(offset: int, length: int, whole: int, size: int) -> tuple[int, int]:
    """Where a stretch of a window lies on a crop of `size` pixels, and how long it is there."""
    start = min(max(0, round(offset * size / whole)), size - 1)
    return start, max(1, min(size, round((offset + length) * size / whole)) - start)


def locator_input(frame: Image, size_px: tuple[int, int]) -> Image:
    """A frame as the locator sees it: grey, (height, width) uint8, stretched to `size_px`."""
    if frame.ndim == 3:
        frame = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
    return np.asarray(cv2.resize(frame, size_px, interpolation=cv2.INTER_AREA))


def box_from_mask(
    probability: Floats, frame_size_px: tuple[int, int]
) -> tuple[Box, float] | None:
    """The box of a region from its probability map (h, w), in pixels of a (width, height) frame.

    The largest connected area of likely cells gives the rough box; its edges are where the profile
    of the area crosses one half, interpolated between cells. Returns the box and its confidence
    (mean probability inside it, 0..1), or None where the region is not to be seen.
    """
    rough = _largest_area((probability > MIN_PROBABILITY).astype(np.uint8))
    if rough is None:
        return None

    x, y, width, height = rough
    columns = probability[y : y + height].mean(axis=0)
    rows = probability[:, x : x + width].mean(axis=1)
    left, right = _half_crossings(columns, x, x + width)
    top, bottom = _half_crossings(rows, y, y + height)

    confidence = float(probability[y : y + height, x : x + width].mean())
    if confidence < MIN_CONFIDENCE:
        return None

    sx = frame_size_px[0] / probability.shape[1]
    sy = frame_size_px[1] / probability.shape[0]
    box = Box.from_edges(left * sx, top * sy, right * sx, bottom * sy)
    return box, confidence


def coverage(
    boxes: list[Box], size: tuple[int, int], frame_size_px: tuple[int, int]
) -> Floats:
    """How much of each cell of a (width, height) grid over the frame the boxes cover, 0..1."""
    covered = np.zeros((size[1], size[0]), np.float32)
    for box in boxes:
        x = _overlap(box.x_px, box.right_px, size[0], frame_size_px[0])
        y = _overlap(box.y_px, box.bottom_px, size[1], frame_size_px[1])
        covered = np.maximum(covered, y[:, None] * x[None, :])
    return covered


def _overlap(start: float, stop: float, cells: int, length: float) -> Floats:
    edges = np.linspace(0, length, cells + 1, dtype=np.float32)
    common = np.minimum(stop, edges[1:]) - np.maximum(start, edges[:-1])
    return np.asarray(np.clip(common * cells / length, 0, 1), np.float32)


def _largest_area(mask: Image) -> tuple[int, int, int, int] | None:
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count < 2:
        return None
    x, y, width, height, cells = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    return (int(x), int(y), int(width), int(height)) if cells >= MIN_CELLS else None


def _half_crossings(profile: Floats, start: int, stop: int) -> tuple[float, float]:
    inside = profile[start:stop]
    half = float(inside.max()) / 2
    above = np.flatnonzero(profile[start:stop] >= half) + start
    first, last = int(above[0]), int(above[-1])
    before = float(profile[first - 1]) if first > 0 else 0.0
    after = float(profile[last + 1]) if last + 1 < len(profile) else 0.0

    # A cell's value stands at its centre, half a cell from its edge.
    left = first + 0.5 - _fraction_above(float(profile[first]), half, before)
    right = last + 0.5 + _fraction_above(float(profile[last]), half, after)

    # A region that reaches the frame's edge ends there: nothing is known beyond.
    edge_left = 0.0 if first == 0 else left
    edge_right = float(len(profile)) if last + 1 == len(profile) else right
    return edge_left, edge_right


def _fraction_above(inner: float, half: float, outer: float) -> float:
    """How far from `inner` to `outer`, in cells, the profile falls to `half`: one at most.

    Where it does not fall to one half between the two, the line through them would put the edge of
    a faint region far outside of the frame.
    """
    return min(1.0, (inner - half) / max(1e-6, inner - outer))
