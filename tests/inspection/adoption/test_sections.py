import pytest

from inspection.adoption import sections
from inspection.adoption.boxes import Boxes
from inspection.adoption.pictures import Picture
from inspection.adoption.sections import validate_section, with_boxed
from inspection.boxes import LabelledBox
from inspection.dataset.annotations import Annotations
from inspection.geometry import Box
from inspection.images import ImageFacts
from tests.inspection.adoption import listed


@pytest.mark.parametrize(
    ("side", "extent"), [(96, [48, 192]), (33, [16, 66]), (20, [16, 40]), (34, [17, 68])]
)
def test_frames_may_be_half_as_small_and_twice_as_large_as_those_seen(
    side: int, extent: list[int]
) -> None:
    plan = listed.understood("casting")
    picture = Picture(ImageFacts(side, side, 1, 8, "PNG"), is_mask=False, is_coloured=False)
    section = validate_section(
        plan.listing, plan.proposal, plan.part, None, [picture], n_known=len(plan.photos)
    )
    assert section["expected"]["width_px"] == extent
    assert section["expected"]["max_quarantined_fraction"] == 0.1
    assert "unknown" not in section


@pytest.mark.parametrize(("n_known", "share"), [(1000, 0.02), (994, 0.03), (900, 0.12)])
def test_two_in_a_hundred_images_may_be_of_no_class_besides_those_that_are(
    n_known: int, share: float
) -> None:
    assert sections._strange(n_known, 1000) == share


@pytest.mark.parametrize(
    ("boxed", "aliases"),
    [
        ({"a.png": "pit", "b.png": "pit"}, ["ng", "pit"]),
        ({"a.png": "pit", "c.png": "pit"}, ["ng"]),  # of two defects neither is meant
        ({"a.png": "pit", "d.png": "pit"}, ["ng"]),  # what normal images have as well is no defect
        ({"d.png": "housing"}, ["ng"]),
        ({"a.png": "NG"}, ["ng"]),
        ({"a.png": "Bent"}, ["ng"]),
    ],
)
def test_what_is_boxed_in_images_of_one_defect_alone_is_another_name_of_it(
    boxed: dict[str, str], aliases: list[str]
) -> None:
    labels = {"a.png": "ng", "b.png": "ng", "c.png": "bent", "d.png": "ok"}
    boxes = {path: [LabelledBox(name, Box(0, 0, 9, 9), "yolo")] for path, name in boxed.items()}
    classes = {"ok": ["ok"], "nok": ["ng"], "bent": ["bent"]}
    found = with_boxed(classes, "ok", labels, Boxes({}, (), Annotations(boxes)))
    assert found == {"ok": ["ok"], "nok": aliases, "bent": ["bent"]}
