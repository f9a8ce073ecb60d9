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


@pytest.mark.parametrize(("row", "is_edge"), [(5, True), (6, False), (93, False), (94, True)])
def test_the_edge_is_the_outer_six_percent_of_the_crop(row: int, is_edge: bool) -> None:
    heat = np.zeros((100, 100), np.float32)
    heat[row, 50] = 1.0
    assert measures(heat, np.zeros((100, 100), np.uint8))["edge"] == is_edge


@pytest.mark.parametrize("expected", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
def test_limits_of_a_box_are_tried_in_tenths_from_one_to_eight(expected: float) -> None:
    """Only a limit between the defect and what is warm around it boxes the defect alone."""
    heat = on(np.s_[2:14, 4:30], value=expected - 0.01)
    heat[6:10, 12:18] = expected + 0.01
    assert best_threshold(heat[None], DEFECT[None], cold=0.0, hot=1.0) == (expected, 1.0)


@pytest.mark.parametrize(("covered", "expected"), [(127, 0.0), (128, 1.0)])
def test_a_cell_is_of_the_defect_where_half_of_it_is_covered(covered: int, expected: float) -> None:
    target = on(np.s_[6:10, 12:18], value=covered).astype(np.uint8)
    heat = on(np.s_[6:10, 12:18], value=1.0)
    assert overlap(heat, target, 0.5) == expected
