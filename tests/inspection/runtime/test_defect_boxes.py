import dataclasses

import numpy as np
import pytest

from inspection.geometry import Box, intersection_over_union
from inspection.runtime.defect_boxes import _hottest
from inspection.runtime.detectors import HeatScale
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import judge_view
from inspection.runtime.views import View
from tests.bundles import RIVET, ROD, changed_detector, draw_part, make_bundle
from tests.inspection.runtime.test_verdict import with_output
from tests.pictures import encoded


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    folder = tmp_path_factory.mktemp("bundle")
    make_bundle(folder)
    return Inspector(folder)


def view(defect: str = "normal", *, name: str = "top", **place: tuple[int, int]) -> View:
    return View(name, encoded(draw_part(defect, **place)))


def test_a_doubt_without_heat_is_boxed_at_its_worst_place_and_shown_as_cold(
    inspector: Inspector,
) -> None:
    outputs = inspector.measure(view())
    faint = np.full_like(outputs.detectors["anomaly"].heat, 0.01)
    faint[0, 2:5, 3:6] = 0.02
    judged = judge_view(with_output(outputs, "anomaly", [1.5], faint), inspector.card)
    assert (judged.verdict, judged.verdicts["fused"]) == ("review", "review")
    (box,) = [one for one in judged.boxes if one.found_by == "anomaly"]
    assert box.heat < 0.1
    assert intersection_over_union(box.box, RIVET) > 0


def test_a_doubt_without_heat_is_boxed_where_the_defect_that_it_names_is_likeliest(
    inspector: Inspector,
) -> None:
    """The map of another defect is warmer elsewhere; the box belongs to the name."""
    outputs = inspector.measure(view())
    heat = np.full_like(outputs.detectors["classifier"].heat, -9.0)
    heat[0, 2:5, 14:18] = 0.9  # a dent on the right: warmer, but not likely
    heat[1, 2:5, 2:6] = 0.1
    doubted = with_output(outputs, "classifier", np.log([0.4, 0.1, 0.5]), heat)
    cold = HeatScale(cold=1.0, hot=3.0, box_threshold=0.5)
    card = changed_detector(inspector.card, "classifier", heat=cold)
    judged = judge_view(doubted, card)
    (box,) = [one.box for one in judged.boxes if one.found_by == "classifier"]
    assert judged.label == "slide"
    assert box.right_px < ROD.x_px + ROD.width_px / 2


def test_what_lies_beside_the_frame_is_not_boxed(inspector: Inspector) -> None:
    seen = inspector.measure(view("dent"))
    window = dataclasses.replace(seen.windows["rod"], y_px=1000)
    beside = dataclasses.replace(seen, windows=seen.windows | {"rod": window})
    judged = judge_view(beside, inspector.card)
    assert judged.verdict == "reject"
    assert [one for one in judged.boxes if one.found_by == "classifier"] == []


@pytest.mark.parametrize("share", [0.9, 0.8, 0.7, 0.6, 0.5])
def test_without_heat_the_first_share_of_the_peak_that_has_an_area_is_boxed(share: float) -> None:
    """One cell is the peak, three lie just above a share of it, and many just below."""
    raw = np.zeros((8, 16), np.float32)
    raw[1:7, 2:14] = share - 0.05
    raw[3, 5:8] = share + 0.01
    raw[3, 5] = 1.0
    [(box, peak)] = _hottest(raw, 0.1 * raw, (64, 32))
    assert box == Box(20, 12, 12, 4)
    assert peak == pytest.approx(0.1)


def test_below_half_of_the_peak_nothing_is_boxed() -> None:
    raw = np.full((8, 16), 0.49, np.float32)
    raw[3, 5] = 1.0
    assert _hottest(raw, 0.1 * raw, (64, 32)) == []


@pytest.mark.parametrize(("inside_px", "is_boxed"), [(0, False), (1, True)])
def test_a_box_of_which_a_pixel_lies_in_the_frame_is_drawn(
    inspector: Inspector, inside_px: int, is_boxed: bool
) -> None:
    seen = inspector.measure(view("dent"))
    whole = [
        one.box for one in judge_view(seen, inspector.card).boxes if one.found_by == "classifier"
    ]
    topmost = min(box.y_px for box in whole)
    window = seen.windows["rod"]
    _, height_px = seen.frame_size_px
    lower = dataclasses.replace(window, y_px=window.y_px + round(height_px - inside_px - topmost))
    moved = dataclasses.replace(seen, windows=seen.windows | {"rod": lower})
    boxes = [one for one in judge_view(moved, inspector.card).boxes if one.found_by == "classifier"]
    assert bool(boxes) == is_boxed
