import math

import pytest

from inspection.boxes import LabelledBox
from inspection.dataset.boxes import fault, merged, resolved, same
from inspection.geometry import Box
from inspection.line import Line

LINE = Line.model_validate(
    {
        "name": "line",
        "normal": "normal",
        "classes": {"normal": {}, "dent": {"aliases": ["찍힘"]}},
        "regions": {"rivet": {"size_px": [32, 32], "shows": ["dent"], "aliases": ["Niet"]}},
        "classify": "rivet",
        "detect_anomalies": "rivet",
    }
)
SIZE = {"width_px": 100, "height_px": 80}


def box(
    x: float, y: float, w: float, h: float, category: str = "dent", source: str = "yolo"
) -> LabelledBox:
    return LabelledBox(category, Box(x, y, w, h), source)


@pytest.mark.parametrize(
    ("edges", "reason"),
    [
        ((0, 0, 100, 80), ""),
        ((-1, 0, 10, 10), ""),
        ((-1.1, 0, 10, 10), "box_outside"),
        ((-2, 0, 10, 10), "box_outside"),
        ((95, 0, 10, 10), "box_outside"),
        ((0, 75, 10, 10), "box_outside"),
        ((10, 10, 0, 10), "box_empty"),
        ((10, 10, 5, -1), "box_empty"),
        ((math.nan, 0, 10, 10), "box_not_a_number"),
        ((0, 0, math.inf, 10), "box_not_a_number"),
    ],
)
def test_boxes_that_cannot_be_are_reported_by_one_word(
    edges: tuple[float, ...], reason: str
) -> None:
    x, y, w, h = edges
    assert fault(Box(x, y, w, h), **SIZE) == reason


def test_a_box_that_rounds_over_the_edge_is_clipped_to_the_frame() -> None:
    over = box(-0.6, 70, 20, 10.8)
    kept, findings = resolved([over], path="a", size_px=(100, 80), sources={"yolo"}, line=LINE)
    assert kept == [box(0, 70, 19.4, 10)]
    assert findings == []


def test_boxes_agree_when_every_edge_does_within_a_pixel_and_a_half() -> None:
    assert same(box(10, 10, 20, 20), box(11.5, 10, 18.5, 20))
    assert not same(box(10, 10, 20, 20), box(11.6, 10, 20, 20))
    assert not same(box(10, 10, 20, 20), box(10, 10, 20, 20, category="rivet"))


def test_a_box_that_two_files_tell_counts_once_and_names_both() -> None:
    twice = [box(10, 10, 20, 20), box(10.4, 9.8, 20, 20, source="coco")]
    assert merged(twice) == [box(10, 10, 20, 20, source="yolo+coco")]


def test_two_equal_boxes_of_one_file_stay_two() -> None:
    assert len(merged([box(10, 10, 20, 20), box(10, 10, 20, 20)])) == 2


def test_names_of_boxes_become_those_of_classes_and_regions() -> None:
    found = [box(1, 1, 5, 5, "찍힘"), box(2, 2, 9, 9, "niet"), box(3, 3, 5, 5, "scratch")]
    kept, findings = resolved(found, path="a", size_px=(100, 80), sources={"yolo"}, line=LINE)
    assert [one.category for one in kept] == ["dent", "rivet"]
    assert [(f.reason, f.view_kept) for f in findings] == [("box_unknown_category", True)]


def test_a_box_that_only_one_of_two_files_has_is_reported_and_kept() -> None:
    boxes = [box(10, 10, 20, 20), box(10, 10, 20, 20, source="coco"), box(50, 50, 9, 9)]
    both = {"yolo", "coco"}
    kept, findings = resolved(boxes, path="a", size_px=(100, 80), sources=both, line=LINE)
    assert len(kept) == 2
    assert [finding.reason for finding in findings] == ["boxes_disagree"]
    assert "only yolo: dent at 50.0 50.0 9.0 9.0" in findings[0].detail
    _, alone = resolved(boxes[:1], path="a", size_px=(100, 80), sources={"yolo"}, line=LINE)
    assert alone == []
