from functools import partial

import numpy as np
import pytest

from inspection.errors import InspectionError
from inspection.evaluation.golden.crops import (
    Batch,
    boxes_agree,
    detector_parity,
    evenly_drawn,
    locator_parity,
)
from inspection.evaluation.parity import Parity, require_parity
from inspection.runtime.verdict import verdict_alone
from tests.bundles import sample_settings

SIZE_PX = (64, 32)
CLASSIFIER = sample_settings().classifier
ANOMALY = sample_settings().detectors["anomaly"]
LOGITS = np.log([[0.9, 0.05, 0.05], [0.04, 0.95, 0.01]])


def spots(*columns: int, peak: float = 3.0, cold: float = -2.0) -> np.ndarray:
    """Raw heat (N, 2, 8, 16) of the two defects, with one hot spot of 3 x 3 cells a crop."""
    heat = np.full((len(columns), 2, 8, 16), cold, np.float32)
    for number, column in enumerate(columns):
        heat[number, :, 2:5, column : column + 3] = peak
    return heat


def parity(got: Batch, tolerance: float = 1e-3) -> Parity:
    wanted = Batch(LOGITS, spots(2, 8))
    verdict_of = partial(verdict_alone, "classifier", settings=sample_settings())
    return detector_parity(
        wanted, got, CLASSIFIER, verdict_of, size_px=SIZE_PX, tolerance=tolerance
    )


def test_a_run_that_says_the_same_is_in_parity() -> None:
    found = parity(Batch(LOGITS, spots(2, 8)))
    assert found == Parity(n=2, score_difference=0.0, heat_difference=0.0, flipped=0, moved=0)


def test_rounding_of_less_than_the_tolerance_flips_and_moves_nothing() -> None:
    noise = np.random.default_rng(0).uniform(-1e-4, 1e-4, (2, 2, 8, 16))
    found = parity(Batch(LOGITS + 1e-5, spots(2, 8) + noise))
    assert (found.flipped, found.moved) == (0, 0)
    assert 0 < found.heat_difference < 1e-3
    require_parity({"classifier": found}, tolerance=1e-3)


def test_another_score_flips_the_verdict() -> None:
    found = parity(Batch(LOGITS[::-1], spots(2, 8)))
    assert found.flipped == 2
    assert found.score_difference == pytest.approx(0.86)


def test_heat_elsewhere_moves_the_box_and_stops_the_deployment() -> None:
    found = parity(Batch(LOGITS, spots(2, 11)))
    assert (found.flipped, found.moved) == (0, 1)
    with pytest.raises(InspectionError, match="1 of 2 images are boxed elsewhere"):
        require_parity({"classifier": found}, tolerance=1e-3)


def test_the_heat_of_every_defect_is_compared_not_of_the_likeliest_alone() -> None:
    other = spots(2, 8)
    other[0, 1] -= 2.5
    assert parity(Batch(LOGITS, other)).heat_difference == pytest.approx(0.5)


def test_an_anomaly_model_is_compared_by_its_one_score_and_one_map() -> None:
    maps = spots(2, 8, cold=0.0)[:, 0]
    wanted, got = (Batch(np.array([0.9, 2.4]) + off, maps) for off in (0.0, 0.6))
    verdict_of = partial(verdict_alone, "anomaly", settings=sample_settings())
    found = detector_parity(wanted, got, ANOMALY, verdict_of, size_px=SIZE_PX, tolerance=1e-3)
    assert found.score_difference == pytest.approx(0.6)
    assert found.flipped == 2  # 0.9 passes and 1.5 is reviewed; 2.4 is reviewed, 3.0 rejected
    assert found.moved == 0


@pytest.mark.parametrize(
    ("difference", "agree"), [(0.0005, True), (-0.0005, True), (0.003, False), (-0.003, False)]
)
def test_a_cell_at_the_threshold_may_be_boxed_by_one_alone_within_the_tolerance(
    difference: float, agree: bool
) -> None:
    wanted = np.zeros((8, 16), np.float32)
    wanted[2:5, 2:5] = 0.9
    wanted[2:5, 5] = 0.5 - difference / 2
    got = wanted.copy()
    got[2:5, 5] = 0.5 + difference / 2
    kept = boxes_agree(wanted, got, size_px=SIZE_PX, threshold=0.5, tolerance=0.001)
    assert kept is agree


def test_a_locator_that_finds_a_region_elsewhere_or_not_at_all_is_no_parity() -> None:
    maps = np.zeros((2, 1, 8, 16), np.float32)
    maps[:, 0, 2:6, 4:8] = 1.0
    shifted, blind = np.roll(maps, 1, axis=3), maps.copy()
    blind[1] = 0.0
    assert locator_parity(maps, maps) == Parity(2, 0.0, 0.0, 0)
    assert locator_parity(maps, shifted).heat_difference == pytest.approx(1 / 16)
    assert locator_parity(maps, blind).flipped == 1


@pytest.mark.parametrize(("n", "rows"), [(3, [0, 4, 9]), (1, [0]), (99, [*range(10)])])
def test_golden_crops_are_drawn_evenly(n: int, rows: list[int]) -> None:
    assert evenly_drawn(np.arange(10), n).tolist() == rows
