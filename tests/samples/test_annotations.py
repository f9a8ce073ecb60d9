from __future__ import annotations

import json
import unicodedata
from collections import defaultdict

import numpy as np
import pytest

from samples.annotations import CATEGORIES, yolo_text
from tests.samples.conftest import SMALL, Line

Boxes = list[tuple[str, tuple[float, ...]]]


def coco_boxes(line: Line) -> dict[str, Boxes]:
    coco = json.loads((line.data / "annotations.json").read_text(encoding="utf-8"))
    categories = {c["id"]: c["name"] for c in coco["categories"]}
    names = {i["id"]: i["file_name"] for i in coco["images"]}
    boxes: dict[str, Boxes] = defaultdict(list)
    for a in coco["annotations"]:
        boxes[names[a["image_id"]]].append((categories[a["category_id"]], tuple(a["bbox"])))
    return boxes


def boxes_of(line: Line, name: str) -> Boxes:
    return coco_boxes(line)[unicodedata.normalize("NFC", name)]


def covered(box: tuple[float, ...], by: tuple[float, ...]) -> float:
    x, y = max(box[0], by[0]), max(box[1], by[1])
    right, bottom = min(box[0] + box[2], by[0] + by[2]), min(box[1] + box[3], by[1] + by[3])
    return max(0, right - x) * max(0, bottom - y) / (box[2] * box[3])


def test_coco_counts_categories_from_one_and_yolo_from_zero(line: Line) -> None:
    coco = json.loads((line.data / "annotations.json").read_text(encoding="utf-8"))
    assert [c["id"] for c in coco["categories"]] == [1, 2, 3, 4, 5]
    classes = (line.data / "labels" / "classes.txt").read_text(encoding="utf-8").split()
    assert classes == [c["name"] for c in coco["categories"]] == list(CATEGORIES)


def test_yolo_says_what_coco_says(line: Line) -> None:
    boxes = coco_boxes(line)
    for name in line.views:
        text = (line.data / "labels" / f"{name.removesuffix('.jpg')}.txt").read_text()
        rows = [r.split() for r in text.splitlines()]
        found = [(CATEGORIES[int(r[0])], tuple(map(float, r[1:]))) for r in rows]
        expected = boxes[unicodedata.normalize("NFC", name)]
        assert [c for c, _ in found] == [c for c, _ in expected]
        for (_, (cx, cy, w, h)), (_, box) in zip(found, expected, strict=True):
            pixels = np.array([cx - w / 2, cy - h / 2, w, h]) * np.tile(SMALL, 2)
            assert pixels == pytest.approx(box, abs=0.01)


def test_a_yolo_line_counted_by_hand() -> None:
    assert yolo_text([("dent", (10, 20, 40, 10))], (100, 50)) == (
        "2 0.300000 0.500000 0.400000 0.200000\n"
    )


def test_boxes_speak_of_parts_or_of_one_defect_as_planned(line: Line) -> None:
    for name, view in line.views.items():
        boxed = view["true_class"] if view["boxes_follow"] == "truth" else view["typed_class"]
        categories = {c for c, _ in boxes_of(line, name)}
        if boxed in ("normal", "under_press"):
            lacking = view["box_style"].removeprefix("no ")
            assert categories == {"rivet", "knurling"} - {lacking}
        else:
            is_out_of_sight = view["true_class"] == boxed and view["defect_box"] is None
            is_unboxed = view["box_style"] == "absent" or is_out_of_sight
            assert categories == (set() if is_unboxed else {boxed})


def test_part_boxes_are_near_the_true_ones(line: Line) -> None:
    for name, view in line.views.items():
        for category, box in boxes_of(line, name):
            if category in ("rivet", "knurling"):
                assert box == pytest.approx(view[f"{category}_box"], abs=4)


@pytest.mark.parametrize("style", ["tight", "loose", "pieces"])
def test_defect_boxes_are_as_careless_as_their_style(line: Line, style: str) -> None:
    for name, view in line.views.items():
        if view["box_style"] != style or view["true_class"] != view["typed_class"]:
            continue
        boxes = [b for _, b in boxes_of(line, name)]
        if view["defect_box"] is None:
            assert not boxes
            continue
        true = tuple(view["defect_box"])
        if style == "tight":
            assert boxes[0] == pytest.approx(true, abs=4)
        elif style == "loose":
            assert boxes[0][2] * boxes[0][3] > 1.15 * true[2] * true[3] or boxes[0][3] > 100
            assert covered(true, boxes[0]) > 0.98
        else:
            assert len(boxes) in (2, 3)
            assert all(covered(b, true) == 1 for b in boxes)


def test_the_drawn_boxes_of_a_shifted_copy_moved_with_it(line: Line) -> None:
    ((name, copy),) = [(n, v) for n, v in line.views.items() if v["copy"] == "shifted"]
    source = line.views[copy["copy_of"]]
    moved = np.subtract(copy["rivet_box"], source["rivet_box"])
    before, after = boxes_of(line, copy["copy_of"]), boxes_of(line, name)
    assert before
    for (_, a), (_, b) in zip(before, after, strict=True):
        assert np.subtract(b, a).tolist() == moved.tolist()
