import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import softmax

from inspection.runtime.detectors import (
    MAX_ODDS,
    StandardScore,
    TemperatureScaling,
    Thresholds,
    anomaly_regions,
    log_odds,
    probabilities_of,
    score_names,
)
from inspection.runtime.views import DetectorOutput
from tests.bundles import sample_line, sample_settings

HEAT = np.zeros((2, 4, 4), np.float32)
DETECTORS = sample_settings().detectors


def test_a_score_on_or_between_the_thresholds_goes_to_review() -> None:
    limits = Thresholds(accept_below=1.0, reject_above=2.0)
    verdicts = [limits.verdict(score) for score in (0.9, 1.0, 1.5, 2.0, 2.1)]
    assert verdicts == ["pass", "review", "review", "review", "reject"]


def test_a_score_that_is_not_a_number_goes_to_review() -> None:
    assert Thresholds(accept_below=1.0, reject_above=2.0).verdict(float("nan")) == "review"


def test_probabilities_are_the_softmax_of_cooled_logits() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (5, 4))
    np.testing.assert_allclose(
        probabilities_of(logits, 2.5), softmax(logits / 2.5, axis=-1), rtol=1e-5
    )


def test_logits_beyond_all_exponents_still_give_probabilities() -> None:
    assert probabilities_of([[900.0, 0.0, 0.0]], 1.0)[0].tolist() == [1.0, 0.0, 0.0]


def test_log_odds_are_cut_off_at_one_in_a_million_either_way() -> None:
    ends = log_odds(np.array([0.0, 1e-7, 1.0]))
    assert ends == pytest.approx([-13.8155, -13.8155, 13.8155], abs=1e-4)
    assert pytest.approx(ends[-1]) == MAX_ODDS


def test_the_score_of_logits_is_the_chance_of_any_defect() -> None:
    scores = TemperatureScaling(temperature=1.0).scores(
        np.log([[0.6, 0.3, 0.1], [0.2, 0.8, 0.0001]])
    )
    assert scores == pytest.approx([0.4, 0.8], abs=1e-4)


def test_the_anomaly_score_counts_in_standard_deviations_of_normals() -> None:
    scores = StandardScore(mean=2.0, std=0.5).scores([[2.0], [3.0], [1.5]])
    assert scores.tolist() == [0.0, 2.0, -1.0]


@pytest.mark.parametrize("broken", [0.0, -1.0])
def test_a_calibration_that_divides_by_nothing_is_refused(broken: float) -> None:
    with pytest.raises(ValidationError):
        TemperatureScaling(temperature=broken)
    with pytest.raises(ValidationError):
        StandardScore(mean=0.0, std=broken)


def test_one_anomaly_detector_needs_no_region_in_its_name_and_several_do() -> None:
    assert anomaly_regions(sample_line()) == {"anomaly": "rivet"}
    both = sample_line(detect_anomalies=["rivet", "rod"])
    assert anomaly_regions(both) == {"anomaly_rivet": "rivet", "anomaly_rod": "rod"}
    assert score_names(both) == ("fused", "classifier", "anomaly_rivet", "anomaly_rod")


def test_the_classifier_names_the_likeliest_defect_and_the_anomaly_model_none() -> None:
    output = DetectorOutput(np.log([0.9, 0.02, 0.08]), HEAT)
    assert DETECTORS["classifier"].likeliest_defect(output) == "slide"
    assert DETECTORS["classifier"].probabilities(output) == pytest.approx(
        {"normal": 0.9, "dent": 0.02, "slide": 0.08}
    )
    score = DetectorOutput(np.array([3.0]), HEAT[:1])
    assert DETECTORS["anomaly"].likeliest_defect(score) is None
    assert DETECTORS["anomaly"].probabilities(score) == {}
