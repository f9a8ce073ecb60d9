"""Heat on an absolute scale, and the boxes around what is hot."""

from typing import Any

import cv2
import numpy as np

from inspection.geometry import Box, Floats, Image

GRID_PX = 4
MIN_HOT_CELLS = 3


def scaled(raw: Any, cold: float, hot: float) -> Floats:
    """Raw heat on the absolute scale, 0 (as cold as normal parts) to 1."""
    return np.asarray(
        np.clip((np.asarray(raw) - cold) / max(1e-9, hot - cold), 0, 1), np.float32
    )


def resized(heat: Floats, size_px: tuple[int, int]) -> Floats:
    """A heatmap (h, w) spread over (width, height) pixels, bilinear."""
    return np.asarray(
        cv2.resize(heat, size_px, interpolation=cv2.INTER_LINEAR), np.float32
    )


def hot_boxes(
    heat: Floats, size_px: tuple[int, int], threshold: float
) -> list[tuple[Box, float]]:
    """A box around each connected hot area, in crop pixels, with its peak heat; hottest first.

    `heat` is (h, w), 0..1, over a crop of (width, height) `size_px`. Several areas give several
    boxes; areas of less than three 4 x 4 px cells are dropped.
    """
    grid = resized(heat, (size_px[0] // GRID_PX, size_px[1] // GRID_PX))
    count, places, stats, _ = cv2.connectedComponentsWithStats(
        (grid >= threshold).astype(np.uint8)
    )
    found = []
    for area in range(1, count):
        x, y, width, height, cells = (int(value) for value in stats[area])
        if cells >= MIN_HOT_CELLS:
            box = Box(*(float(GRID_PX * value) for value in (x, y, width, height)))
            found.append((box, float(grid[places == area].max())))
    return sorted(found, key=lambda pair: -pair[1])


def overlay(crop: Image, heat: Floats) -> Image:
    """The crop (H, W, 1 or 3) with heat laid over it: (H, W, 3) RGB; what is cold stays grey."""
    base = np.repeat(crop, 3, axis=2) if crop.shape[2] == 1 else crop
    full = resized(heat, (crop.shape[1], crop.shape[0]))[:, :, None]
    colours = cv2.applyColorMap(
        (full[:, :, 0] * 255).astype(np.uint8), cv2.COLORMAP_INFERNO
    )
    rgb = np.asarray(colours)[:, :, ::-1]
    strength = 0.65 * np.sqrt(full)
    return np.asarray(base * (1 - strength) + rgb * strength).astype(np.uint8)
