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
# By how much a hand misses each edge at most, as a share of the knurling's width: about 2 px of
# the 300 that the knurling has at the reference size.
PART_SLACK = 0.008
# Half as much at a defect, which is smaller than the part.
DEFECT_SLACK = 0.004
# How far a loose box stands off on each side, as a share of the defect's longer side.
LOOSE_MARGINS = (0.12, 0.4)
# A defect counts as no smaller than this share of the knurling's width when its box is loose: a
# small one is boxed no tighter than a hand can.
MIN_LOOSE_SIZE = 0.05
# (category, box) in frame pixels.
Label = tuple[str, Box]


def annotate(rng: Generator, file: File, view: SceneView) -> list[Label]:
    """The boxes for `file`, which shows `view`; (category, box) in frame pixels."""
    boxed = file.boxed_label
    # who sees no defect of the surface boxes the part, and who sees one boxes nothing else
    if boxed not in SURFACE_DEFECTS:
        return _part_boxes(rng, file, view)

    if view.label not in SURFACE_DEFECTS:
        invented = _invented(rng, view)
        return [(boxed, invented)]

    boxes = _defect_boxes(rng, file.box_style, view)
    return [(boxed, box) for box in boxes]


def _part_boxes(rng: Generator, file: File, view: SceneView) -> list[Label]:
    """Rivet and knurling, a little off, as a hand draws them."""
    slack = PART_SLACK * _width(view.knurling_box)
    shape = view.frame.shape
    true_boxes = {
        "rivet": view.rivet_box,
        "knurling": view.knurling_box,
    }

    labels = []
    for name, true_box in true_boxes.items():
        # nudged even if it is left out: the boxes of the other views stay the same
        box = _nudged(rng, true_box, slack, shape)
        is_left_out = file.box_style == f"no {name}"
        if not is_left_out:
            labels.append((name, box))
    return labels


def _width(box: Box) -> int:
    _, _, width, _ = box
    return width


def _defect_boxes(rng: Generator, style: str, view: SceneView) -> list[Box]:
    """The boxes of a defect that is there, in one of the styles of `mess.BOX_STYLES`."""
    true_box = view.defect_box
    # a part seen from behind does not show its defect
    if style == "absent" or true_box is None:
        return []
    if style == "pieces":
        # two or three
        n_pieces = int(rng.integers(2, 4))
        return _pieces(view.mask, n_pieces)

    shape = view.frame.shape
    knurling_px = _width(view.knurling_box)
    if style == "loose":
        loose = _loose(rng, true_box, knurling_px, shape)
        return [loose]

    slack = DEFECT_SLACK * knurling_px
    tight = _nudged(rng, true_box, slack, shape)
    return [tight]


def _loose(
    rng: Generator,
    box: Box,
    knurling_px: int,
    shape: tuple[int, ...],
) -> Box:
    """A box that is too large on each side, by an eighth to two fifths of the defect."""
    x, y, w, h = box
    size = max(w, h, MIN_LOOSE_SIZE * knurling_px)
    shares = rng.uniform(*LOOSE_MARGINS, 4)
    left, top, right, bottom = shares * size
    return _clipped(
        x - left,
        y - top,
        w + left + right,
        h + top + bottom,
        shape,
    )


def _pieces(mask: Bools, count: int) -> list[Box]:
    """The defect cut across its longer side, each piece boxed on its own."""
    whole = box_of(mask)
    assert whole is not None
    x, y, w, h = whole
    is_wide = w >= h
    longer = max(w, h)
    cuts = np.linspace(0, longer, count + 1).astype(int)

    boxes: list[Box] = []
    for low, high in itertools.pairwise(cuts):
        columns = np.s_[:, x + low : x + high]
        rows = np.s_[y + low : y + high, :]
        side = columns if is_wide else rows

        piece = np.zeros_like(mask)
        piece[side] = mask[side]
        box = box_of(piece)
        # of a defect of several spots, a piece may hold none
        if box is not None:
            boxes.append(box)
    return boxes


def _invented(rng: Generator, view: SceneView) -> Box:
    """A box on sound knurling, drawn by someone who believed the name."""
    x, y, w, h = view.knurling_box
    # smaller than the knurling in both directions, so that it can lie anywhere on it
    width = rng.uniform(0.1, 0.4) * w
    height = rng.uniform(0.25, 0.7) * h

    left = x + rng.uniform(0, w - width)
    top = y + rng.uniform(0, h - height)
    return _clipped(left, top, width, height, view.frame.shape)


def _nudged(
    rng: Generator,
    box: Box,
    slack: float,
    shape: tuple[int, ...],
) -> Box:
    """The box with each edge moved by up to `slack` pixels."""
    x, y, w, h = box
    left, top, right, bottom = rng.uniform(-slack, slack, 4)
    return _clipped(
        x + left,
        y + top,
        w - left + right,
        h - top + bottom,
        shape,
    )


def _clipped(
    x: float,
    y: float,
    w: float,
    h: float,
    shape: tuple[int, ...],
) -> Box:
    """The box in whole pixels within the frame, of one pixel at least."""
    frame_height, frame_width = shape[:2]
    left = max(0, round(x))
    top = max(0, round(y))
    right = min(frame_width, round(x + w))
    bottom = min(frame_height, round(y + h))

    width = max(1, right - left)
    height = max(1, bottom - top)
    return left, top, width, height


def yolo_text(labels: list[Label], size: Size) -> str:
    """One line a box: 0-based class, relative centre and size."""
    lines = []
    for category, box in labels:
        number = CATEGORIES.index(category)
        values = _relative(box, size)
        numbers = " ".join(f"{value:.6f}" for value in values)
        lines.append(f"{number} {numbers}\n")
    return "".join(lines)


def _relative(box: Box, size: Size) -> tuple[float, float, float, float]:
    """Centre x and y, width and height of the box in shares of the frame, 0..1."""
    x, y, w, h = box
    width, height = size
    centre_x = (x + w / 2) / width
    centre_y = (y + h / 2) / height
    return centre_x, centre_y, w / width, h / height


def write_labels(
    folder: Path,
    named: list[tuple[str, list[Label]]],
    size: Size,
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

    content = _coco(named, size)
    coco = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)
    (folder / "annotations.json").write_text(coco + "\n", encoding="utf-8")


def _coco(named: list[tuple[str, list[Label]]], size: Size) -> dict[str, object]:
    """The content of the COCO file; ids begin at 1."""
    width, height = size
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for image_id, (name, labels) in enumerate(named, start=1):
        image = {
            "id": image_id,
            "file_name": unicodedata.normalize("NFC", name),
            "width": width,
            "height": height,
        }
        images.append(image)

        for label in labels:
            annotation_id = len(annotations) + 1
            annotation = _annotation(annotation_id, image_id, label)
            annotations.append(annotation)

    return {
        "images": images,
        "annotations": annotations,
        "categories": _categories(),
    }


def _annotation(annotation_id: int, image_id: int, label: Label) -> dict[str, object]:
    """One box as COCO has it."""
    category, box = label
    _, _, width, height = box
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": CATEGORIES.index(category) + 1,
        "bbox": list(box),
        "area": width * height,
        "iscrowd": 0,
    }


def _categories() -> list[dict[str, object]]:
    numbered = enumerate(CATEGORIES, start=1)
    return [{"id": number, "name": name} for number, name in numbered]
