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


def test_images_that_no_file_names_among_boxed_ones_may_have_been_forgotten() -> None:
    found = recognise("yolo", [*PHOTOS, *yolo(BOX, BOX, BOX)])
    assert isinstance(found, Lacks)
    assert "1 others are named by none ('images/3.png')" in found.what
    assert "say NORMAL=unlisted" in found.what

    said = recognise("yolo", [*PHOTOS, *yolo(BOX, BOX, BOX)], normal="unlisted")
    assert isinstance(said, Proposal)
    assert said.labels["images/3.png"] == ""
    assert said.settings == {"unlabelled": "normal"}


def test_of_files_that_list_images_without_a_box_all_others_are_left_out_unless_said() -> None:
    lines = [*PHOTOS, *yolo(BOX, "")]
    found, said = recognise("yolo", lines), recognise("yolo", lines, normal="unlisted")
    assert isinstance(found, Proposal)
    assert list(found.labels) == PHOTOS[:2]
    assert isinstance(said, Proposal)
    assert list(said.labels.values()) == ["dent", "", "", ""]


def test_a_turned_copy_of_a_defect_is_no_normal_part() -> None:
    copies = [f"turned/{n}.png" for n in range(2)]
    lines = [*PHOTOS, *copies, "good/0.png", *yolo(BOX, BOX)]
    found, said = recognise("yolo", lines), recognise("yolo", lines, normal="unlisted")
    assert isinstance(found, Proposal)
    assert set(found.labels) == {*PHOTOS, "good/0.png"}
    assert isinstance(said, Proposal)
    assert set(said.labels) == {*PHOTOS, "good/0.png", *copies}
