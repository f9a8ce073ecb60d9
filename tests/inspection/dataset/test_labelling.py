from typing import Any

import pytest

from inspection.boxes import LabelledBox
from inspection.dataset.annotations import Annotations
from inspection.dataset.labelling import (
    Labelled,
    Unknown,
    by_boxes,
    by_masks,
    by_table,
    check_unknown,
)
from inspection.dataset.quarantine import Finding
from inspection.errors import InspectionError
from inspection.geometry import Box
from inspection.line import Line


def line(*defects: str) -> Line:
    return Line.model_validate(
        {
            "name": "line",
            "normal": "good",
            "classes": {"good": {"aliases": ["ok"]}, **{name: {} for name in defects}},
            "regions": {"rod": {"size_px": [32, 32], "shows": defects}},
            "classify": "rod",
            "detect_anomalies": "rod",
        }
    )


LINE = line("dent", "scratch")


def boxed(category: str, side: float = 10.0) -> LabelledBox:
    return LabelledBox(category, Box(0, 0, side, side), "coco")


def by(boxes: dict[str, list[LabelledBox]], annotated: Annotations, **options: Any) -> Any:
    options = {"unlabelled_is_normal": False, "line": LINE} | options
    return by_boxes(list(boxes), boxes, annotated, **options)


def annotations(**boxes: list[LabelledBox]) -> Annotations:
    found = Annotations()
    for path, some in boxes.items():
        found.add(path, "coco", some)
    return found


def test_the_defect_that_covers_most_names_the_view() -> None:
    boxes = {"a": [boxed("scratch", 30), boxed("dent", 20), boxed("dent", 25), boxed("rod", 90)]}
    labels, strange = by(boxes, annotations(**boxes))
    assert labels == {"a": Labelled("dent", "dent")}
    assert strange == []


def test_an_annotated_view_without_a_defect_is_normal() -> None:
    boxes = {"empty": [], "rod only": [boxed("rod")]}
    labels, _ = by(boxes, annotations(**boxes))
    assert set(labels.values()) == {Labelled("good", "good")}


@pytest.mark.parametrize("is_normal", [False, True])
def test_a_view_that_nothing_annotates_is_normal_only_where_the_layout_says_so(
    is_normal: bool,
) -> None:
    labels, strange = by({"a": []}, Annotations(), unlabelled_is_normal=is_normal)
    assert list(labels) == ["a"] * is_normal
    assert [one.reason for one in strange] == ["unlabelled"] * (not is_normal)


def test_what_was_dropped_or_not_read_is_no_evidence_of_a_good_part() -> None:
    dropped = annotations(a=[boxed("dent")])
    unread = Annotations(unread={"a"})
    for annotated in (dropped, unread):
        labels, strange = by({"a": []}, annotated, unlabelled_is_normal=True)
        assert labels == {}
        assert [one.reason for one in strange] == ["unlabelled"]


def test_masks_tell_one_defect_from_normal() -> None:
    labels, strange = by_masks("abc", {"a": True, "b": False}, line=line("dent"))
    assert {path: one.label for path, one in labels.items()} == {"a": "dent", "b": "good"}
    assert [(one.path, one.reason) for one in strange] == [("c", "unlabelled")]
    more, _ = by_masks("c", {}, unlabelled_is_normal=True, line=line("dent"))
    assert more["c"].label == "good"
    with pytest.raises(InspectionError, match="there are 2: 'dent', 'scratch'; leave one"):
        by_masks("a", {}, line=LINE)


def test_of_several_rows_the_first_defect_counts() -> None:
    rows = {"a": ["OK", "scratch", "dent"], "b": ["ok"], "c": ["ok", "burr"], "d": []}
    labels, strange = by_table(list("abcd"), rows, unlabelled_is_normal=False, line=LINE)
    assert labels == {"a": Labelled("scratch", "scratch"), "b": Labelled("good", "ok")}
    assert [(one.path, one.reason, one.detail) for one in strange[:1]] == [
        ("c", "unknown_class", "burr")
    ]
    assert strange[1].reason == "unlabelled"


@pytest.mark.parametrize(("n_strange", "is_refused"), [(5, False), (6, True)])
def test_one_image_in_twenty_may_be_unknown(n_strange: int, is_refused: bool) -> None:
    strange = [Finding(f"{i}.png", "unknown_class", "burr") for i in range(n_strange)]
    if is_refused:
        with pytest.raises(InspectionError, match="class 'burr' of 6 images is unknown"):
            check_unknown(strange, n_images=100, unknown=Unknown())
    else:
        check_unknown(strange, n_images=100, unknown=Unknown())
        with pytest.raises(InspectionError):
            check_unknown(strange, n_images=100, unknown=Unknown(action="error"))
