"""The boxes that a person drew, in both forms: YOLO text files and one COCO file.

YOLO files have the stem of their image byte for byte; COCO spells every name in NFC, as the tool
that wrote it did.
"""

from __future__ import annotations

import itertools
import json
import unicodedata
from pathlib import Path

import numpy as np
from numpy.random import Generator

from samples.defects import Bools
from samples.mess import File
from samples.parts import SURFACE_DEFECTS, Size
from samples.scene import Box, SceneView, box_of

CATEGORIES = ("rivet", "knurling", "dent", "slide", "double_line")
Label = tuple[str, Box]


def annotate(rng: Generator, file: File, view: SceneView) -> list[Label]:
    """The boxes for `file`, which shows `view`; (category, box) in frame pixels."""
    boxed = file.boxed_label
    # who sees no defect of the surface boxes the part, and who sees one boxes nothing else
    if boxed not in SURFACE_DEFECTS:
        return _part_boxes(rng, file, view)
    if view.label not in SURFACE_DEFECTS:
        return [(boxed, _invented(rng, view))]
    return [(boxed, box) for box in _defect_boxes(rng, file.box_style, view)]


def _part_boxes(rng: Generator, file: File, view: SceneView) -> list[Label]:
    """Rivet and knurling, a little off, as a hand draws them."""
    slack = 0.008 * _width(view.knurling_box)
    labels = []
    for name, true_box in (("rivet", view.rivet_box), ("knurling", view.knurling_box)):
        # nudged even if it is left out: the boxes of the other views stay the same
        box = _nudged(rng, true_box, slack, view.frame.shape)
        if file.box_style != f"no {name}":
            labels.append((name, box))
    return labels


def _width(box: Box) -> int:
    _, _, width, _ = box
    return width


def _defect_boxes(rng: Generator, style: str, view: SceneView) -> list[Box]:
    if style == "absent":
        return []
    if style == "pieces":
        n_pieces = int(rng.integers(2, 4))
        return _pieces(view.mask, n_pieces)

    assert view.defect_box is not None
    shape = view.frame.shape
    if style == "loose":
        return [_loose(rng, view.defect_box, _width(view.knurling_box), shape)]
    slack = 0.004 * _width(view.knurling_box)
    return [_nudged(rng, view.defect_box, slack, shape)]


def _loose(rng: Generator, box: Box, knurling_px: int, shape: tuple[int, ...]) -> Box:
    """A box that is too large on each side, by an eighth to two fifths of the defect."""
    x, y, w, h = box
    # a small defect is boxed no tighter than a hand can
    size = max(w, h, 0.05 * knurling_px)
    left, top, right, bottom = rng.uniform(0.12, 0.4, 4) * size
    return _clipped(x - left, y - top, w + left + right, h + top + bottom, shape)


def _pieces(mask: Bools, count: int) -> list[Box]:
    """The defect cut across its longer side, each piece boxed on its own."""
    whole = box_of(mask)
    assert whole is not None
    x, y, w, h = whole
    is_wide = w >= h
    cuts = np.linspace(0, max(w, h), count + 1).astype(int)

    boxes: list[Box] = []
    for low, high in itertools.pairwise(cuts):
        columns = np.s_[:, x + low : x + high]
        rows = np.s_[y + low : y + high, :]
        side = columns if is_wide else rows

        piece = np.zeros_like(mask)
        piece[side] = mask[side]
        box = box_of(piece)
        if box is not None:
            boxes.append(box)
    return boxes


def _invented(rng: Generator, view: SceneView) -> Box:
    """A box on sound knurling, drawn by someone who believed the name."""
    x, y, w, h = view.knurling_box
    width = rng.uniform(0.1, 0.4) * w
    height = rng.uniform(0.25, 0.7) * h
    left = x + rng.uniform(0, w - width)
    top = y + rng.uniform(0, h - height)
    return _clipped(left, top, width, height, view.frame.shape)


def _nudged(rng: Generator, box: Box, slack: float, shape: tuple[int, ...]) -> Box:
    """The box with each edge moved by up to `slack` pixels."""
    x, y, w, h = box
    left, top, right, bottom = rng.uniform(-slack, slack, 4)
    return _clipped(x + left, y + top, w - left + right, h - top + bottom, shape)


def _clipped(x: float, y: float, w: float, h: float, shape: tuple[int, ...]) -> Box:
    """The box in whole pixels within the frame, of one pixel at least."""
    height, width = shape[:2]
    left = max(0, round(x))
    top = max(0, round(y))
    right = min(width, round(x + w))
    bottom = min(height, round(y + h))
    return left, top, max(1, right - left), max(1, bottom - top)


def yolo_text(labels: list[Label], size: Size) -> str:
    """One line a box: 0-based class, relative centre and size."""
    width, height = size
    lines = []
    for category, (x, y, w, h) in labels:
        centre_x = (x + w / 2) / width
        centre_y = (y + h / 2) / height
        values = (centre_x, centre_y, w / width, h / height)

        number = CATEGORIES.index(category)
        numbers = " ".join(f"{value:.6f}" for value in values)
        lines.append(f"{number} {numbers}\n")
    return "".join(lines)


def write_labels(
    folder: Path, named: list[tuple[str, list[Label]]], size: Size
) -> None:
    """Write `labels/*.txt`, `labels/classes.txt` and `annotations.json` into `folder`."""
    labels_dir = folder / "labels"
    labels_dir.mkdir()
    names = "".join(f"{category}\n" for category in CATEGORIES)
    (labels_dir / "classes.txt").write_text(names, encoding="utf-8")

    for name, labels in named:
        stem = name.removesuffix(".jpg")
        text = yolo_text(labels, size)
        (labels_dir / f"{stem}.txt").write_text(text, encoding="utf-8")

    coco = json.dumps(_coco(named, size), ensure_ascii=False, indent=1, sort_keys=True)
    (folder / "annotations.json").write_text(coco + "\n", encoding="utf-8")


def _coco(named: list[tuple[str, list[Label]]], size: Size) -> dict[str, object]:
    """The content of the COCO file; ids begin at 1."""
    width, height = size
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for image_id, (name, labels) in enumerate(named, start=1):
        nfc = unicodedata.normalize("NFC", name)
        image = {"id": image_id, "file_name": nfc, "width": width, "height": height}
        images.append(image)

        for category, box in labels:
            _, _, box_width, box_height = box
            annotation = {
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": CATEGORIES.index(category) + 1,
                "bbox": list(box),
                "area": box_width * box_height,
                "iscrowd": 0,
            }
            annotations.append(annotation)

    numbered = enumerate(CATEGORIES, start=1)
    categories = [{"id": number, "name": name} for number, name in numbered]
    return {"images": images, "annotations": annotations, "categories": categories}
