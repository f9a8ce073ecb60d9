from inspection.adoption.proposal import Lacks, Proposal
from tests.inspection.adoption.listed import recognise

PHOTOS = [f"images/{n}.png" for n in range(4)]
BOX = "0 0.5 0.5 0.2 0.2"


def yolo(*boxes: str) -> list[str]:
    """The files of the first views, a line each, and the names of the classes."""
    lines = ["== classes.txt", "dent"]
    for number, box in enumerate(boxes):
        lines += [f"== labels/{number}.txt", box]
    return lines


def test_views_have_the_class_of_their_box_and_an_empty_file_is_normal() -> None:
    found = recognise("yolo", [*PHOTOS, *yolo(BOX, BOX, "", "")])
    assert isinstance(found, Proposal)
    assert list(found.labels.values()) == ["dent", "dent", "", ""]
    assert found.by_view
    assert found.layout == "yolo"


def test_without_such_a_file_that_is_said() -> None:
    assert recognise("yolo", PHOTOS) == Lacks("there is no YOLO file that names these images")
