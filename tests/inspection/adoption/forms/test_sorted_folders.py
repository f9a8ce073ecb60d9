"""What the forms with a folder per class have in common, shown with class folders."""

import pytest

from inspection.adoption.proposal import Lacks, Proposal
from tests.inspection.adoption.listed import recognise


def sorted_into(*folders: str) -> list[str]:
    return [f"{folder}/{n}.png" for folder in folders for n in range(3)]


def test_a_folder_is_a_class_and_the_normal_one_is_told_by_its_name() -> None:
    found = recognise("class_folders", sorted_into("good", "dent"))
    assert isinstance(found, Proposal)
    assert found.labels["dent/0.png"] == "dent"
    assert found.normal.names == {"good"}


def test_where_no_folder_is_of_normal_parts_that_is_asked_for() -> None:
    found = recognise("class_folders", sorted_into("dent", "scratch"))
    assert isinstance(found, Lacks)
    assert "folders name the classes dent, scratch" in found.what
    assert "NORMAL=<folder>" in found.what


def test_a_folder_may_be_said_to_be_the_normal_one() -> None:
    found = recognise("class_folders", sorted_into("a", "b"), normal="a")
    assert isinstance(found, Proposal)
    assert found.normal.names == {"a"}


def test_images_beside_the_folders_are_left_out_and_that_is_said() -> None:
    found = recognise("class_folders", [*sorted_into("good", "dent"), "stray.png"])
    assert isinstance(found, Proposal)
    assert "stray.png" not in found.labels
    assert "1 images lie in no folder of a class" in found.notes[0]


@pytest.mark.parametrize(
    ("folders", "what"),
    [(["good"], "none is of a defect"), (["x"], "do not lie in 2 to 40 folders")],
)
def test_one_folder_alone_is_no_set_of_classes(folders: list[str], what: str) -> None:
    found = recognise("class_folders", sorted_into(*folders))
    assert isinstance(found, Lacks)
    assert what in found.what
