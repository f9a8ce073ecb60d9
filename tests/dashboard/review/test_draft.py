import pytest

from dashboard.review.draft import NONE, Draft
from inspection.boxes import LabelledBox, boxes_cell
from inspection.curation.box_reviews import described
from inspection.geometry import Box

SIZE_PX = (100, 80)
CELL = boxes_cell(
    [LabelledBox("rod", Box(5, 5, 60, 40), "coco"), LabelledBox("dent", Box(10, 10, 8, 8), "yolo")]
)


def draft() -> Draft:
    return Draft.of(CELL, SIZE_PX)


def words(found: Draft) -> str:
    return described(list(found.boxes))


def test_a_draft_begins_unchanged_with_the_boxes_as_a_persons() -> None:
    found = draft()
    assert (found.is_changed, found.box, found.chosen) == (False, None, NONE)
    assert {one.source for one in found.boxes} == {"review"}


def test_a_box_is_drawn_cut_off_at_the_edge_and_chosen() -> None:
    found = draft().placing(NONE, Box(90, -5, 30, 15), "dent")
    assert words(found).endswith("; dent at 90 0 10 10")
    assert (found.chosen, found.is_changed) == (2, True)


def test_a_box_is_moved_named_and_deleted() -> None:
    found = draft().placing(1, Box(20, 21, 8, 9), "slide")
    assert words(found) == "rod at 5 5 60 40; dent at 20 21 8 9"
    found = found.naming("slide")
    assert words(found) == "rod at 5 5 60 40; slide at 20 21 8 9"
    found = found.deleting()
    assert (words(found), found.chosen) == ("rod at 5 5 60 40", NONE)
    assert found.deleting() == found == found.naming("dent")


def test_a_new_box_lies_in_the_middle() -> None:
    found = draft().emptied().adding("dent")
    assert words(found) == "dent at 40 32 20 16"
    assert found.chosen == 0


@pytest.mark.parametrize("box", [Box(5, 5, 0, 9), Box(120, 5, 10, 10)])
def test_a_box_without_area_in_the_frame_changes_nothing(box: Box) -> None:
    assert draft().placing(1, box, "dent") == draft()


def test_a_number_that_is_not_there_chooses_none() -> None:
    assert draft().choosing(1).chosen == 1
    assert draft().choosing(7).chosen == NONE


def test_a_draft_that_is_back_where_it_began_is_unchanged() -> None:
    moved = draft().placing(1, Box(20, 21, 8, 9), "dent")
    assert not moved.placing(1, Box(10, 10, 8, 8), "dent").is_changed
