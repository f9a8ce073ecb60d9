"""Defects pasted onto normal crops: the same defect on another part teaches what is local to it."""

from typing import Any

import cv2
import numpy as np

from inspection.geometry import Image

# Sigma of the soft edge, in crop pixels. About 3: at 1 the seam itself is a defect that the
# classifier learns, at 6 a dent of a few pixels fades into the ground.
FEATHER_PX = 3

# Of the crop's width and height. Defects may occur anywhere on the part, but a region is framed to
# within some percent, and a shift of half a crop would put a knurl's defect onto the plain shaft.
MAX_SHIFT_FRACTION = 0.15

# Side of the square by which the cells of the defect are grown, in crop pixels: two on each side,
# since labels are drawn close and a dent's rim lies just outside.
GROWN_PX = 5

# Side of the square that reaches the ring around the defect whose brightness is compared, in crop
# pixels: 12 on each side, wide enough to average the texture, too narrow to reach another region.
RING_PX = 25


def paste(
    defect: Image, target: Image, background: Image, generator: np.random.Generator
) -> tuple[Image, Image]:
    """A normal crop with another crop's defect blended in, and where it is now.

    `defect` and `background` are (H, W, C) uint8, `target` (H / 4, W / 4) uint8 the cells that the
    defect covers. The defect is shifted by a part of the crop, its brightness moved to that
    of the place it covers, its edge feathered.
    """
    dx, dy = _shift(target, generator)
    moved, cells = _moved(defect, target, dx, dy)
    height, width = background.shape[:2]
    mask = cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST)
    mask = cv2.dilate(mask, np.ones((GROWN_PX, GROWN_PX), np.uint8))
    alpha = cv2.GaussianBlur(mask.astype(np.float32) / 255.0, (0, 0), FEATHER_PX)[
        :, :, None
    ]
    ring = (cv2.dilate(mask, np.ones((RING_PX, RING_PX), np.uint8)) > 0) & (mask == 0)
    offset = _mean(background, ring) - _mean(moved, ring)
    blended = background * (1 - alpha) + (moved + offset) * alpha
    return np.clip(blended, 0, 255).astype(np.uint8), cells


def _shift(target: Image, generator: np.random.Generator) -> tuple[int, int]:
    """A shift in cells that keeps the defect inside the crop."""
    height, width = target.shape
    rows, columns = (
        np.flatnonzero(target.any(axis=1)),
        np.flatnonzero(target.any(axis=0)),
    )
    reach_x, reach_y = int(MAX_SHIFT_FRACTION * width), int(MAX_SHIFT_FRACTION * height)
    left, right = (
        min(reach_x, int(columns[0])),
        min(reach_x, width - 1 - int(columns[-1])),
    )
    up, down = min(reach_y, int(rows[0])), min(reach_y, height - 1 - int(rows[-1]))
    return int(generator.integers(-left, right + 1)), int(
        generator.integers(-up, down + 1)
    )


def _moved(crop: Image, target: Image, dx: int, dy: int) -> tuple[Image, Image]:
    """Crop and target shifted by whole cells; what comes from outside wraps, and is not blended."""
    cell = crop.shape[0] // target.shape[0]
    moved = np.roll(crop, (dy * cell, dx * cell), axis=(0, 1))
    return moved, np.roll(np.asarray(target), (dy, dx), axis=(0, 1))


def _mean(image: Image, where: Any) -> float:
    return float(image[where].mean()) if where.any() else 0.0
