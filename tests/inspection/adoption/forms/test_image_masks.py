from inspection.adoption.proposal import Lacks, Proposal
from tests.inspection.adoption.listed import recognise

PHOTOS = [f"{n}.png" for n in range(6)]


def test_a_view_is_normal_where_its_mask_marks_nothing() -> None:
    masks = [f"{n}_mask.png <- {'mask' if n < 3 else 'empty mask'}" for n in range(6)]
    found = recognise("image_masks", [*PHOTOS, *masks])
    assert isinstance(found, Proposal)
    assert found.labels == {f"{n}.png": "defect" if n < 3 else "" for n in range(6)}
    assert found.by_view


def test_where_some_masks_are_empty_an_image_without_one_is_not_yet_marked() -> None:
    masks = [f"{n}_mask.png <- {'mask' if n < 3 else 'empty mask'}" for n in range(5)]
    found = recognise("image_masks", [*PHOTOS, *masks])
    assert isinstance(found, Proposal)
    assert "5.png" not in found.labels


def test_where_every_mask_marks_a_defect_the_others_are_normal_and_that_is_said() -> None:
    masks = [f"{n}_mask.png <- mask" for n in range(3)]
    found = recognise("image_masks", [*PHOTOS, *masks])
    assert isinstance(found, Proposal)
    assert found.labels["5.png"] == ""
    assert found.settings["unlabelled"] == "normal"
    assert "taken for normal" in found.notes[0]


def test_masks_that_all_mark_something_leave_no_normal() -> None:
    found = recognise("image_masks", [*PHOTOS, *(f"{n}_mask.png <- mask" for n in range(6))])
    assert isinstance(found, Lacks)
    assert "none is normal" in found.what


def test_without_masks_it_asks_where_they_lie() -> None:
    found = recognise("image_masks", PHOTOS)
    assert isinstance(found, Lacks)
    assert "MASKS=<place>" in found.what
