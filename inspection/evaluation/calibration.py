"""Temperature scaling: probabilities that mean what they say (Guo et al. 2017)."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from inspection.evaluation.part_scores import Parts
from inspection.runtime.bundle import ModelSet
from inspection.runtime.detectors import (
    CLASSIFIER,
    TemperatureScaling,
    probabilities_of,
)

# Temperatures that are tried: networks are too sure of themselves by a factor of 1 to 4
# (Guo et al. 2017, table 2); what ends at a bound has logits without any meaning.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
# Decimals of the temperature: a change in the next one moves no score by more than 1e-6.
DECIMALS = 6
# The least probability whose logarithm is taken: a label that a model excludes costs 28
# nats, and not infinitely many.
MIN_PROBABILITY = 1e-12
# As in Guo et al. 2017 would be 15; with a hundred views ten bins hold ten each.
N_BINS = 10


def calibrate(
    parts: Parts, view_labels: Mapping[str, str], models: ModelSet
) -> tuple[TemperatureScaling, float]:
    """The temperature that makes the classifier's probabilities honest on val parts.

    That is 1 where val holds one class alone, which cannot tell. Also returns the calibration
    error that is left, 0..1. `view_labels` holds the label of each view by its name.
    """
    pairs = list(_labelled_logits(parts, view_labels, models))
    logits = np.array([values for values, _ in pairs])
    numbers = [number for _, number in pairs]

    can_tell = len(set(numbers)) > 1
    temperature = fit_temperature(logits, numbers) if can_tell else 1.0
    error = calibration_error(logits, numbers, temperature)
    return TemperatureScaling(temperature=temperature), error


def fit_temperature(logits: Any, labels: Any) -> float:
    """The temperature of least log loss on val: logits (N, classes), class numbers (N,)."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return log_loss(logits, labels, float(np.exp(log_temperature)))

    bounds = (np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE))
    best = minimize_scalar(loss, bounds=bounds, method="bounded")
    return round(float(np.exp(best.x)), DECIMALS)


def log_loss(logits: Any, labels: Any, temperature: float) -> float:
    """Mean negative log probability of the labels, in nats."""
    probabilities = probabilities_of(logits, temperature).astype(np.float64)
    of_label = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_label, MIN_PROBABILITY)).mean())


def calibration_error(logits: Any, labels: Any, temperature: float) -> float:
    """Expected calibration error, 0..1: how far confidence and accuracy lie apart, bin by bin."""
    probabilities = probabilities_of(logits, temperature)
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == np.asarray(labels)
    bin_of = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)

    error = 0.0
    for number in np.unique(bin_of):
        in_bin = bin_of == number
        gap = abs(confidence[in_bin].mean() - is_right[in_bin].mean())
        error += gap * in_bin.mean()
    return float(error)


def _labelled_logits(
    parts: Parts, view_labels: Mapping[str, str], models: ModelSet
) -> Iterator[tuple[Any, int]]:
    """Logits (classes,) and class number of each view whose region was found."""
    classifier = models.detectors[CLASSIFIER]
    for views in parts.values():
        for view in views:
            if CLASSIFIER not in view.detectors:
                continue

            label = models.line.label_in(classifier.region, view_labels[view.name])
            number = classifier.classes.index(label)
            yield view.detectors[CLASSIFIER].values, number
