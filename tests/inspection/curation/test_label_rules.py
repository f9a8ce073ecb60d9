import pytest

from inspection.curation.label_rules import (
    box_conflicts,
    changes,
    conflicts,
    copy_conflicts,
    disagreements,
    with_holds,
)
from inspection.curation.reviews import read_reviews, with_reviews
from tests.labelled_views import ALL, LINE, found, reviews, views, with_copies


def test_a_defect_boxed_as_another_class_is_a_conflict_with_the_box_as_suggestion() -> None:
    table = views(
        ("a", "normal", ["dent"], ""),
        ("b", "slide", ["dent"], ""),
        ("c", "dent", ["dent", "slide"], ""),
        ("d", "normal", ["knurling"], ""),
        ("e", "dent", [], ""),
    )
    reported = conflicts(table, LINE, ALL)
    assert [(one.view_id, one.suggested) for one in reported] == [("v0", "dent"), ("v1", "dent")]
    assert reported[0].reason == "boxed as dent, labelled normal"


def test_views_of_one_part_that_disagree_are_all_in_conflict() -> None:
    table = views(("a", "dent", [], ""), ("a", "normal", [], ""), ("b", "dent", [], ""))
    assert found(table) == [("v0", "part_disagreement"), ("v1", "part_disagreement")]


def test_near_duplicates_with_different_labels_are_in_conflict() -> None:
    table = views(("a", "dent", [], "g"), ("b", "normal", [], "g"), ("c", "dent", [], ""))
    rule = "near_duplicate_conflict"
    assert found(table) == [("v0", rule), ("v1", rule)]


def test_a_view_whose_copy_is_labelled_otherwise_is_in_conflict_and_told_the_copy() -> None:
    table = with_copies(
        views(("a", "normal", [], ""), ("b", "dent", [], "")),
        ("x.png", "dent"), ("y.png", "normal"), ("z.png", "slide"), ("unknown.png", ""),
    )  # fmt: skip
    (reported,) = conflicts(table, LINE, ALL)
    assert (reported.view_id, reported.rule) == ("v0", "duplicate_conflict")
    assert reported.reason == "same bytes as 'x.png', labelled dent and as 'z.png', labelled slide"
    assert (reported.suggested, reported.confidence) == ("dent", 0.5)
    assert found(table, duplicate_conflict="off") == []


def test_copies_that_agree_or_tell_no_label_are_no_conflict() -> None:
    table = views(("a", "normal", [], ""))
    assert found(with_copies(table, ("x.png", "normal"), ("unknown.png", ""))) == []


def test_a_rule_that_is_off_finds_nothing_and_one_that_reports_holds_nothing() -> None:
    table = views(("a", "normal", ["dent"], ""))
    assert found(table, box_conflict="off") == []
    reported = conflicts(table, LINE, ALL)
    assert list(with_holds(table, reported, rules=["box_conflict"])["held"]) == [True]
    assert list(with_holds(table, reported, rules=[])["held"]) == [False]


def test_a_held_view_says_every_rule_that_holds_it() -> None:
    table = views(("a", "normal", ["dent"], ""), ("a", "dent", [], ""))
    held = with_holds(table, conflicts(table, LINE, ALL), rules=list(ALL))
    assert held.loc[0, "held_reason"] == (
        "box_conflict: boxed as dent, labelled normal; "
        "part_disagreement: part_id a: 1 x dent, 1 x normal"
    )


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
    reported = read_reviews(reviews(("sha0", "slide"), ("sha1", "-")), raw, LINE)
    table = with_reviews(raw, reported)
    table = with_holds(table, conflicts(table, LINE, ALL), rules=list(ALL))
    listed = changes(raw, table, reported)
    assert len(table) == 3
    assert listed[["view_id", "what", "before", "after", "source"]].values.tolist() == [
        ["v0", "label", "normal", "slide", "review"],
        ["v1", "excluded", "dent", "-", "review"],
        ["v2", "held", "normal", "normal", "rule:box_conflict"],
    ]
    assert listed.loc[0, "reason"] == "kim: looked again"


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
