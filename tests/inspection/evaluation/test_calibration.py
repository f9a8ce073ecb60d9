import numpy as np
import pytest
from sklearn.metrics import log_loss as reference_log_loss

from inspection.evaluation.calibration import (
    Truth,
    calibrate,
    calibration_error,
    fit_temperature,
    fit_weighting,
    log_loss,
)
from inspection.runtime.bundle import ModelSet
from inspection.runtime.views import DetectorOutput, ViewOutputs
from tests.bundles import make_bundle


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ModelSet:
    return make_bundle(tmp_path_factory.mktemp("bundle")).models


def honest(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, 3) and labels drawn with exactly the probabilities that they claim."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 1.5, (n, 3))
    return logits, (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)


@pytest.mark.parametrize("boast", [0.5, 1.0, 4.0])
def test_the_temperature_takes_back_exactly_what_was_boasted(boast: float) -> None:
    logits, labels = honest()
    assert fit_temperature(boast * logits, labels) == pytest.approx(boast, rel=0.07)


@pytest.mark.parametrize(("logit", "bound"), [(0.01, 0.05), (-0.01, 20.0)])
def test_logits_without_meaning_end_at_a_bound(logit: float, bound: float) -> None:
    """All of them right by a hair, or all wrong: the sharper, or the flatter, the better."""
    logits = np.tile([logit, 0.0], (9, 1))
    assert fit_temperature(logits, [0] * 9) == pytest.approx(bound, rel=1e-3)


def test_a_temperature_has_six_decimals() -> None:
    found = fit_temperature(*honest(200))
    assert found == round(found, 6)
    assert found != round(found, 5)


def test_no_other_temperature_has_less_loss() -> None:
    logits, labels = honest(200)
    best = fit_temperature(logits, labels)
    losses = [log_loss(logits, labels, best * factor) for factor in (0.9, 1.0, 1.1)]
    assert losses[1] == min(losses)


def test_the_loss_is_that_of_scikit_learn() -> None:
    logits, labels = honest(100)
    odds = np.exp(logits / 2.0)
    expected = reference_log_loss(labels, odds / odds.sum(axis=1, keepdims=True))
    assert log_loss(logits, labels, 2.0) == pytest.approx(expected, rel=1e-5)


def test_a_confident_miss_costs_much_but_not_infinitely_much() -> None:
    assert log_loss(np.array([[0.0, 900.0]]), [0], 1.0) == pytest.approx(-np.log(1e-12))


def test_a_calibration_error_counted_by_hand() -> None:
    sure, torn = [np.log(0.9), np.log(0.1)], [np.log(0.6), np.log(0.4)]
    logits = np.array([sure, sure, torn, torn])
    found = calibration_error(logits, [0, 0, 0, 1], 1.0)
    assert found == pytest.approx(0.5 * (1 - 0.9) + 0.5 * (0.6 - 0.5), abs=1e-6)


def test_confidences_are_compared_in_ten_bins() -> None:
    """0.54 and 0.56 lie in one of ten bins; of nine or of eleven each lies in one of its own."""
    confidence = np.array([0.54, 0.56])
    logits = np.log(np.column_stack([confidence, 1 - confidence]))
    assert calibration_error(logits, [0, 1], 1.0) == pytest.approx(0.55 - 0.5, abs=1e-6)


def test_boasting_raises_the_calibration_error() -> None:
    logits, labels = honest()
    assert calibration_error(logits, labels, 1.0) < 0.02
    assert calibration_error(4 * logits, labels, 1.0) > 0.1


def parts_of(*views: tuple[str, list[float] | None]) -> dict[str, list[ViewOutputs]]:
    """One part per view, of this name and these logits; None where the rod was not found."""
    heat = np.zeros((2, 4, 4), np.float32)
    return {
        name: [
            ViewOutputs(
                name, "", (320, 256), {}, {},
                {} if logits is None else {"classifier": DetectorOutput(np.array(logits), heat)},
            )
        ]
        for name, logits in views
    }  # fmt: skip


LABELS = {"good": "normal", "bad": "dent", "rivet": "under_press", "hidden": "dent"}


def test_a_classifier_that_is_always_right_is_made_surer(models: ModelSet) -> None:
    parts = parts_of(
        ("good", [2, 0, 0]), ("bad", [0, 2, 0]), ("rivet", [2, 0, 0]), ("hidden", None)
    )
    scaling, error = calibrate(parts, LABELS, models)
    assert scaling.temperature < 1
    assert 0 <= error < 0.1


def test_where_val_holds_one_class_alone_the_temperature_is_one(models: ModelSet) -> None:
    parts = parts_of(("good", [2, 0, 0]), ("rivet", [2, 0, 0]))
    assert calibrate(parts, LABELS, models)[0].temperature == 1.0


def two_kinds(n: int = 200, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Summands of a detector that tells, and of one that tells nothing; half are defective."""
    generator = np.random.default_rng(seed)
    bad = np.arange(n) % 2 == 1
    summands = {"tells": generator.normal(2.0 * bad, 1.0), "noise": generator.normal(0, 5, n)}
    return summands, bad


def truth_of(bad: np.ndarray) -> Truth:
    return Truth(bad, {"part": bad}, {"tells": "part", "noise": "part"})


def test_regions_are_fitted_on_the_defects_that_show_there() -> None:
    """What one detector says of its region is nothing against a defect in the other's."""
    generator = np.random.default_rng(0)
    rod, rivet = np.arange(300) < 60, np.arange(300) >= 260
    summands = {
        "classifier": generator.normal(4.0 * rod, 1.0),
        "anomaly": generator.normal(4.0 * rivet, 1.0),
    }
    truth = Truth(
        rod | rivet, {"rod": rod, "rivet": rivet}, {"classifier": "rod", "anomaly": "rivet"}
    )
    found = fit_weighting(summands, truth)
    assert {name: set(one.weights) for name, one in found.regions.items()} == {
        "rod": {"classifier"}, "rivet": {"anomaly"}
    }  # fmt: skip
    assert found.score({"classifier": 6.0, "anomaly": -9.0}) > 0.9
    assert found.score({"classifier": -2.0, "anomaly": -2.0}) < 0.01

    unknown = Truth(rod, {"rod": rod, "rivet": rivet & False}, truth.region_of)
    assert set(fit_weighting(summands, unknown).regions) == {"rod"}


def test_weights_are_those_of_the_log_likelihood_ratio_where_half_are_defective() -> None:
    """Of two Gaussians 2 apart it rises by 2 a unit, and is 0 half-way between."""
    summands, bad = two_kinds(20000)
    found = fit_weighting(summands, truth_of(bad))
    assert found.weights["tells"] == pytest.approx(2.0, rel=0.05)
    assert found.weights["noise"] == pytest.approx(0.0, abs=0.02)
    half_way = found.odds({"tells": 1.0, "noise": 0.0})
    assert half_way == pytest.approx(0.0, abs=0.1)
    assert found.usual["tells"] == pytest.approx(0.0, abs=0.05)


def test_a_detector_that_would_speak_against_a_defect_counts_nothing() -> None:
    summands, bad = two_kinds()
    summands["noise"] = -summands["tells"] + np.random.default_rng(1).normal(0, 1, len(bad)) - bad
    found = fit_weighting(summands, truth_of(bad))
    assert found.weights["noise"] == 0.0
    assert found.weights["tells"] > 0
    alone = fit_weighting({"tells": summands["tells"]}, truth_of(bad))
    assert found.weights["tells"] == pytest.approx(alone.weights["tells"])


def test_parts_told_apart_without_an_error_have_finite_weights() -> None:
    summands = {"tells": np.r_[np.full(20, -9.0), np.full(20, 9.0)]}
    found = fit_weighting(summands, truth_of(np.arange(40) >= 20))
    assert 0 < found.weights["tells"] < 10


def test_parts_that_lack_a_score_are_left_out_and_one_kind_alone_counts_all_alike() -> None:
    summands, bad = two_kinds()
    known = fit_weighting(summands, truth_of(bad))
    more = {name: np.r_[values, np.nan, 9.0] for name, values in summands.items()}
    more["noise"][-1] = np.nan
    assert fit_weighting(more, truth_of(np.r_[bad, True, False])) == known
    alike = fit_weighting(
        {name: values[~bad] for name, values in summands.items()}, truth_of(bad[~bad])
    )
    spreads = [values[~bad].std() for values in summands.values()]
    assert np.array(list(alike.weights.values())) * spreads == pytest.approx([1.0, 1.0])
    nothing = fit_weighting({"tells": np.zeros(0)}, truth_of(np.zeros(0, bool)))
    assert nothing.weights["tells"] == 1.0
