from inspection.adoption.proposal import Lacks, Proposal
from tests.inspection.adoption.listed import recognise


def test_folders_name_the_class() -> None:
    found = recognise("class_folders", [f"{one}/{n}.png" for one in ("good", "dent") for n in "ab"])
    assert isinstance(found, Proposal)
    assert found.layout == "class_folders"
    assert found.labels["good/a.png"] == "good"
    assert found.normal.names == {"good"}


def test_images_in_one_folder_have_no_class() -> None:
    found = recognise("class_folders", [f"shots/{n}.png" for n in "abc"])
    assert found == Lacks("the images do not lie in 2 to 40 folders named after classes")


def test_without_a_normal_class_it_asks_for_it() -> None:
    found = recognise(
        "class_folders", [f"{one}/{n}.png" for one in ("slide", "fold") for n in "ab"]
    )
    assert isinstance(found, Lacks)
    assert "NORMAL=<folder>" in found.what


def test_what_lies_in_no_folder_of_a_class_is_left_out_and_said() -> None:
    paths = [f"{one}/{n}.png" for one in ("good", "dent") for n in "abc"]
    found = recognise("class_folders", [*paths, "overview.png"])
    assert isinstance(found, Proposal)
    assert "overview.png" not in found.labels
    assert "1 images lie in no folder of a class" in found.notes[0]
