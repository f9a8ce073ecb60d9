import pytest

from dashboard.review.boxes import BoxTable, agree, settled_boxes
from dashboard.review.decisions import BOXES, Vote
from inspection.boxes import LabelledBox, boxes_cell, parse_boxes
from inspection.errors import InspectionError
from inspection.geometry import Box
from tests.bundles import sample_line

LINE = sample_line()


def cell(*boxes: tuple[str, float]) -> str:
    """Boxes of 20 x 20 px: category, and how far to the right."""
    return boxes_cell(LabelledBox(name, Box(x, 0, 20, 20), "review") for name, x in boxes)


def drawn(*cells: str) -> list[Vote]:
    return [Vote("a", one, f"reviewer {n}", "", BOXES) for n, one in enumerate(cells)]


NONE, ONE, NEAR, FAR = cell(), cell(("dent", 0)), cell(("dent", 5)), cell(("dent", 9))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (NONE, NONE, True),
        (ONE, NEAR, True),  # 15 of 25 columns: IoU 0.6
        (ONE, FAR, False),  # 11 of 29: 0.38
        (ONE, NONE, False),
        (ONE, cell(("slide", 0)), False),
        (cell(("dent", 0), ("dent", 3)), cell(("dent", 3), ("dent", 0)), True),
        (cell(("dent", 0), ("dent", 0)), cell(("dent", 0), ("dent", 60)), False),
    ],
)
def test_two_agree_who_mark_the_same_things_in_about_the_same_places(
    one: str, other: str, is_same: bool
) -> None:
    assert agree(one, other) is is_same
    assert agree(other, one) is is_same


@pytest.mark.parametrize(
    ("cells", "settled"),
    [
        ([], []),
        ([ONE], [ONE]),
        ([ONE, NEAR], [ONE, NEAR]),
        ([ONE, FAR], []),
        ([ONE, NONE], []),
        ([NONE, ONE, NEAR], [ONE, NEAR]),
        ([ONE, NEAR, NONE, NONE], []),
        # whom both others agree with, though they do not with each other
        ([ONE, NEAR, FAR], [NEAR]),
    ],
)
def test_boxes_are_settled_by_those_with_whom_most_agree(
    cells: list[str], settled: list[str]
) -> None:
    assert [vote.answer for vote in settled_boxes(drawn(*cells))] == settled


def test_of_those_who_agree_the_boxes_of_the_first_are_written() -> None:
    table = BoxTable(LINE)
    (vote,) = table.settled(drawn(ONE, NEAR))
    assert table.rows(vote) == [("a", "dent", "0", "0", "20", "20", "reviewer 0", "")]
    assert table.settled(drawn(ONE, NONE)) == []


def test_what_is_written_is_read_to_the_hundredth_of_a_pixel() -> None:
    table = BoxTable(LINE)
    place = Box(12345.67, 0.01, 3.3, 4)
    vote = Vote("a", boxes_cell([LabelledBox("dent", place, "review")]), "Kim", "why", BOXES)
    assert table.votes(table.rows(vote)) == [vote]
    empty = Vote("a", NONE, "Kim", "", BOXES)
    assert table.votes(table.rows(empty)) == [empty]


def test_rows_by_hand_of_one_reviewer_are_one_word_in_the_names_of_the_line() -> None:
    rows = [
        ("a", "DENT", "0", "0", "20", "20", "", "n"),
        ("b", "-", "", "", "", "", "Kim", ""),
        ("a", "rod", "1", "2", "3", "4", "", ""),
        ("a", "bent", "1", "2", "3", "4", "Kim", ""),
    ]
    first, none, second = BoxTable(LINE).votes(rows)
    assert [one.category for one in parse_boxes(first.answer)] == ["dent", "rod"]
    assert (first.reviewer, first.note) == ("unnamed", "n")
    assert (none.answer, second.reviewer) == ("[]", "Kim")
    assert [one.category for one in parse_boxes(second.answer)] == ["bent"]


def test_a_row_by_hand_whose_place_is_no_number_is_named() -> None:
    with pytest.raises(InspectionError, match=r"boxes\.csv: .*'left'.* no number"):
        BoxTable(LINE).votes([("a", "dent", "left", "0", "20", "20", "Kim", "")])
