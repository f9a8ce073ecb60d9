import numpy as np
import pytest

from inspection.evaluation.cam_scores import (
    absolute_scale,
    best_threshold,
    measures,
    overlap,
    score,
)

SHAPE = (20, 40)


def on(*cells: tuple[slice, slice], value: float = 255) -> np.ndarray:
    grid = np.zeros(SHAPE, np.float32)
    for cell in cells:
        grid[cell] = value
    return grid


DEFECT = on(np.s_[6:10, 12:18]).astype(np.uint8)


def test_heat_on_the_defect_points_at_it_with_all_its_energy() -> None:
    found = measures(on(np.s_[7:9, 14:16], value=3.0), DEFECT)
    assert found == {"pointing": 1.0, "energy": 1.0, "edge": 0.0}


def test_energy_is_the_share_of_the_heat_on_the_defect() -> None:
    heat = on(np.s_[8, 14], np.s_[15, 30], np.s_[15, 31], np.s_[15, 32], value=1.0)
    assert measures(heat, DEFECT)["energy"] == pytest.approx(0.25)


@pytest.mark.parametrize(("column", "points"), [(19, 1.0), (20, 0.0)])
def test_a_peak_two_cells_off_still_points_and_three_cells_off_does_not(
    column: int, points: float
) -> None:
    assert measures(on(np.s_[8, column], value=1.0), DEFECT)["pointing"] == points


def test_heat_on_the_edge_of_the_crop_is_counted_unless_the_defect_is_there() -> None:
    heat = on(np.s_[0, 5], np.s_[8, 14], value=1.0)
    assert measures(heat, DEFECT)["edge"] == pytest.approx(0.5)
    assert measures(heat, on(np.s_[0:2, 4:7]).astype(np.uint8))["edge"] == 0


def test_no_heat_points_nowhere() -> None:
    assert measures(on(), DEFECT) == {"pointing": 0.0, "energy": 0.0, "edge": 0.0}


def test_overlap_of_boxes_counted_by_hand() -> None:
    ring = on(np.s_[6, 12:18], np.s_[9, 12:18], np.s_[6:10, 12], np.s_[6:10, 17], value=1.0)
    assert overlap(ring, DEFECT, 0.5) == 1.0  # a ring is boxed as what it encloses
    assert overlap(on(np.s_[6:10, 15:21], value=1.0), DEFECT, 0.5) == pytest.approx(12 / 36)
    assert overlap(on(), DEFECT, 0.5) == 0.0
    assert overlap(on(), np.zeros(SHAPE, np.uint8), 0.5) == 0.0


def test_cold_is_what_normal_crops_hardly_exceed_and_hot_what_defects_usually_reach() -> None:
    normal_peaks = np.arange(101) / 100
    assert absolute_scale(normal_peaks, [3.0, 4.0, 9.0]) == pytest.approx((0.95, 4.0))


def test_defects_that_are_no_hotter_than_normals_make_a_scale_all_the_same() -> None:
    cold, hot = absolute_scale([1.0, 1.0], [0.5])
    assert (cold, hot) == (1.0, pytest.approx(2.0))
    assert absolute_scale([], []) == (0.0, pytest.approx(1e-6))


def test_the_box_threshold_is_the_one_that_boxes_the_defect() -> None:
    heat = on(np.s_[2:14, 4:30], value=0.35)
    heat[6:10, 12:18] = 0.65
    threshold, iou = best_threshold(heat[None], DEFECT[None], cold=0.0, hot=1.0)
    assert (threshold, iou) == (0.4, 1.0)


def test_a_recipe_that_points_truly_scores_higher_than_one_that_looks_at_the_edge() -> None:
    true, false = on(np.s_[6:10, 12:18], value=2.0), on(np.s_[0, :], value=2.0)
    good, bad = (score(heat[None], DEFECT[None], [0.1]) for heat in (true, false))
    assert good["score"] == pytest.approx(1.0)
    assert bad["score"] == pytest.approx(-1.0)
    assert (good["cold"], good["hot"], good["iou"]) == (pytest.approx(0.1), 2.0, 1.0)
