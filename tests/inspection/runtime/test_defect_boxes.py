import dataclasses

import numpy as np
import pytest

from inspection.geometry import Box, intersection_over_union
from inspection.runtime.defect_boxes import _hottest
from inspection.runtime.detectors import HeatScale
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import judge_view
from inspection.runtime.views import View, ViewOutputs
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


def boxes_of_a_dent(inspector: Inspector, *, top_px: float) -> list[Box]:
    """The classifier's boxes, were the rod lower by so much that the first begins at `top_px`."""
    seen = inspector.measure(view("dent"))
    window = seen.windows["rod"]
    topmost = min(box.y_px for box in by_classifier(seen, inspector))
    lower = dataclasses.replace(window, y_px=window.y_px + round(top_px - topmost))
    moved = dataclasses.replace(seen, windows=seen.windows | {"rod": lower})
    return by_classifier(moved, inspector)


def by_classifier(seen: ViewOutputs, inspector: Inspector) -> list[Box]:
    judged = judge_view(seen, inspector.card)
    return [one.box for one in judged.boxes if one.found_by == "classifier"]


@pytest.mark.parametrize(("inside_px", "is_boxed"), [(0, False), (1, True)])
def test_a_box_of_which_a_pixel_lies_in_the_frame_is_drawn(
    inspector: Inspector, inside_px: int, is_boxed: bool
) -> None:
    """It lies a frame's height beyond the lower edge, and so its mirror image at the upper one."""
    _, height_px = inspector.measure(view("dent")).frame_size_px
    boxes = boxes_of_a_dent(inspector, top_px=2 * height_px - inside_px)
    assert bool(boxes) == is_boxed


def test_heat_in_the_mirror_image_beyond_the_edge_is_boxed_where_it_comes_from(
    inspector: Inspector,
) -> None:
    _, height_px = inspector.measure(view("dent")).frame_size_px
    (beyond,) = boxes_of_a_dent(inspector, top_px=height_px + 1)
    assert beyond.bottom_px == pytest.approx(height_px - 1, abs=1)


def test_a_place_and_its_mirror_image_are_boxed_once(inspector: Inspector) -> None:
    """Two hot places, as far above the frame's lower edge as below it, the lower one hotter."""
    seen = inspector.measure(view("dent"))
    heat = np.full_like(seen.detectors["classifier"].heat, -9.0)
    heat[:, 2:4, 4:8] = 0.8  # of ten rows of cells
    heat[:, 6:8, 4:8] = 0.9
    hot = with_output(seen, "classifier", seen.detectors["classifier"].values, heat)

    window = hot.windows["rod"]
    _, height_px = hot.frame_size_px
    middle_at_edge = dataclasses.replace(window, y_px=height_px - window.height_px // 2)
    moved = dataclasses.replace(hot, windows=hot.windows | {"rod": middle_at_edge})

    assert len(by_classifier(hot, inspector)) == 2
    (box,) = by_classifier(moved, inspector)
    assert box.bottom_px < height_px
