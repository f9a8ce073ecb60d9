"""COCO, YOLO and Pascal VOC: the class of a view is that of its boxes."""

import pytest

from inspection.adoption.proposal import Lacks, Proposal
from tests.inspection.adoption.listed import recognise
from tests.inspection.dataset.test_voc import xml

PHOTOS = [f"images/{n}.png" for n in range(4)]
CLASSES = ["== classes.txt", "dent"]


def yolo(*boxes: str) -> list[str]:
    lines = [*CLASSES]
    for number, box in enumerate(boxes):
        lines += [f"== labels/{number}.txt", box]
    return lines


BOX = "0 0.5 0.5 0.2 0.2"


def test_yolo_views_have_the_class_of_their_box_and_an_empty_file_is_normal() -> None:
    found = recognise("yolo", [*PHOTOS, *yolo(BOX, BOX, "", "")])
    assert isinstance(found, Proposal)
    assert list(found.labels.values()) == ["dent", "dent", "", ""]
    assert found.by_view
    assert found.layout == "yolo"


def test_images_that_no_file_names_are_taken_for_normal_and_that_is_said() -> None:
    found = recognise("yolo", [*PHOTOS, *yolo(BOX)])
    assert isinstance(found, Proposal)
    assert found.settings == {"unlabelled": "normal"}
    assert "3 images that no YOLO file names" in found.notes[0]


def test_where_every_view_has_a_defect_none_is_normal() -> None:
    found = recognise("yolo", [*PHOTOS, *yolo(BOX, BOX, BOX, BOX)])
    assert isinstance(found, Lacks)
    assert "NORMAL=<category>" in found.what


def test_a_category_may_be_said_to_be_the_normal_one() -> None:
    found = recognise("yolo", [*PHOTOS, *yolo(BOX, BOX, BOX, BOX)], normal="dent")
    assert isinstance(found, Proposal)
    assert found.normal.names == {"dent"}


def test_voc_files_say_the_class_of_their_image() -> None:
    content = xml(("dent", 1, 2, 20, 30), width=96, height=64).decode()
    files = []
    for number in range(2):
        files += [f"== annotations/{number}.xml", content]
    found = recognise("voc", [*PHOTOS, *files])
    assert isinstance(found, Proposal)
    assert found.labels["images/0.png"] == "dent"
    assert found.labels["images/3.png"] == ""


@pytest.mark.parametrize(
    ("kind", "called"), [("coco", "COCO"), ("yolo", "YOLO"), ("voc", "Pascal VOC")]
)
def test_without_such_a_file_that_is_said(kind: str, called: str) -> None:
    assert recognise(kind, PHOTOS) == Lacks(f"there is no {called} file that names these images")
