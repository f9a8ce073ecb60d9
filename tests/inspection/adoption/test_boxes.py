"""Which files hold boxes, and what is read from boxes: labels, and regions of the part."""

import json

import numpy as np
import pytest

from inspection.adoption.boxes import (
    Boxes,
    FoundBoxes,
    doubtful,
    find_boxes,
    labels_by_boxes,
    region_categories,
    unlisted,
)
from inspection.boxes import LabelledBox
from inspection.dataset.annotations import Annotations
from inspection.geometry import Box

IMAGES = [f"images/{n}.png" for n in range(4)]
SIZES = dict.fromkeys(IMAGES, (100, 80))


def coco(n: int = 2) -> bytes:
    images = [{"id": i, "file_name": f"{i}.png"} for i in range(n)]
    boxes = [{"image_id": i, "category_id": 1, "bbox": [1, 2, 10, 8]} for i in range(n)]
    categories = [{"id": 1, "name": "dent"}]
    return json.dumps({"images": images, "annotations": boxes, "categories": categories}).encode()


def boxed(views: dict[str, list[tuple[str, float]]], settings: str = "coco") -> Boxes:
    """Boxes by image: the category, and the side in pixels of a square box."""
    annotations = Annotations()
    for path, found in views.items():
        boxes = [LabelledBox(name, Box(5, 5, side, side), "coco") for name, side in found]
        annotations.add(path, "coco", boxes)
    return Boxes({settings: ["x"]}, ("x",), annotations)


def test_a_coco_file_is_known_by_its_keys() -> None:
    found = find_boxes(IMAGES, {"a.json": coco(), "b.json": b'{"version": 1}'}, SIZES)
    assert set(found.by_kind) == {"coco"}
    assert found.together.settings == {"coco": ["a.json"]}
    assert len(found.together.of("dent")) == 2


def test_a_coco_file_that_cannot_be_read_is_named_where_there_is_no_other() -> None:
    broken = json.dumps({"images": [], "annotations": [], "categories": [{"id": 1}]}).encode()
    found = find_boxes(IMAGES, {"a.json": broken}, SIZES)
    assert "a.json" in found.problems["coco"]
    assert find_boxes(IMAGES, {"a.json": broken, "b.json": coco()}, SIZES).problems == {}


def test_yolo_labels_need_a_file_that_names_the_classes() -> None:
    labels = {"labels/0.txt": b"0 0.5 0.5 0.2 0.2"}
    assert "no file names the classes" in find_boxes(IMAGES, labels, SIZES).problems["yolo"]
    named = labels | {"classes.txt": b"dent\n"}
    found = find_boxes(IMAGES, named, SIZES).by_kind["yolo"]
    assert found.settings == {"yolo": ["labels/*"], "yolo_names": "classes.txt"}
    (box,) = found.of("dent")
    assert (box.width_px, box.height_px) == pytest.approx((20, 16))


@pytest.mark.parametrize(
    ("name", "content", "names_them"),
    [
        ("data.yaml", b"names: [dent]", True),
        ("data.yaml", b"nc: 1", False),
        ("notes.txt", b"dent", False),
    ],
)
def test_the_file_of_class_names_is_called_so_and_a_yaml_file_has_names(
    name: str, content: bytes, names_them: bool
) -> None:
    texts = {"labels/0.txt": b"0 0.5 0.5 0.2 0.2", name: content}
    assert ("yolo" in find_boxes(IMAGES, texts, SIZES).by_kind) == names_them


@pytest.mark.parametrize("text", [b"a b c d e", b"0 0.5 0.5", b"0 50 50 20 20"])
def test_other_text_beside_images_is_no_yolo_label(text: bytes) -> None:
    found = find_boxes(IMAGES, {"labels/0.txt": text, "classes.txt": b"dent"}, SIZES)
    assert "yolo" not in found.by_kind


def test_a_view_has_the_label_of_the_defect_that_covers_most() -> None:
    boxes = boxed({"a": [("dent", 10), ("slide", 20)], "b": [("ok", 50), ("dent", 5)], "c": []})
    assert labels_by_boxes(["a", "b", "c"], boxes, {"ok"}) == {"a": "slide", "b": "dent", "c": ""}


def test_a_box_that_is_none_covers_nothing() -> None:
    boxes = boxed({"a": [("dent", 1), ("slide", np.nan)], "b": [], "c": []})
    assert labels_by_boxes(["a", "b", "c"], boxes, ())["a"] == "dent"


def test_a_turned_copy_of_a_defect_may_show_it_and_one_among_normal_parts_does_not() -> None:
    boxes = boxed({"a/1.png": [("dent", 10)], "a/2.png": []}, "voc")
    photos = ["a/1.png", "a/2.png", "turned/1.png", "turned/2.png", "good/1.png"]
    alone = unlisted(photos, boxes)
    assert alone == ["turned/1.png", "turned/2.png", "good/1.png"]
    assert doubtful(alone, boxes) == {"turned/1.png"}


@pytest.mark.parametrize(("n_boxed", "are_doubtful"), [(3, True), (2, False)])
def test_an_image_may_be_forgotten_where_most_of_its_folder_are_boxed(
    n_boxed: int, are_doubtful: bool
) -> None:
    boxes = boxed({f"a/{n}.png": [("dent", 10.0)] for n in range(n_boxed)}, "voc")
    found = doubtful(["a/8.png", "a/9.png", "b/8.png"], boxes)
    assert found == ({"a/8.png", "a/9.png"} if are_doubtful else set())


@pytest.mark.parametrize(("n_views", "is_region"), [(5, True), (4, False)])
def test_a_region_is_boxed_in_half_of_the_images(n_views: int, is_region: bool) -> None:
    boxes = boxed({f"{n}": [("rod", 40)] for n in range(n_views)} | {"x": [("dent", 5)]})
    assert ("rod" in region_categories(boxes, (), 10)) == is_region


@pytest.mark.parametrize(("spread", "is_region"), [(0.24, True), (0.26, False)])
def test_a_region_is_always_of_about_one_size(spread: float, is_region: bool) -> None:
    sides = [40 * (1 + spread), 40 * (1 - spread)] * 5
    boxes = boxed({f"{n}": [("rod", side)] for n, side in enumerate(sides)} | {"x": [("dent", 5)]})
    assert ("rod" in region_categories(boxes, (), 11)) == is_region


def test_what_names_a_class_or_stands_twice_in_a_view_is_no_region() -> None:
    views = {f"{n}": [("rod", 40.0), ("hole", 9.0), ("hole", 9.0)] for n in range(9)}
    assert region_categories(boxed(views), {"dent"}, 9) == ["rod"]
    assert region_categories(boxed(views), {"Rod"}, 9) == []


def test_where_no_class_is_known_some_category_is_left_for_a_defect() -> None:
    assert region_categories(boxed({f"{n}": [("rod", 40)] for n in range(9)}), (), 9) == []


def test_boxes_of_all_kinds_are_put_together() -> None:
    one, other = boxed({"a": [("dent", 5)]}), boxed({"b": [("slide", 5)]}, "voc")
    together = FoundBoxes({"coco": one, "voc": other}).together
    assert set(together.settings) == {"coco", "voc"}
    assert sorted(together.categories) == ["dent", "slide"]
