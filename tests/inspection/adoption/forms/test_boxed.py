"""What COCO, YOLO and Pascal VOC have in common, shown with YOLO."""

from inspection.adoption.proposal import Lacks, Proposal
from tests.inspection.adoption.forms.test_yolo import BOX, PHOTOS, yolo
from tests.inspection.adoption.listed import recognise


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
