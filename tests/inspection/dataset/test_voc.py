import math

import pytest

from inspection.boxes import LabelledBox
from inspection.dataset.image_index import ImageIndex
from inspection.dataset.voc import is_voc, read_voc
from inspection.geometry import Box

IMAGES = ImageIndex(["images/pit/pit_1.jpg", "images/pit/pit_2.jpg"], suffixes=False)
SIZES = {"images/pit/pit_1.jpg": (200, 100)}


def xml(*objects: tuple[str, int, int, int, int], width: int = 200, height: int = 100) -> bytes:
    boxes = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax>"
        f"<ymax>{y1}</ymax></bndbox></object>"
        for name, x0, y0, x1, y1 in objects
    )
    size = f"<size><width>{width}</width><height>{height}</height></size>"
    return f"<annotation>{size}{boxes}</annotation>".encode()


def test_edges_become_a_corner_and_a_size() -> None:
    file = xml(("pit", 10, 20, 40, 60), ("scratch", 1, 2, 3, 5))
    found = read_voc({"Annotations/pit_1.xml": file}, images=IMAGES, sizes=SIZES)
    first, second = found.boxes["images/pit/pit_1.jpg"]
    assert first == LabelledBox("pit", Box(10, 20, 30, 40), "voc")
    assert second.box == Box(1, 2, 2, 3)
    assert found.sources == {"images/pit/pit_1.jpg": {"voc"}}


def test_a_file_without_objects_says_that_there_is_no_box() -> None:
    found = read_voc({"pit_1.xml": xml()}, images=IMAGES, sizes=SIZES)
    assert found.boxes == {"images/pit/pit_1.jpg": []}
    assert found.findings == []


@pytest.mark.parametrize(
    ("path", "content", "reason", "is_unread"),
    [
        ("other.xml", xml(), "label_without_image", False),
        ("pit_1.xml", b"<annotation>", "label_file_unreadable", True),
        ("pit_1.xml", PermissionError(13, "no permission"), "label_file_unreadable", True),
        ("pit_1.xml", xml(("pit", 1, 2, 3, 4), width=100, height=50), "voc_size_differs", True),
    ],
)
def test_what_is_odd_is_found_and_gives_no_boxes(
    path: str, content: bytes | OSError, reason: str, is_unread: bool
) -> None:
    found = read_voc({path: content}, images=IMAGES, sizes=SIZES)
    assert [one.reason for one in found.findings] == [reason]
    assert found.unread == ({"images/pit/pit_1.jpg"} if is_unread else set())
    assert not any(found.boxes.values())


def test_an_object_without_edges_is_no_number() -> None:
    file = b"<annotation><object><name>pit</name></object></annotation>"
    found = read_voc({"pit_1.xml": file}, images=IMAGES, sizes=SIZES)
    (box,) = found.boxes["images/pit/pit_1.jpg"]
    assert math.isnan(box.box.x_px)


def test_other_xml_is_not_voc() -> None:
    assert is_voc("a.xml", xml())
    assert not is_voc("a.xml", b"<project/>")
    assert not is_voc("a.xml", b"no xml")
    assert not is_voc("a.txt", xml())
