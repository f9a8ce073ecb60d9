"""From the boxes of a part's regions to its crops: one way, for training and for service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from inspection.geometry import (
    Box,
    CropWindow,
    Floats,
    Image,
    box_from_mask,
    crop_window,
    cut,
    is_turned,
)
from inspection.line import Region

# no outcome: corners of an outline are placed to a sixteenth of a pixel
SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Located:
    """The box of a region in frame pixels, and the locator's confidence in it, 0..1."""

    box: Box
    confidence: float


def whole_frame(frame_size_px: tuple[int, int]) -> Box:
    """The box of a region that is the (width, height) frame itself."""
    width, height = frame_size_px
    return Box(0.0, 0.0, float(width), float(height))


def find_regions(
    maps: Mapping[str, Floats], frame_size_px: tuple[int, int]
) -> dict[str, Located]:
    """Where the locator's maps (h, w), 0..1, show each region, in frame pixels.

    A region that is not to be seen in its map is missing.
    """
    located = {}
    for region, probability in maps.items():
        found = box_from_mask(probability, frame_size_px)
        if found is not None:
            located[region] = Located(*found)

    return located


def crop_windows(
    boxes: Mapping[str, Box],
    frame_size_px: tuple[int, int],
    *,
    regions: Mapping[str, Region],
    orient: Sequence[str] | None,
) -> dict[str, CropWindow]:
    """The window of each region that has a box or is the whole (width, height) frame.

    The windows of a view are turned all or none: the part lies one way in it (see `is_turned`).
    """
    placed = dict(boxes)
    for name, region in regions.items():
        if region.whole_frame:
            placed[name] = whole_frame(frame_size_px)

    turned = is_turned(placed, orient)
    windows = {}
    for name, region in regions.items():
        if name in placed:
            windows[name] = crop_window(
                placed[name],
                size_px=region.size_px,
                margin_fraction=region.margin_fraction,
                turned=turned,
            )

    return windows


def cut_crops(
    frame: Image, windows: Mapping[str, CropWindow], regions: Mapping[str, Region]
) -> dict[str, Image]:
    """The crops (H, W, C) uint8 that the windows cut out of a frame (H, W) or (H, W, 3).

    What lies outside of a region's outline is black.
    """
    crops = {}
    for name, window in windows.items():
        crop = cut(frame, window)
        # A grey crop gets its channel axis, so that models see one layout for grey and colour.
        with_channels = crop.reshape(*crop.shape[:2], -1)
        if regions[name].outline is not None:
            with_channels = with_channels * inside_outline(regions[name])[:, :, None]
        crops[name] = with_channels

    return crops


@cache
def inside_outline(region: Region) -> Image:
    """Which pixels of a region's crop (H, W) lie inside its outline: uint8, 1 or 0."""
    width, height = region.size_px
    if region.outline is None:
        return np.ones((height, width), np.uint8)

    # Pixel numbers are of pixel centres, which lie half a pixel off the edge of the crop.
    corners = np.array(region.outline) * (width, height) - 0.5
    finer = np.round(corners * 2**SUBPIXEL_BITS).astype(np.int32)
    inside = np.zeros((height, width), np.uint8)
    return np.asarray(cv2.fillPoly(inside, [finer], 1, shift=SUBPIXEL_BITS))
