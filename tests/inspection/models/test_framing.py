from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from inspection.errors import InspectionError
from inspection.models.framing import (
    defect_boxes,
    frame_view,
    located_regions,
    locator_agreement,
    locator_targets,
    require_boxes,
)
from inspection.line import Line
from inspection.boxes import LabelledBox, boxes_cell
from inspection.geometry import Box, coverage, intersection_over_union

FRAME_PX = (64, 48)
CELLS = (16, 12)
LINE = Line.model_validate(
    {
        "name": "drawn",
        "normal": "normal",
        "classes": {"normal": {}, "dent": {}},
        "regions": {
            "rod": {"size_px": [64, 32], "shows": ["dent"]},
            "rivet": {"size_px": [32, 32]},
            "part": {"size_px": [64, 48], "whole_frame": True},
        },
        "classify": "rod",
        "detect_anomalies": "rivet",
    }
)
LABELLED, SEEN = Box(8, 8, 32, 24), Box(12, 12, 32, 24)


def view(label: str = "normal", **boxes: Box) -> Any:
    drawn = boxes_cell(LabelledBox(name, box, "coco") for name, box in boxes.items())
    return SimpleNamespace(
        width_px=FRAME_PX[0], height_px=FRAME_PX[1], boxes=drawn, label=label
    )


def table(*views: Any) -> pd.DataFrame:
    return pd.DataFrame([vars(view) for view in views])


def seen_at(box: Box) -> np.ndarray:
    return coverage([box], CELLS, FRAME_PX)


NOTHING = np.zeros(CELLS[::-1], np.float32)


def test_the_locator_looks_for_all_regions_but_the_whole_frame() -> None:
    assert located_regions(LINE) == ["rod", "rivet"]


def test_crops_are_framed_as_the_service_frames_them_also_where_there_is_a_label() -> None:
    framed = frame_view(view(rod=LABELLED), LINE, {"rod": seen_at(SEEN)}, framing="located")["rod"]
    assert framed.source == "located"
    assert framed.confidence > 0.9
    assert intersection_over_union(framed.box, SEEN) > 0.9


def test_a_labelled_box_is_preferred_where_that_is_asked_for() -> None:
    framed = frame_view(view(rod=LABELLED), LINE, {"rod": seen_at(SEEN)}, framing="boxes")["rod"]
    assert (framed.box, framed.source, framed.confidence) == (LABELLED, "labelled", 1.0)


def test_a_label_stands_in_where_nothing_is_located() -> None:
    framed = frame_view(view(rod=LABELLED), LINE, {"rod": NOTHING}, framing="located")["rod"]
    assert (framed.box, framed.source) == (LABELLED, "labelled")


def test_a_region_neither_located_nor_labelled_is_missing() -> None:
    framed = frame_view(view(), LINE, {"rod": NOTHING}, framing="located")
    assert set(framed) == {"part"}


def test_the_whole_frame_is_its_own_box() -> None:
    framed = frame_view(view(part=LABELLED), LINE, {}, framing="boxes")["part"]
    assert (framed.box, framed.source) == (Box(0, 0, 64, 48), "frame")


def test_the_target_of_an_unlabelled_region_is_unknown_not_empty() -> None:
    targets = locator_targets(table(view(rod=LABELLED), view()), ["rod", "rivet"], CELLS)
    assert targets.shape == (2, 2, 12, 16)
    assert targets[0, 0].sum() == pytest.approx(LABELLED.area_px / 16)
    assert np.isnan(targets[0, 1]).all()
    assert np.isnan(targets[1]).all()


def test_every_region_without_a_box_is_told_with_what_to_do() -> None:
    require_boxes(table(view(rod=LABELLED), view(rivet=LABELLED)), ["rod", "rivet"])
    with pytest.raises(InspectionError) as caught:
        require_boxes(table(view(), view(dent=LABELLED)), ["rod", "rivet"])
    first, second = str(caught.value).splitlines()
    assert first.startswith("line.regions.rod: no view of the train fold has a box")
    assert second.startswith("line.regions.rivet")
    assert second.endswith("or set whole_frame: true")


def test_agreement_is_over_labelled_views_and_what_is_not_found_counts_as_none() -> None:
    views = table(view(rod=LABELLED), view(rod=LABELLED), view())
    maps = np.stack([seen_at(LABELLED), NOTHING, seen_at(SEEN)])
    agreement = locator_agreement(views, {"rod": maps})
    assert agreement["rod"] == [pytest.approx(1.0, abs=0.02), 0.0]


def test_only_a_box_of_the_views_own_defect_places_it() -> None:
    spot = Box(20, 20, 4, 4)
    assert defect_boxes(view("dent", dent=spot, rod=LABELLED), ("dent",)) == [spot]
    assert defect_boxes(view("normal", dent=spot), ("dent",)) == []
    assert defect_boxes(view("dent", dent=spot), ()) == []
