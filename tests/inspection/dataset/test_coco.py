import json
import math
import unicodedata

import pytest

from inspection.dataset.coco import read_coco
from inspection.dataset.image_index import ImageIndex
from inspection.errors import InspectionError
from inspection.geometry import Box


def coco(**parts: object) -> bytes:
    content: dict[str, object] = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 2, 30, 40]}],
        "categories": [{"id": 7, "name": "dent"}],
    }
    return json.dumps(content | parts).encode()


def test_coco_boxes_find_their_image_in_either_unicode_form() -> None:
    on_disk = unicodedata.normalize("NFD", "images/찍힘.png")
    content = coco(images=[{"id": 1, "file_name": "찍힘.png"}])
    found = read_coco("x.json", content, images=ImageIndex([on_disk], suffixes=True))
    (box,) = found.boxes[on_disk]
    assert (box.category, box.box.x_px, box.box.height_px, box.source) == ("dent", 1, 40, "coco")


@pytest.mark.parametrize("said", [(64, 48), (None, None), (0, 0)], ids=str)
def test_coco_boxes_of_an_image_of_another_size_are_reported_and_left_out(
    said: tuple[int | None, int | None],
) -> None:
    entry = {"id": 1, "file_name": "a.png", "width": said[0], "height": said[1]}
    images = ImageIndex(["a.png"], suffixes=True)
    same, half = (
        read_coco("x.json", coco(images=[entry]), images=images, sizes={"a.png": size})
        for size in ((64, 48), (32, 24))
    )
    assert len(same.boxes["a.png"]) == 1
    if said == (64, 48):
        assert [finding.reason for finding in half.findings] == ["coco_size_differs"]
        assert (half.boxes, half.unread) == ({}, {"a.png"})
    else:
        assert len(half.boxes["a.png"]) == 1


def test_a_coco_image_that_is_not_there_is_reported_with_the_number_of_its_boxes() -> None:
    content = coco(images=[{"id": 1, "file_name": "gone.png"}])
    found = read_coco("x.json", content, images=ImageIndex(["a.png"], suffixes=True))
    assert [(f.path, f.reason) for f in found.findings] == [("gone.png", "label_without_image")]
    assert found.findings[0].detail == (
        "x.json names it with 1 boxes, and no image or several have this name"
    )
    assert found.boxes == {}


def test_coco_boxes_of_no_image_are_reported_one_by_one() -> None:
    stray = {"image_id": 9, "category_id": 7, "bbox": [1, 2, 3, 4]}
    nameless = {"category_id": 8, "bbox": [1, 2, 3, 4]}
    content = coco(annotations=[stray, stray, nameless, stray | {"image_id": 1}])
    found = read_coco("x.json", content, images=ImageIndex(["a.png"], suffixes=True))
    assert len(found.boxes["a.png"]) == 1
    assert [(f.path, f.reason, f.view_kept) for f in set(found.findings)] == [
        ("x.json", "box_without_image", True)
    ] * 3
    assert sorted(f.detail for f in found.findings)[1:] == [
        "annotations[1]: dent at [1, 2, 3, 4]; no image has its image_id 9",
        "annotations[2]: 8 at [1, 2, 3, 4]; no image has its image_id None",
    ]


@pytest.mark.parametrize(
    ("parts", "reported"),
    [
        ({"images": [{"id": [1], "file_name": "a.png"}]}, "images[0].id is [1]"),
        ({"categories": [{"id": {"n": 7}, "name": "dent"}]}, "categories[0].id is {'n': 7}"),
        ({"annotations": [{"image_id": [1]}]}, "annotations[0].image_id is [1]"),
        ({"annotations": [{"category_id": []}]}, "annotations[0].category_id is []"),
        ({"images": [{"id": None, "file_name": "a.png"}]}, "images[0].id is None"),
    ],
)
def test_an_id_that_is_no_number_and_no_text_is_an_error_that_shows_it(
    parts: dict[str, object], reported: str
) -> None:
    with pytest.raises(InspectionError) as caught:
        read_coco("x.json", coco(**parts), images=ImageIndex(["a.png"], suffixes=True))
    assert str(caught.value) == (
        f"x.json: 1 ids are neither a number nor text: {reported}; export it again"
    )


def test_an_id_of_two_coco_images_is_an_error_and_an_image_told_twice_is_not() -> None:
    index = ImageIndex(["a.png", "b.png"], suffixes=True)
    one, other = {"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}
    assert len(read_coco("x.json", coco(images=[one, one]), images=index).boxes["a.png"]) == 1
    with pytest.raises(InspectionError, match=r"x.json: 1 ids stand for two images each: 1; "):
        read_coco("x.json", coco(images=[one, other]), images=index)


@pytest.mark.parametrize("bbox", [None, [1, 2, 3], ["a", 1, 2, 3]])
def test_a_coco_box_without_four_numbers_is_not_a_number(bbox: object) -> None:
    content = coco(annotations=[{"image_id": 1, "category_id": 7, "bbox": bbox}])
    found = read_coco("x.json", content, images=ImageIndex(["a.png"], suffixes=True))
    assert math.isnan(found.boxes["a.png"][0].box.x_px)


@pytest.mark.parametrize(
    "segmentation",
    [
        [[2, 1, 5, 1, 5, 3], [3, 1, 2, 3]],
        {"size": [4, 6], "counts": [9, 2, 2, 2, 2, 2, 5]},
        {"size": [4, 6], "counts": "9220003"},
    ],
)
def test_a_coco_annotation_without_a_box_has_the_extent_of_its_segmentation(
    segmentation: object,
) -> None:
    reported = {"image_id": 1, "category_id": 7, "segmentation": segmentation}
    found = read_coco(
        "x.json", coco(annotations=[reported]), images=ImageIndex(["a.png"], suffixes=True)
    )
    (box,) = found.boxes["a.png"]
    assert box.box == Box(2, 1, 3, 2)


@pytest.mark.parametrize("segmentation", [None, [], [[]], "x", {"size": [0, 0], "counts": []}, {}])
def test_a_coco_annotation_with_neither_box_nor_segmentation_is_not_a_number(
    segmentation: object,
) -> None:
    reported = {"image_id": 1, "category_id": 7, "bbox": [], "segmentation": segmentation}
    found = read_coco(
        "x.json", coco(annotations=[reported]), images=ImageIndex(["a.png"], suffixes=True)
    )
    assert math.isnan(found.boxes["a.png"][0].box.x_px)


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        (b"{", "is not JSON"),
        (b"[]", "is not COCO"),
        (b'{"images": []}', "is not COCO"),
        (coco(categories=[{"id": 1}]), "lack id or name"),
    ],
)
def test_a_broken_coco_file_is_an_error_that_names_it(content: bytes, reported: str) -> None:
    with pytest.raises(InspectionError, match=reported) as caught:
        read_coco("x.json", content, images=ImageIndex([], suffixes=True))
    assert str(caught.value).startswith("x.json: ")
