import numpy as np
import pytest

from inspection.runtime.detectors import MAX_ODDS
from inspection.runtime.fusion import (
    RegionWeighting,
    Weighting,
    as_probability,
    threshold_on_probability,
)

USUAL = {"classifier": -4.0, "anomaly": 0.0}
WEIGHTS = Weighting(
    regions={"part": RegionWeighting(weights={"classifier": 0.5, "anomaly": 2.0}, intercept=-1.0)},
    usual=USUAL,
)


def test_the_score_is_the_probability_of_the_weighted_sum() -> None:
    score = WEIGHTS.score({"classifier": 2.0, "anomaly": 0.5})
    assert score == pytest.approx(1 / (1 + np.exp(-(-1.0 + 0.5 * 2.0 + 2.0 * 0.5))))


def test_a_part_is_defective_where_any_of_its_regions_is() -> None:
    regions = {
        "rod": RegionWeighting(weights={"classifier": 1.0}, intercept=0.0),
        "rivet": RegionWeighting(weights={"anomaly": 1.0}, intercept=-1.0),
    }
    both = Weighting(regions=regions, usual=USUAL)
    odds = np.array([[-3.0, -2.0], [4.0, -5.0], [-9.0, 6.0]])
    found = as_probability(both.odds({"classifier": odds[:, 0], "anomaly": odds[:, 1] + 1.0}))
    np.testing.assert_allclose(found, 1 - np.prod(1 - as_probability(odds), axis=1), rtol=1e-6)
    assert both.weights == {"classifier": 1.0, "anomaly": 1.0}


def test_what_was_not_measured_has_no_score() -> None:
    assert np.isnan(WEIGHTS.odds({"classifier": np.array([1.0]), "anomaly": np.array([np.nan])}))


def test_a_detector_that_is_missing_counts_as_it_does_for_normal_parts() -> None:
    assert WEIGHTS.score({"anomaly": 3.0}) == WEIGHTS.score({"classifier": -4.0, "anomaly": 3.0})
    alone = as_probability(WEIGHTS.odds_alone("anomaly", 3.0))
    assert float(alone) == WEIGHTS.score({"anomaly": 3.0})


def test_a_suspicion_rests_on_what_adds_at_least_half_as_much_as_the_most() -> None:
    assert WEIGHTS.suspects({"classifier": 4.0, "anomaly": 0.5}) == ["classifier"]
    assert WEIGHTS.suspects({"classifier": 4.0, "anomaly": 1.5}) == ["classifier", "anomaly"]
    assert WEIGHTS.suspects({"classifier": -4.0, "anomaly": 1.5}) == ["anomaly"]
    assert WEIGHTS.suspects({"classifier": -5.0, "anomaly": -1.0}) == ["classifier"]
    assert WEIGHTS.suspects({"anomaly": 0.5}) == ["anomaly"]


def test_half_as_much_is_enough_and_less_is_not() -> None:
    one_region = RegionWeighting(weights={"classifier": 1.0, "anomaly": 1.0}, intercept=0.0)
    even = Weighting(regions={"rod": one_region}, usual={"classifier": 0.0, "anomaly": 0.0})
    assert even.suspects({"classifier": 4.0, "anomaly": 2.0}) == ["classifier", "anomaly"]
    assert even.suspects({"classifier": 4.0, "anomaly": 1.9}) == ["classifier"]


def test_thresholds_beyond_all_that_can_be_told_lie_outside() -> None:
    assert threshold_on_probability(1e9) > float(as_probability(MAX_ODDS))
    assert threshold_on_probability(-1e9) < float(as_probability(-MAX_ODDS))
    assert threshold_on_probability(0.0) == 0.5
