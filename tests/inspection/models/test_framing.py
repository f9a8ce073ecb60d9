from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from inspection.boxes import LabelledBox, boxes_cell
from inspection.errors import InspectionError
from inspection.geometry import Box
from inspection.line import Line
from inspection.models.framing import (
    Framed,
    defect_boxes,
    frame_view,
    located_regions,
    locator_agreement,
    locator_targets,
    require_boxes,
)
from inspection.runtime.framing import Located

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
    return SimpleNamespace(width_px=FRAME_PX[0], height_px=FRAME_PX[1], boxes=drawn, label=label)


def table(*views: Any) -> pd.DataFrame:
    return pd.DataFrame([vars(view) for view in views])


def test_the_locator_looks_for_all_regions_but_the_whole_frame() -> None:
    assert located_regions(LINE.regions) == ["rod", "rivet"]


def framed_rod(drawn: Any, located: dict[str, Located], framing: str) -> Framed:
    return frame_view(drawn, LINE.regions, located, framing=framing)["rod"]


def test_crops_are_framed_as_the_service_frames_them_also_where_there_is_a_label() -> None:
    framed = framed_rod(view(rod=LABELLED), {"rod": Located(SEEN, 0.9)}, "located")
    assert framed == Framed(SEEN, "located", 0.9)


def test_a_labelled_box_is_preferred_where_that_is_asked_for() -> None:
    framed = framed_rod(view(rod=LABELLED), {"rod": Located(SEEN, 0.9)}, "boxes")
    assert framed == Framed(LABELLED, "labelled", 1.0)


def test_a_label_stands_in_where_nothing_is_located() -> None:
    assert framed_rod(view(rod=LABELLED), {}, "located") == Framed(LABELLED, "labelled", 1.0)


def test_what_is_located_stands_in_where_boxes_are_preferred_and_none_is_drawn() -> None:
    assert framed_rod(view(), {"rod": Located(SEEN, 0.9)}, "boxes").source == "located"


def test_a_region_neither_located_nor_labelled_is_missing() -> None:
    assert set(frame_view(view(), LINE.regions, {}, framing="located")) == {"part"}


def test_the_whole_frame_is_its_own_box() -> None:
    framed = frame_view(view(part=LABELLED), LINE.regions, {}, framing="boxes")["part"]
    assert framed == Framed(Box(0, 0, 64, 48), "frame", 1.0)


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


def test_agreement_is_that_of_labelled_regions_and_what_is_not_located_counts_as_none() -> None:
    drawn = view(rod=LABELLED, rivet=LABELLED)
    shifted = Box(LABELLED.x_px + 16, *list(vars(LABELLED).values())[1:])
    located = {"rod": Located(shifted, 0.9)}
    agreement = locator_agreement(drawn, ["rod", "rivet"], located)
    assert agreement == {"rod": pytest.approx(1 / 3), "rivet": 0.0}
    assert locator_agreement(view(), ["rod"], located) == {}


def test_only_a_box_of_the_views_own_defect_places_it() -> None:
    spot = Box(20, 20, 4, 4)
    assert defect_boxes(view("dent", dent=spot, rod=LABELLED), ("dent",)) == [spot]
    assert defect_boxes(view("normal", dent=spot), ("dent",)) == []
    assert defect_boxes(view("dent", dent=spot), ()) == []
