"""Drawn crops: a textured normal part, or one with a bright or dark square at a known place."""

from typing import Any

import numpy as np
import pandas as pd

from inspection.geometry import CropWindow, Image
from inspection.models.crops import Crops, window_columns

CLASSES = ("normal", "bright", "dark")
SIZE_PX = (64, 32)
SQUARE_PX = 8
CELL_PX = 4
# The section `line` of a project of these crops.
LINE = {
    "name": "squares",
    "normal": "normal",
    "classes": {"normal": {}, "bright": {}, "dark": {}},
    "regions": {
        "part": {"size_px": list(SIZE_PX), "whole_frame": True, "shows": ["bright", "dark"]}
    },
    "classify": "part",
    "detect_anomalies": "part",
}
GREYS = {"bright": 250, "dark": 5}


def draw_crop(label: str, seed: int) -> tuple[Image, Image]:
    """A crop (32, 64, 1) and the cells (8, 16), 0 or 255, that its square covers."""
    generator = np.random.default_rng(seed)
    width, height = SIZE_PX
    crop = generator.integers(90, 150, (height, width, 1)).astype(np.uint8)
    target = np.zeros((height // CELL_PX, width // CELL_PX), np.uint8)
    if label in GREYS:
        x, y = (CELL_PX * int(generator.integers(1, length // CELL_PX - 2)) for length in SIZE_PX)
        crop[y : y + SQUARE_PX, x : x + SQUARE_PX] = GREYS[label]
        cells = SQUARE_PX // CELL_PX
        target[y // CELL_PX :, x // CELL_PX :][:cells, :cells] = 255
    return crop, target


def draw_crops(
    n_parts: int, *, classes: tuple[str, ...] = CLASSES, fold: str = "train", seed: int = 0
) -> Crops:
    """Two views each of `n_parts` parts of every class, all of one fold."""
    images, targets, rows = [], [], []
    for number in range(2 * n_parts * len(classes)):
        label = classes[number // 2 % len(classes)]
        image, target = draw_crop(label, 1000 * seed + number)
        images.append(image)
        targets.append(target)
        rows.append(_row(f"{fold}{seed}-{number // 2}", number, label, fold))
    return Crops(np.stack(images), np.stack(targets), pd.DataFrame(rows))


def joined(*several: Crops) -> Crops:
    """Crops one after the other, as one table."""
    return Crops(
        np.concatenate([crops.images for crops in several]),
        np.concatenate([crops.targets for crops in several]),
        pd.concat([crops.index for crops in several], ignore_index=True),
    )


def _row(part_id: str, number: int, label: str, fold: str) -> dict[str, Any]:
    window = CropWindow(0, 0, *SIZE_PX, size_px=SIZE_PX)
    return {
        "view_id": f"{part_id}-{number % 2}",
        "path": f"images/{part_id}-{number % 2}.png",
        "part_id": part_id,
        "fold": fold,
        "cv_fold": {"val": 0, "test": -1, "unseen": -1}.get(fold, 1 + number // 2 % 4),
        "label": label,
        "part_label": label,
        "framed_by": "frame",
        "confidence": 1.0,
        "target": "normal" if label == CLASSES[0] else "box",
        **window_columns(window),
    }
