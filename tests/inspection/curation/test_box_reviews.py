import pandas as pd
import pytest

from inspection.boxes import LabelledBox, boxes_cell, parse_boxes
from inspection.curation.box_reviews import (
    BOX_REVIEW_COLUMNS,
    BoxReview,
    box_changes,
    described,
    read_box_reviews,
    with_box_reviews,
)
from inspection.errors import InspectionError
from inspection.geometry import Box
from tests.labelled_views import LINE, found, views

SIZE_PX = (100, 80)


def manifest(*rows: tuple[str, str, list[str], str], mask: str = "") -> pd.DataFrame:
    return views(*rows).assign(width_px=SIZE_PX[0], height_px=SIZE_PX[1], mask_path=mask)


def rows(*given: tuple[str, str, str]) -> pd.DataFrame:
    """Rows of image, category and four numbers, drawn by Kim."""
    content = [
        (sha256, category, *(numbers.split() or [""] * 4), "Kim", "looked again")
        for sha256, category, numbers in given
    ]
    return pd.DataFrame(content, columns=list(BOX_REVIEW_COLUMNS), dtype=str)


def boxes_after(raw: pd.DataFrame, drawn: pd.DataFrame) -> list[str]:
    after = with_box_reviews(raw, read_box_reviews(drawn, raw, LINE), LINE)
    return [described(parse_boxes(cell)) for cell in after["boxes"]]


def test_what_a_person_drew_takes_the_place_of_all_boxes_of_that_view() -> None:
    raw = manifest(("a", "dent", ["knurling", "dent"], ""), ("b", "dent", ["dent"], ""))
    drawn = rows(("sha0", "DENT", "10 20 24 24.5"), ("sha0", "slide", "0 0 100 80"))
    assert boxes_after(raw, drawn) == [
        "dent at 10 20 24 24.5; slide at 0 0 100 80",
        "dent at 1 2 3 4",
    ]
    after = with_box_reviews(raw, read_box_reviews(drawn, raw, LINE), LINE)
    assert {one.source for one in parse_boxes(after["boxes"][0])} == {"review"}


def test_no_box_here_takes_all_boxes_away() -> None:
    raw = manifest(("a", "dent", ["knurling", "dent"], ""))
    assert boxes_after(raw, rows(("sha0", "-", ""))) == ["no box"]


def test_without_rows_the_manifest_stays_as_it_is() -> None:
    raw = manifest(("a", "dent", ["dent"], ""))
    pd.testing.assert_frame_equal(with_box_reviews(raw, {}, LINE), raw)


def test_boxes_that_a_person_drew_make_and_end_a_conflict_with_the_label() -> None:
    raw = manifest(("a", "normal", [], ""), ("b", "slide", ["dent"], ""))
    assert found(raw) == [("v1", "box_conflict")]
    drawn = rows(("sha0", "dent", "1 2 3 4"), ("sha1", "slide", "1 2 3 4"))
    after = with_box_reviews(raw, read_box_reviews(drawn, raw, LINE), LINE)
    assert found(after) == [("v0", "box_conflict")]


@pytest.mark.parametrize(
    ("drawn", "mask_after"),
    [
        (("sha0", "dent", "10 20 24 24"), ""),
        (("sha0", "-", ""), "mask.png"),
        (("sha0", "knurling", "0 0 50 50"), "mask.png"),
    ],
)
def test_a_mask_gives_way_to_boxes_of_defects_only(
    drawn: tuple[str, str, str], mask_after: str
) -> None:
    raw = manifest(("a", "dent", [], ""), mask="mask.png")
    reviews = read_box_reviews(rows(drawn), raw, LINE)
    after = with_box_reviews(raw, reviews, LINE)
    assert list(after["mask_path"]) == [mask_after]
    whats = list(box_changes(raw, after, reviews)["what"])
    assert whats == (["boxes"] if mask_after else ["boxes", "mask"])


def test_every_change_is_listed_with_who_and_why() -> None:
    raw = manifest(("a", "dent", ["knurling"], ""), ("b", "dent", [], ""))
    reviews = read_box_reviews(rows(("sha0", "-", ""), ("sha1", "dent", "10 20 24 24")), raw, LINE)
    after = with_box_reviews(raw, reviews, LINE)
    listed = box_changes(raw, after, reviews)
    assert list(zip(listed["path"], listed["before"], listed["after"], strict=True)) == [
        ("0.png", "knurling at 1 2 3 4", "no box"),
        ("1.png", "no box", "dent at 10 20 24 24"),
    ]
    assert set(listed["source"]) == {"review"}
    assert set(listed["reason"]) == {"Kim: looked again"}
    # of a view that a label review left out nothing is said
    assert list(box_changes(raw, after[:1], reviews)["path"]) == ["0.png"]


@pytest.mark.parametrize(
    ("drawn", "problem"),
    [
        (("sha0", "dent", "90 20 24 24"), "0.png: dent at 90 20 24 24 lies outside of the frame"),
        (("sha0", "dent", "-1 20 24 24"), "outside of the frame, 100 x 80; correct it"),
        (("sha0", "dent", "0 60 24 20.02"), "outside of the frame"),
        (("sha0", "dent", "1 2 0 4"), "0.png: the box has no area"),
        (("sha0", "dent", "1 2 three 4"), "0.png: a position or size is no number"),
        (("sha0", "dent", "1 2 inf 4"), "is no number"),
        (("sha0", "bent", "1 2 3 4"), "category 'bent' is unknown; use one of normal, dent"),
        (("gone", "dent", "1 2 3 4"), "1 image_sha256 are not in the manifest: 'gone'"),
        (("sha0", "-", "1 2 3 4"), "leave its numbers empty"),
    ],
)
def test_a_row_that_cannot_be_used_is_reported(drawn: tuple[str, str, str], problem: str) -> None:
    raw = manifest(("a", "dent", [], ""))
    with pytest.raises(InspectionError) as caught:
        read_box_reviews(rows(drawn), raw, LINE)
    assert problem in str(caught.value)


def test_a_box_that_fills_the_frame_to_a_hundredth_is_used() -> None:
    raw = manifest(("a", "dent", [], ""))
    assert len(read_box_reviews(rows(("sha0", "dent", "0 0 100.01 80")), raw, LINE)) == 1


def test_all_mistakes_are_reported_at_once() -> None:
    raw = manifest(("a", "dent", [], ""), ("b", "dent", [], ""))
    drawn = rows(
        ("gone", "dent", "1 2 3 4"),
        ("sha0", "-", ""),
        ("sha0", "bent", "1 2 3 4"),
        ("sha1", "dent", "1 2 3 4"),
        ("sha1", "dent", "1 2 3 4"),
    )
    drawn.loc[4, "reviewer"] = "Ada"
    with pytest.raises(InspectionError) as caught:
        read_box_reviews(drawn, raw, LINE)
    reported = str(caught.value).splitlines()
    assert len(reported) == 4
    assert "'gone'" in reported[0]
    assert "0.png: - says that there is no box, and other rows say more" in reported[1]
    assert "0.png: category 'bent'" in reported[2]
    assert "1.png: drawn by 'Ada', 'Kim'; keep the rows of one" in reported[3]


def test_a_table_with_other_columns_is_refused() -> None:
    with pytest.raises(InspectionError, match="the columns are"):
        read_box_reviews(pd.DataFrame({"sha": []}), manifest(), LINE)


def test_what_is_read_names_who_and_why() -> None:
    raw = manifest(("a", "dent", [], ""))
    drawn = read_box_reviews(rows(("sha0", "dent", "1 2 3 4")), raw, LINE)
    box = LabelledBox("dent", Box(1, 2, 3, 4), "review")
    assert drawn == {"sha0": BoxReview((box,), "Kim", "looked again")}
    assert parse_boxes(boxes_cell(drawn["sha0"].boxes)) == [box]
