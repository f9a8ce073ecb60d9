from inspection.adoption.proposal import Lacks, Proposal
from tests.inspection.adoption.listed import recognise
from tests.inspection.dataset.test_voc import xml

PHOTOS = [f"images/{n}.png" for n in range(4)]


def test_files_say_the_class_of_their_image() -> None:
    content = xml(("dent", 1, 2, 20, 30), width=96, height=64).decode()
    files = []
    for number in range(2):
        files += [f"== annotations/{number}.xml", content]
    found = recognise("voc", [*PHOTOS, *files])
    assert isinstance(found, Proposal)
    assert found.layout == "voc"
    assert found.labels["images/0.png"] == "dent"
    assert found.labels["images/3.png"] == ""


def test_without_such_a_file_that_is_said() -> None:
    assert recognise("voc", PHOTOS) == Lacks("there is no Pascal VOC file that names these images")
