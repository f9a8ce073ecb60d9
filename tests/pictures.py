"""Small drawn pictures and data folders: a part on black, and a defect at a known place."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

SIZE_PX = (64, 48)
DEFECT_PX = (24, 14, 16, 12)  # x, y, width, height


def part(seed: int, *, defect: bool = False) -> np.ndarray:
    """A grey frame, uint8 (48, 64): a textured part on black, bright where the defect is."""
    rng = np.random.default_rng(seed)
    frame = np.zeros(SIZE_PX[::-1], np.uint8)
    frame[8:40, 8:56] = rng.integers(60, 140, (32, 48))
    if defect:
        x, y, width, height = DEFECT_PX
        frame[y : y + height, x : x + width] = 250
    return frame


def encoded(pixels: np.ndarray, suffix: str = ".png") -> bytes:
    """The file of these pixels (colour is BGR, as cv2 has it)."""
    return cv2.imencode(suffix, pixels)[1].tobytes()


def put(path: Path, pixels: np.ndarray) -> Path:
    """Write an image file, folders included; the suffix says which kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(pixels, path.suffix.lower()))
    return path


def flat_line(folder: Path, *, classes: Sequence[str], n_parts: int = 4, n_views: int = 2) -> Path:
    """Images named `C0_<part>_<class>_<view>.png`; all classes but the first show the defect."""
    number = 0
    for label in classes:
        for _ in range(n_parts):
            for view in range(n_views):
                frame = part(10 * number + view, defect=label != classes[0])
                put(folder / "images" / f"C0_{number:03d}_{label}_{view}.png", frame)
            number += 1
    return folder


def coco(path: Path, boxes: Mapping[str, Sequence[tuple[str, Sequence[float]]]]) -> Path:
    """A COCO file of boxes (category, [x, y, width, height]) by file name."""
    names = sorted({category for some in boxes.values() for category, _ in some})
    images = [{"id": i, "file_name": name} for i, name in enumerate(boxes, 1)]
    annotations = [
        {"id": 0, "image_id": i, "category_id": names.index(category) + 1, "bbox": list(edges)}
        for i, some in enumerate(boxes.values(), 1)
        for category, edges in some
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(names, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
