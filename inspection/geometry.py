"""Boxes and crop windows: where a region lies in a frame, and the way from the crop back to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

# Of probability, between two cells. no outcome: it only keeps a flat profile from dividing by 0.
MIN_FALL = 1e-6


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
        dx = self.width_px * fraction
        dy = self.height_px * fraction
        return Box(
            x_px=self.x_px - dx,
            y_px=self.y_px - dy,
            width_px=self.width_px + 2 * dx,
            height_px=self.height_px + 2 * dy,
        )

    def clipped(self, width_px: int, height_px: int) -> "Box":
        """The part of the box that lies inside an image of the given size."""
        return Box.from_edges(
            left=_within(self.x_px, width_px),
            top=_within(self.y_px, height_px),
            right=_within(self.right_px, width_px),
            bottom=_within(self.bottom_px, height_px),
        )

    def mirrored_into(self, width_px: int, height_px: int) -> "Box":
        """The box, or its mirror image where its middle lies outside an image of the given size."""
        return Box(
            x_px=_mirrored(self.x_px, self.width_px, width_px),
            y_px=_mirrored(self.y_px, self.height_px, height_px),
            width_px=self.width_px,
            height_px=self.height_px,
        )

    def rounded(self) -> dict[str, float]:
        """The box as JSON, in tenths of a pixel."""
        return {
            "x_px": round(float(self.x_px), 1),
            "y_px": round(float(self.y_px), 1),
            "width_px": round(float(self.width_px), 1),
            "height_px": round(float(self.height_px), 1),
        }


def _within(position: float, limit: int) -> float:
    """The position, or the nearer end of 0..limit where it lies beyond."""
    return min(max(0.0, position), float(limit))


def _mirrored(start: float, length: float, limit: int) -> float:
    """Where a stretch starts, or its mirror image at the end of 0..limit that it lies beyond."""
    middle = start + length / 2
    if middle < 0:
        return -start - length
    return 2 * limit - start - length if middle > limit else start


def intersection_over_union(one: Box, other: Box) -> float:
    """Area of the intersection over area of the union, 0..1."""
    shared = Box.from_edges(
        left=max(one.x_px, other.x_px),
        top=max(one.y_px, other.y_px),
        right=min(one.right_px, other.right_px),
        bottom=min(one.bottom_px, other.bottom_px),
    )
    common = shared.area_px
    union = one.area_px + other.area_px - common

    # two boxes without any area have nothing in common
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
        crop_width, crop_height = self.size_px
        return self.width_px / crop_width, self.height_px / crop_height

    def to_frame(self, box: Box) -> Box:
        """Map a box from crop pixels to frame pixels."""
        sx, sy = self.scale
        upright = self._upright(box)
        return Box(
            x_px=self.x_px + upright.x_px * sx,
            y_px=self.y_px + upright.y_px * sy,
            width_px=upright.width_px * sx,
            height_px=upright.height_px * sy,
        )

    def to_crop(self, box: Box) -> Box:
        """Map a box from frame pixels to crop pixels."""
        sx, sy = self.scale
        as_seen = Box(
            x_px=(box.x_px - self.x_px) / sx,
            y_px=(box.y_px - self.y_px) / sy,
            width_px=box.width_px / sx,
            height_px=box.height_px / sy,
        )
        return self._upright(as_seen)

    def _upright(self, box: Box) -> Box:
        """The box rotated with the crop; doing it twice changes nothing."""
        if not self.turned:
            return box

        crop_width, crop_height = self.size_px
        return Box(
            x_px=crop_width - box.right_px,
            y_px=crop_height - box.bottom_px,
            width_px=box.width_px,
            height_px=box.height_px,
        )


def is_turned(boxes: Mapping[str, Box], orient: Sequence[str] | None) -> bool:
    """Whether a part lies the wrong way round: the second region left of the first.

    `orient` names the two regions, or is None for parts that have no direction. Where one of them
    is not among `boxes`, the part counts as the right way round.
    """
    if orient is None or not all(name in boxes for name in orient):
        return False

    first, second = (boxes[name] for name in orient)
    middle_of_first = first.x_px + first.width_px / 2
    middle_of_second = second.x_px + second.width_px / 2
    return middle_of_second < middle_of_first


def crop_window(
    box: Box, *, size_px: tuple[int, int], margin_fraction: float, turned: bool = False
) -> CropWindow:
    """The window around a region's box: margin added, then grown to the aspect of the crop.

    The scale is the same along x and y up to rounding to whole pixels, so nothing is squashed.
    """
    grown = box.grown(margin_fraction)
    aspect = size_px[0] / size_px[1]

    # grown along one side only: the other already has its full length
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


def cut(frame: Image, window: CropWindow) -> Image:
    """Cut the window out of a frame (H, W) or (H, W, 3) and resize it: a uint8 crop.

    What lies outside the frame is the mirror image of what lies inside: a repeated edge would draw
    streaks that look like scratches. Shrinking averages areas, so thin defects keep their energy.
    """
    frame_height, frame_width = frame.shape[:2]
    inside = _inside_frame(window, (frame_width, frame_height))
    seen = frame[inside.frame_rows, inside.frame_columns]

    # Areas are averaged to shrink, so that a thin scratch does not fall between two samples.
    shrinks = window.width_px >= window.size_px[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(seen, (inside.width, inside.height), interpolation=how)
    piece = np.asarray(resized, np.uint8)

    crop = inside.mirrored(piece)
    return np.ascontiguousarray(crop[::-1, ::-1]) if window.turned else crop


def mirrored_outside(
    values: Image, window: CropWindow, frame_size_px: tuple[int, int]
) -> Image:
    """Values (h, w) over a crop; outside of the (width, height) frame those inside, mirrored.

    So what is known of a place is known of its mirror image in the crop, too (see `cut`).
    """
    upright = values[::-1, ::-1] if window.turned else values
    cells = replace(window, size_px=(values.shape[1], values.shape[0]), turned=False)
    inside = _inside_frame(cells, frame_size_px)
    mirrored = inside.mirrored(upright[inside.rows, inside.columns])
    return np.ascontiguousarray(mirrored[::-1, ::-1] if window.turned else mirrored)


@dataclass(frozen=True)
class _Inside:
    """The stretch of an upright crop (width, height) `size_px` that shows the inside of a frame,
    and the rows and columns of the frame that it shows."""

    frame_rows: slice
    frame_columns: slice
    x: int
    y: int
    width: int
    height: int
    size_px: tuple[int, int]

    @property
    def rows(self) -> slice:
        return slice(self.y, self.y + self.height)

    @property
    def columns(self) -> slice:
        return slice(self.x, self.x + self.width)

    def mirrored(self, piece: Image) -> Image:
        """The whole crop: the piece that lies inside, and its mirror images around it."""
        below = self.size_px[1] - self.y - self.height
        beside = self.size_px[0] - self.x - self.width
        around = (self.y, below, self.x, beside)
        if not any(around):
            return piece

        bordered = cv2.copyMakeBorder(piece, *around, cv2.BORDER_REFLECT)
        return np.asarray(bordered, np.uint8)


def _inside_frame(window: CropWindow, frame_size_px: tuple[int, int]) -> _Inside:
    """Which stretch of the upright crop shows the inside of the (width, height) frame."""
    left, right = _inside(window.x_px, window.width_px, frame_size_px[0])
    top, bottom = _inside(window.y_px, window.height_px, frame_size_px[1])
    crop_width, crop_height = window.size_px

    x, width = _placed(left - window.x_px, right - left, window.width_px, crop_width)
    y, height = _placed(top - window.y_px, bottom - top, window.height_px, crop_height)
    return _Inside(
        frame_rows=slice(top, bottom),
        frame_columns=slice(left, right),
        x=x,
        y=y,
        width=width,
        height=height,
        size_px=window.size_px,
    )


def _inside(start: int, length: int, limit: int) -> tuple[int, int]:
    """From where to where a stretch lies within 0..limit; the nearest pixel where it does not."""
    first = min(max(0, start), limit - 1)
    end = min(limit, start + length)
    return first, max(first + 1, end)


def _placed(offset: int, length: int, whole: int, size: int) -> tuple[int, int]:
    """Where a stretch of a window lies on a crop of `size` pixels, and how long it is there."""
    first = round(offset * size / whole)
    last = round((offset + length) * size / whole)

    # a pixel at least: a window that hardly meets the frame still shows its edge
    start = min(max(0, first), size - 1)
    end = min(size, last)
    return start, max(1, end - start)


def locator_input(frame: Image, size_px: tuple[int, int]) -> Image:
    """A frame as the locator sees it: grey, (height, width) uint8, stretched to `size_px`."""
    if frame.ndim == 3:
        frame = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
    small = cv2.resize(frame, size_px, interpolation=cv2.INTER_AREA)
    return np.asarray(small)


def box_from_mask(
    probability: Floats, frame_size_px: tuple[int, int]
) -> tuple[Box, float] | None:
    """The box of a region from its probability map (h, w), in pixels of a (width, height) frame.

    The largest connected area of likely cells gives the rough box; its edges are where the profile
    of the area crosses one half, interpolated between cells. Returns the box and its confidence
    (mean probability inside it, 0..1), or None where the region is not to be seen.
    """
    likely = (probability > MIN_PROBABILITY).astype(np.uint8)
    rough = _largest_area(likely)
    if rough is None:
        return None

    x, y, width, height = rough
    inside = probability[y : y + height, x : x + width]
    confidence = float(inside.mean())
    if confidence < MIN_CONFIDENCE:
        return None

    by_column = probability[y : y + height].mean(axis=0)
    by_row = probability[:, x : x + width].mean(axis=1)
    left, right = _half_crossings(by_column, x, x + width)
    top, bottom = _half_crossings(by_row, y, y + height)

    n_rows, n_columns = probability.shape
    frame_width, frame_height = frame_size_px
    sx = frame_width / n_columns
    sy = frame_height / n_rows
    box = Box.from_edges(left * sx, top * sy, right * sx, bottom * sy)
    return box, confidence


def coverage(
    boxes: list[Box], size: tuple[int, int], frame_size_px: tuple[int, int]
) -> Floats:
    """How much of each cell of a (width, height) grid over the frame the boxes cover, 0..1."""
    n_columns, n_rows = size
    frame_width, frame_height = frame_size_px
    covered = np.zeros((n_rows, n_columns), np.float32)

    for box in boxes:
        of_columns = _overlap(box.x_px, box.right_px, n_columns, frame_width)
        of_rows = _overlap(box.y_px, box.bottom_px, n_rows, frame_height)
        of_cells = of_rows[:, None] * of_columns[None, :]
        covered = np.maximum(covered, of_cells)
    return covered


def _overlap(start: float, stop: float, cells: int, length: float) -> Floats:
    """The share 0..1 of each of so many cells on a length that lies between start and stop."""
    edges = np.linspace(0, length, cells + 1, dtype=np.float32)
    first = np.maximum(start, edges[:-1])
    last = np.minimum(stop, edges[1:])
    share = (last - first) * cells / length
    return np.asarray(np.clip(share, 0, 1), np.float32)


def _largest_area(mask: Image) -> tuple[int, int, int, int] | None:
    """Left, top, width and height of the largest connected area; None where all are specks."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count < 2:  # the first area is the background
        return None

    sizes = stats[1:, cv2.CC_STAT_AREA]
    largest = stats[1 + int(np.argmax(sizes))]
    x, y, width, height, n_cells = (int(value) for value in largest)
    return (x, y, width, height) if n_cells >= MIN_CELLS else None


def _half_crossings(profile: Floats, start: int, stop: int) -> tuple[float, float]:
    """Where the profile rises above half of its peak within start..stop, and falls below it."""
    inside = profile[start:stop]
    half = float(inside.max()) / 2
    above = np.flatnonzero(inside >= half) + start
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
    falls_by = max(MIN_FALL, inner - outer)
    return min(1.0, (inner - half) / falls_by)
