"""Some crops of a region as a picture, what lies outside its outline and no model sees in red."""

from collections.abc import Sequence

import cv2
import numpy as np

from inspection.geometry import Image

# no outcome: a picture of three rows, wide enough for a screen
N_COLUMNS = 4
N_CROPS = 12
GAP_PX = 4

# How much of what no model sees is covered by red: it still is to be told what lies there.
RED = 0.5


def crop_sheet(crops: Sequence[Image], inside: Image) -> Image:
    """Crops (H, W) or (H, W, 3) uint8, RGB, of one region side by side: a picture (h, w, 3), RGB.

    `inside` (H, W), 1 or 0, is where models look. Crops are those of before the rest was painted.
    """
    tiles = [_tile(crop, inside) for crop in crops]
    while len(tiles) % N_COLUMNS:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [
        np.concatenate(tiles[start : start + N_COLUMNS], axis=1)
        for start in range(0, len(tiles), N_COLUMNS)
    ]
    return np.concatenate(rows)


def _tile(crop: Image, inside: Image) -> Image:
    """One crop in colour, with a gap to the right and below."""
    colour = crop if crop.ndim == 3 else np.stack([crop] * 3, axis=2)
    red = colour * (1 - RED) + np.array([255.0, 0.0, 0.0]) * RED
    shown = np.where(inside[:, :, None] > 0, colour, red).astype(np.uint8)
    return np.asarray(
        cv2.copyMakeBorder(shown, 0, GAP_PX, 0, GAP_PX, cv2.BORDER_CONSTANT)
    )
