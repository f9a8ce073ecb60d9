import math

import pytest

from inspection.boxes import LabelledBox
from inspection.dataset.annotations import Annotations, joined, read_class_names, read_yolo
from inspection.dataset.image_index import ImageIndex
from inspection.errors import InspectionError
from inspection.geometry import Box

SIZES = {"images/a.png": (200, 100)}


def yolo(**files: str | bytes) -> dict[str, bytes]:
    return {
        f"labels/{name}.txt": text.encode() if isinstance(text, str) else text
        for name, text in files.items()
    }


def read(files: dict[str, bytes], names: list[str] | None = None):  # type: ignore[no-untyped-def]
    return read_yolo(
        files,
        class_names=names or ["rivet", "dent"],
        images=ImageIndex(["images/a.png"], suffixes=False),
        sizes=SIZES,
    )


def test_yolo_boxes_become_pixels_with_the_names_of_their_numbers() -> None:
    found = read(yolo(a="1 0.5 0.5 0.25 0.5\n0 0.1 0.2 0.1 0.2 0.93\n"))
    dent, rivet = found.boxes["images/a.png"]
    assert dent == LabelledBox("dent", Box(75, 25, 50, 50), "yolo")
    assert rivet.category == "rivet"
    assert found.sources == {"images/a.png": {"yolo"}}


def test_a_yolo_polygon_is_boxed() -> None:
    found = read(yolo(a="1 0.1 0.1 0.3 0.1 0.2 0.4"))
    box = found.boxes["images/a.png"][0]
    edges = tuple(vars(box.box).values())
    assert edges == pytest.approx((20, 10, 40, 30))


def test_an_empty_yolo_file_tells_that_there_is_nothing() -> None:
    found = read(yolo(a=""))
    assert found.boxes["images/a.png"] == []
    assert "images/a.png" in found.sources


def test_lines_that_are_no_box_are_reported_and_nan_is_left_to_the_check_of_boxes() -> None:
    found = read(yolo(a="1 0.5 0.5 0.2\nnonsense\n1 nan 0.5 0.1 0.1\n"))
    assert [finding.reason for finding in found.findings] == ["box_not_a_number"] * 2
    assert math.isnan(found.boxes["images/a.png"][0].box.x_px)


def test_labels_without_an_image_are_reported_and_those_of_an_unreadable_one_are_not() -> None:
    index = ImageIndex(["images/a.png", "images/broken.png"], suffixes=False)
    files = yolo(stranger="1 0.5 0.5 0.1 0.1", broken="1 0.5 0.5 0.1 0.1")
    found = read_yolo(files, class_names=["x", "y"], images=index, sizes=SIZES)
    assert [(f.path, f.reason) for f in found.findings] == [
        ("labels/stranger.txt", "label_without_image")
    ]


def test_a_label_file_in_cp949_is_read_and_told() -> None:
    names, findings = read_class_names("classes.txt", "리벳\n찍힘\n".encode("cp949"))
    assert names == ["리벳", "찍힘"]
    assert [(f.reason, f.view_kept) for f in findings] == [("label_file_cp949", True)]
    found = read(yolo(a="찍힘 0.5 0.5 0.1 0.1".encode("cp949")))
    assert found.boxes["images/a.png"][0].category == "찍힘"


def test_a_label_file_in_no_known_encoding_is_reported_and_not_guessed() -> None:
    nonsense = b"\xff\xff\x00 0.5"
    found = read(yolo(a=nonsense))
    assert [finding.reason for finding in found.findings] == ["label_file_not_utf8"]
    with pytest.raises(InspectionError, match="save it as UTF-8"):
        read_class_names("classes.txt", nonsense)


def test_class_names_come_from_a_yaml_list_or_mapping() -> None:
    assert read_class_names("data.yaml", b"names: [crack, burr]")[0] == ["crack", "burr"]
    assert read_class_names("data.yaml", b"names:\n  0: crack\n  1: burr")[0] == ["crack", "burr"]
    with pytest.raises(InspectionError, match="has no list `names`"):
        read_class_names("data.yaml", b"nc: 2")


def test_sources_are_joined_by_image() -> None:
    box = LabelledBox("dent", Box(1, 2, 3, 4), "coco")
    of_coco = Annotations(unread={"images/b.png"})
    of_coco.add("images/a.png", "coco", [box])
    both = joined([read(yolo(a="1 0.5 0.5 0.1 0.1")), of_coco])
    assert both.sources["images/a.png"] == {"yolo", "coco"}
    assert [one.source for one in both.boxes["images/a.png"]] == ["yolo", "coco"]
    assert both.unread == {"images/b.png"}


@pytest.mark.parametrize(
    ("numbers", "is_box"),
    [
        ("0.5 0.5 0.1", False),
        ("0.5 0.5 0.1 0.1", True),
        ("0.5 0.5 0.1 0.1 0.9", True),
        ("0.1 0.1 0.3 0.1 0.2 0.4", True),
        ("0.1 0.1 0.3 0.1 0.2 0.4 0.5", False),
        ("0.1 0.1 0.3 0.1 0.2 0.4 0.5 0.5", True),
    ],
)
def test_a_line_is_a_box_with_or_without_confidence_or_a_polygon(
    numbers: str, is_box: bool
) -> None:
    found = read(yolo(a=f"1 {numbers}"))
    assert len(found.boxes["images/a.png"]) == is_box
    assert len(found.findings) == (not is_box)


def test_eighty_characters_of_a_bad_line_are_quoted() -> None:
    found = read(yolo(a="1 " + "x" * 100))
    assert found.findings[0].detail == f"not a box: {'1 ' + 'x' * 78!r}"
