import json

from inspection.adoption.proposal import Lacks, Proposal
from tests.inspection.adoption.listed import recognise

PHOTOS = [f"images/{n}.png" for n in range(4)]


def coco(n_boxed: int) -> list[str]:
    """A file that lists all views, the first ones with a box."""
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 96, "height": 64} for n in range(4)],
        "categories": [{"id": 1, "name": "dent"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 2, 20, 30]}
            for n in range(n_boxed)
        ],
    }
    return ["== annotations.json", json.dumps(content)]


def test_views_have_the_class_of_their_box_and_the_others_are_normal() -> None:
    found = recognise("coco", [*PHOTOS, *coco(2)])
    assert isinstance(found, Proposal)
    assert found.layout == "coco"
    assert list(found.labels.values()) == ["dent", "dent", "", ""]
    assert found.settings == {}


def test_without_such_a_file_that_is_said() -> None:
    assert recognise("coco", PHOTOS) == Lacks("there is no COCO file that names these images")
