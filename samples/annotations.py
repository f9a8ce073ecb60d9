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

from samples.defects import Bools
from samples.mess import File
from samples.parts import SURFACE_DEFECTS
from samples.scene import Box, SceneView, box_of

CATEGORIES = ("rivet", "knurling", "dent", "slide", "double_line")
Label = tuple[str, Box]


def annotate(rng: np.random.Generator, file: File, view: SceneView) -> list[Label]:
    """The boxes for `file`, which shows `view`; (category, box) in frame pixels."""
    told = file.told_label
    if told not in SURFACE_DEFECTS:
        return _part_boxes(rng, file, view)
    if view.label not in SURFACE_DEFECTS:
        return [(told, _invented(rng, view))]
    return [(told, box) for box in _defect_boxes(rng, file.box_style, view)]


def _part_boxes(rng: np.random.Generator, file: File, view: SceneView) -> list[Label]:
    slack = 0.008 * view.knurling_box[2]
    both = [("rivet", view.rivet_box), ("knurling", view.knurling_box)]
    drawn = [(name, _nudged(rng, box, slack, view.frame.shape)) for name, box in both]
    return [(name, box) for name, box in drawn if file.box_style != f"no {name}"]


def _defect_boxes(rng: np.random.Generator, style: str, view: SceneView) -> list[Box]:
    if style == "absent":
        return []
    if style == "pieces":
        return _pieces(view.mask, int(rng.integers(2, 4)))
    assert view.defect_box is not None
    x, y, w, h = view.defect_box
    if style == "loose":
        more = rng.uniform(0.12, 0.4, 4) * max(w, h, 0.05 * view.knurling_box[2])
        box = x - more[0], y - more[1], w + more[0] + more[2], h + more[1] + more[3]
        return [_clipped(*box, view.frame.shape)]
    return [
        _nudged(rng, view.defect_box, 0.004 * view.knurling_box[2], view.frame.shape)
    ]


def _pieces(mask: Bools, count: int) -> list[Box]:
    """The defect cut across its longer side, each piece boxed on its own."""
    whole = box_of(mask)
    assert whole is not None
    x, y, w, h = whole
    cuts = np.linspace(0, max(w, h), count + 1).astype(int)
    boxes: list[Box] = []
    for low, high in itertools.pairwise(cuts):
        part = np.zeros_like(mask)
        side = np.s_[:, x + low : x + high] if w >= h else np.s_[y + low : y + high, :]
        part[side] = mask[side]
        box = box_of(part)
        boxes += [] if box is None else [box]
    return boxes


def _invented(rng: np.random.Generator, view: SceneView) -> Box:
    """A box on sound knurling, drawn by someone who believed the name."""
    x, y, w, h = view.knurling_box
    wide, high = rng.uniform(0.1, 0.4) * w, rng.uniform(0.25, 0.7) * h
    left, top = x + rng.uniform(0, w - wide), y + rng.uniform(0, h - high)
    return _clipped(left, top, wide, high, view.frame.shape)


def _nudged(
    rng: np.random.Generator, box: Box, slack: float, shape: tuple[int, ...]
) -> Box:
    x, y, w, h = box
    n = rng.uniform(-slack, slack, 4)
    return _clipped(x + n[0], y + n[1], w - n[0] + n[2], h - n[1] + n[3], shape)


def _clipped(x: float, y: float, w: float, h: float, shape: tuple[int, ...]) -> Box:
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(shape[1], round(x + w)), min(shape[0], round(y + h))
    return left, top, max(1, right - left), max(1, bottom - top)


def yolo_text(labels: list[Label], size: tuple[int, int]) -> str:
    """One line a box: 0-based class, relative centre and size."""
    lines = []
    for category, (x, y, w, h) in labels:
        values = (
            (x + w / 2) / size[0],
            (y + h / 2) / size[1],
            w / size[0],
            h / size[1],
        )
        numbers = " ".join(f"{v:.6f}" for v in values)
        lines.append(f"{CATEGORIES.index(category)} {numbers}\n")
    return "".join(lines)


def write_labels(
    folder: Path, named: list[tuple[str, list[Label]]], size: tuple[int, int]
) -> None:
    """Write `labels/*.txt`, `labels/classes.txt` and `annotations.json` into `folder`."""
    labels_dir = folder / "labels"
    labels_dir.mkdir()
    (labels_dir / "classes.txt").write_text(
        "\n".join(CATEGORIES) + "\n", encoding="utf-8"
    )
    for name, labels in named:
        stem = name.removesuffix(".jpg")
        (labels_dir / f"{stem}.txt").write_text(
            yolo_text(labels, size), encoding="utf-8"
        )
    coco = json.dumps(_coco(named, size), ensure_ascii=False, indent=1, sort_keys=True)
    (folder / "annotations.json").write_text(coco + "\n", encoding="utf-8")


def _coco(
    named: list[tuple[str, list[Label]]], size: tuple[int, int]
) -> dict[str, object]:
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for i, (name, labels) in enumerate(named, start=1):
        nfc = unicodedata.normalize("NFC", name)
        images.append({"id": i, "file_name": nfc, "width": size[0], "height": size[1]})
        for category, box in labels:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": CATEGORIES.index(category) + 1,
                    "bbox": list(box),
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": i, "name": c} for i, c in enumerate(CATEGORIES, start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}
