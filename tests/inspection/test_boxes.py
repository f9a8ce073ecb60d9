import json

import pytest

from inspection.boxes import LabelledBox, boxes_cell, boxes_of, defect_boxes, parse_boxes
from inspection.geometry import Box
from inspection.line import Line

LINE = Line.model_validate(
    {
        "name": "line",
        "normal": "good",
        "classes": {"good": {}, "dent": {}, "scratch": {}},
        "regions": {"rod": {"size_px": [32, 32], "shows": ["dent", "scratch"]}},
        "classify": "rod",
        "detect_anomalies": "rod",
    }
)


def labelled(category: str, source: str = "yolo") -> LabelledBox:
    return LabelledBox(category, Box(1.0, 2.0, 3.5, 4.0), source)


def test_what_is_written_is_parsed_as_it_was() -> None:
    boxes = [labelled("rod"), labelled("dent", "yolo+coco")]
    assert parse_boxes(boxes_cell(boxes)) == boxes
    assert parse_boxes("[]") == []


def test_a_cell_is_json_with_the_names_of_the_manifest_and_readable_hangul() -> None:
    cell = boxes_cell([labelled("찍힘")])
    assert "찍힘" in cell
    assert json.loads(cell) == [
        {
            "category": "찍힘",
            "x_px": 1.0,
            "y_px": 2.0,
            "width_px": 3.5,
            "height_px": 4.0,
            "source": "yolo",
        }
    ]


def test_coordinates_are_stored_to_a_hundredth_of_a_pixel() -> None:
    cell = boxes_cell([LabelledBox("dent", Box(1.23456, 2.98765, 3.33333, 4.66666), "coco")])
    assert parse_boxes(cell)[0].box == Box(1.23, 2.99, 3.33, 4.67)


def test_boxes_of_some_categories_come_in_their_order() -> None:
    far, near = Box(50, 0, 10, 10), Box(0, 0, 30, 20)
    boxes = [LabelledBox("rod", far, "coco"), labelled("dent"), LabelledBox("rod", near, "coco")]
    assert boxes_of(boxes, {"rod"}) == [far, near]
    assert boxes_of(boxes, {"rivet"}) == []


@pytest.mark.parametrize(
    ("categories", "deciding"),
    [
        (["good", "dent"], ["dent"]),
        (["dent", "good", "good"], ["dent"]),
        (["rod", "dent", "scratch"], ["dent", "scratch"]),
        (["good", "rod"], []),
    ],
)
def test_a_defect_outweighs_what_is_boxed_as_good(
    categories: list[str], deciding: list[str]
) -> None:
    found = defect_boxes([labelled(name) for name in categories], LINE)
    assert [one.category for one in found] == deciding
