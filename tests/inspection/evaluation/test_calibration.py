import numpy as np
import pytest
from sklearn.metrics import log_loss as reference_log_loss

from inspection.evaluation.calibration import (
    calibrate,
    calibration_error,
    fit_temperature,
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
