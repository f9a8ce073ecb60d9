"""Heat on an absolute scale, and the boxes around what is hot."""

from typing import Any

import cv2
import numpy as np

from inspection.geometry import Box, Floats, Image

# Crop pixels a side of a cell on which heat is boxed. The labelled places that the box
# threshold is chosen by lie on the same grid, and the heat itself is seldom finer.
GRID_PX = 4
# Cells (3 of 4 x 4 px) that an area must have to be boxed: one or two are as often a
# ripple of the interpolation as a place.
MIN_HOT_CELLS = 3
# Raw heat between cold and hot, at least; only a scale without any range falls below it.
# no outcome: what it divides is then far above or below anyhow.
MIN_RANGE = 1e-9
# How much of the crop the hottest colour hides: the defect beneath stays visible.
MAX_OPACITY = 0.65


def scaled(raw: Any, cold: float, hot: float) -> Floats:
    """Raw heat on the absolute scale, 0 (as cold as normal parts) to 1."""
    above_cold = np.asarray(raw) - cold
    relative = above_cold / max(MIN_RANGE, hot - cold)
    return np.asarray(np.clip(relative, 0, 1), np.float32)


def resized(heat: Floats, size_px: tuple[int, int]) -> Floats:
    """A heatmap (h, w) spread over (width, height) pixels, bilinear."""
    spread = cv2.resize(heat, size_px, interpolation=cv2.INTER_LINEAR)
    return np.asarray(spread, np.float32)


def hot_boxes(
    heat: Floats, size_px: tuple[int, int], threshold: float
) -> list[tuple[Box, float]]:
    """A box around each connected hot area, in crop pixels, with its peak heat; hottest first.

    `heat` is (h, w), 0..1, over a crop of (width, height) `size_px`. Several areas give several
    boxes; areas of less than three 4 x 4 px cells are dropped.
    """
    width_px, height_px = size_px
    grid = resized(heat, (width_px // GRID_PX, height_px // GRID_PX))
    hot = (grid >= threshold).astype(np.uint8)
    count, areas, stats, _ = cv2.connectedComponentsWithStats(hot)

    found = []
    for area in range(1, count):
        x, y, width, height, cells = (int(value) for value in stats[area])
        if cells < MIN_HOT_CELLS:
            continue

        box = Box(
            x_px=float(GRID_PX * x),
            y_px=float(GRID_PX * y),
            width_px=float(GRID_PX * width),
            height_px=float(GRID_PX * height),
        )
        peak = float(grid[areas == area].max())
        found.append((box, peak))
    return sorted(found, key=lambda pair: -pair[1])


def overlay(crop: Image, heat: Floats) -> Image:
    """The crop (H, W, 1 or 3) with heat laid over it: (H, W, 3) RGB; what is cold stays grey."""
    height, width, n_channels = crop.shape
    base = np.repeat(crop, 3, axis=2) if n_channels == 1 else crop
    full = resized(heat, (width, height))

    levels = (full * 255).astype(np.uint8)
    colours = np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO))
    rgb = colours[:, :, ::-1]

    # the root: a little heat is seen, and the hottest still shows what lies beneath
    opacity = MAX_OPACITY * np.sqrt(full)[:, :, None]
    mixed = base * (1 - opacity) + rgb * opacity
    return np.asarray(mixed).astype(np.uint8)
