import json

import pandas as pd
import pytest

from inspection.boxes import LabelledBox, boxes_cell
from inspection.curation.label_rules import (
    REVIEW_COLUMNS,
    box_conflicts,
    changes,
    conflicts,
    copy_conflicts,
    disagreements,
    read_reviews,
    with_holds,
    with_reviews,
)
from inspection.errors import InspectionError
from inspection.geometry import Box
from inspection.line import Line

LINE = Line.model_validate(
    {
        "name": "line",
        "normal": "normal",
        "classes": {"normal": {"aliases": ["정상"]}, "dent": {}, "slide": {}},
        "regions": {"knurling": {"size_px": [32, 32], "shows": ["dent", "slide"]}},
        "classify": "knurling",
        "detect_anomalies": "knurling",
    }
)
ALL = {"box_conflict": "hold", "part_disagreement": "hold", "duplicate_conflict": "hold"}


ANYWHERE = Box(1, 2, 3, 4)


def views(*rows: tuple[str, str, list[str], str]) -> pd.DataFrame:
    """Rows of part, label, categories of boxes, near-duplicate group."""
    return pd.DataFrame(
        {
            "view_id": [f"v{i}" for i in range(len(rows))],
            "path": [f"{i}.png" for i in range(len(rows))],
            "image_sha256": [f"sha{i}" for i in range(len(rows))],
            "part_id": [part for part, *_ in rows],
            "label": [label for _, label, _, _ in rows],
            "boxes": [
                boxes_cell(LabelledBox(name, ANYWHERE, "coco") for name in boxes)
                for _, _, boxes, _ in rows
            ],
            "near_duplicate_group": [group for *_, group in rows],
            "label_source": "file",
            "copies": "[]",
        }
    )


def with_copies(table: pd.DataFrame, *copies: tuple[str, str]) -> pd.DataFrame:
    """The first view of the table with copies of these paths and labels."""
    told = json.dumps([{"path": path, "label": label} for path, label in copies])
    return table.assign(copies=[told, *table["copies"][1:]])


def reviews(*rows: tuple[str, str]) -> pd.DataFrame:
    content = [(sha, label, "kim", "looked again") for sha, label in rows]
    return pd.DataFrame(content, columns=list(REVIEW_COLUMNS), dtype=str)


def found(table: pd.DataFrame, **actions: str) -> list[tuple[str, str]]:
    return [(one.view_id, one.rule) for one in conflicts(table, LINE, ALL | actions)]


def test_a_defect_boxed_as_another_class_is_a_conflict_with_the_box_as_suggestion() -> None:
    table = views(
        ("a", "normal", ["dent"], ""),
        ("b", "slide", ["dent"], ""),
        ("c", "dent", ["dent", "slide"], ""),
        ("d", "normal", ["knurling"], ""),
        ("e", "dent", [], ""),
    )
    told = conflicts(table, LINE, ALL)
    assert [(one.view_id, one.suggested) for one in told] == [("v0", "dent"), ("v1", "dent")]
    assert told[0].reason == "boxed as dent, labelled normal"


def test_views_of_one_part_that_disagree_are_all_in_conflict() -> None:
    table = views(("a", "dent", [], ""), ("a", "normal", [], ""), ("b", "dent", [], ""))
    assert found(table) == [("v0", "part_disagreement"), ("v1", "part_disagreement")]


def test_near_duplicates_with_different_labels_are_in_conflict() -> None:
    table = views(("a", "dent", [], "g"), ("b", "normal", [], "g"), ("c", "dent", [], ""))
    assert found(table) == [("v0", "duplicate_conflict"), ("v1", "duplicate_conflict")]


def test_a_view_whose_copy_is_labelled_otherwise_is_in_conflict_and_told_the_copy() -> None:
    table = with_copies(
        views(("a", "normal", [], ""), ("b", "dent", [], "")),
        ("x.png", "dent"), ("y.png", "normal"), ("z.png", "slide"), ("unknown.png", ""),
    )  # fmt: skip
    (told,) = conflicts(table, LINE, ALL)
    assert (told.view_id, told.rule) == ("v0", "duplicate_conflict")
    assert told.reason == "same bytes as 'x.png', labelled dent and as 'z.png', labelled slide"
    assert (told.suggested, told.confidence) == ("dent", 0.5)
    assert found(table, duplicate_conflict="off") == []


def test_copies_that_agree_or_tell_no_label_are_no_conflict() -> None:
    table = views(("a", "normal", [], ""))
    assert found(with_copies(table, ("x.png", "normal"), ("unknown.png", ""))) == []


def test_a_review_settles_a_view_and_its_copies() -> None:
    raw = with_copies(views(("a", "normal", [], "")), ("x.png", "dent"))
    table = with_reviews(raw, read_reviews(reviews(("sha0", "normal")), raw, LINE))
    assert found(table) == []


def test_a_rule_that_is_off_finds_nothing_and_one_that_reports_holds_nothing() -> None:
    table = views(("a", "normal", ["dent"], ""))
    assert found(table, box_conflict="off") == []
    told = conflicts(table, LINE, ALL)
    assert list(with_holds(table, told, rules=["box_conflict"])["held"]) == [True]
    assert list(with_holds(table, told, rules=[])["held"]) == [False]


def test_a_held_view_says_every_rule_that_holds_it() -> None:
    table = views(("a", "normal", ["dent"], ""), ("a", "dent", [], ""))
    held = with_holds(table, conflicts(table, LINE, ALL), rules=list(ALL))
    assert held.loc[0, "held_reason"] == (
        "box_conflict: boxed as dent, labelled normal; "
        "part_disagreement: part_id a: 1 x dent, 1 x normal"
    )


def test_a_review_changes_the_label_and_settles_the_other_views_of_the_part() -> None:
    raw = views(("a", "normal", [], ""), ("a", "dent", [], ""), ("b", "dent", [], ""))
    told = read_reviews(reviews(("sha0", "dent")), raw, LINE)
    table = with_reviews(raw, told)
    assert list(table["label"]) == ["dent", "dent", "dent"]
    assert list(table["label_source"]) == ["review", "file", "file"]
    held = with_holds(table, conflicts(table, LINE, ALL), rules=list(ALL))
    assert not held["held"].any()


def test_a_reviewed_view_is_never_held_again() -> None:
    raw = views(("a", "normal", ["dent"], ""))
    table = with_reviews(raw, read_reviews(reviews(("sha0", "정상")), raw, LINE))
    held = with_holds(table, conflicts(table, LINE, ALL), rules=list(ALL))
    assert held.loc[0, ["label", "held"]].tolist() == ["normal", False]


def test_every_change_is_listed_with_what_made_it() -> None:
    raw = views(
        ("a", "normal", [], ""), ("b", "dent", [], ""), ("c", "normal", ["dent"], ""),
        ("d", "dent", [], ""),
    )  # fmt: skip
    told = read_reviews(reviews(("sha0", "slide"), ("sha1", "-")), raw, LINE)
    table = with_reviews(raw, told)
    table = with_holds(table, conflicts(table, LINE, ALL), rules=list(ALL))
    listed = changes(raw, table, told)
    assert len(table) == 3
    assert listed[["view_id", "what", "before", "after", "source"]].values.tolist() == [
        ["v0", "label", "normal", "slide", "review"],
        ["v1", "excluded", "dent", "-", "review"],
        ["v2", "held", "normal", "normal", "rule:box_conflict"],
    ]
    assert listed.loc[0, "reason"] == "kim: looked again"


def test_all_mistakes_in_the_reviews_are_told_at_once() -> None:
    raw = views(("a", "normal", [], ""))
    bad = reviews(("sha0", "dent"), ("sha0", "slide"), ("gone", "dent"), ("sha0", "bent"))
    with pytest.raises(InspectionError) as caught:
        read_reviews(bad, raw, LINE)
    told = str(caught.value)
    assert "1 image_sha256 are not in the manifest: 'gone'" in told
    assert "unknown labels 'bent'" in told
    assert "reviewed with different labels: 'sha0'" in told


def test_reviews_with_other_columns_are_refused() -> None:
    with pytest.raises(InspectionError, match="the columns are"):
        read_reviews(pd.DataFrame({"sha": []}), views(), LINE)


def test_no_reviews_change_nothing() -> None:
    raw = views(("a", "normal", [], ""))
    table = with_reviews(raw, read_reviews(reviews(), raw, LINE))
    assert list(table["label"]) == ["normal"]
    assert list(table["label_source"]) == ["file"]


def test_a_box_against_a_label_is_sure_to_nine_in_ten() -> None:
    (found,) = box_conflicts(views(("p1", "normal", ["dent"], "")), LINE)
    assert (found.suggested, found.confidence) == ("dent", 0.9)


def test_two_labels_of_one_part_make_a_disagreement_and_one_makes_none() -> None:
    agreeing = views(("p1", "dent", [], ""), ("p1", "dent", [], ""))
    assert disagreements(agreeing, by="part_id", rule="r") == []
    differing = views(("p1", "dent", [], ""), ("p1", "normal", [], ""))
    found = disagreements(differing, by="part_id", rule="r")
    assert [(one.view_id, one.reason) for one in found] == [
        ("v0", "part_id p1: 1 x dent, 1 x normal"),
        ("v1", "part_id p1: 1 x dent, 1 x normal"),
    ]


@pytest.mark.parametrize(
    ("copies", "confidence"),
    [
        ([("x.png", "dent")], 1 / 2),
        ([("x.png", "dent"), ("y.png", "dent")], 2 / 3),
        ([("x.png", "dent"), ("y.png", "normal")], 1 / 3),
        ([("x.png", "dent"), ("y.png", "")], 1 / 2),
    ],
)
def test_a_copy_is_as_sure_as_the_share_of_files_that_say_otherwise(
    copies: list[tuple[str, str]], confidence: float
) -> None:
    table = with_copies(views(("p1", "normal", [], "")), *copies)
    (found,) = copy_conflicts(table)
    assert (found.suggested, found.confidence) == ("dent", pytest.approx(confidence))
