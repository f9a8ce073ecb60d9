"""Probabilities that mean what they say: those of the classes, and that of a defect.

Temperature scaling (Guo et al. 2017) makes the classifier's honest; a logistic regression makes one
of the scores of all detectors (Platt 1999).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from inspection.evaluation.part_scores import Parts
from inspection.runtime.bundle import ModelSet
from inspection.runtime.detectors import (
    CLASSIFIER,
    Scores,
    TemperatureScaling,
    probabilities_of,
)
from inspection.runtime.fusion import Weighting

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
# Of the ridge on weights of summands of unit variance: scikit-learn's own. It keeps the weights
# finite where the parts are told apart without an error.
INVERSE_RIDGE = 1.0


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


def fit_weighting(
    summands: Mapping[str, Scores], defective: Any, defect_rate: float
) -> Weighting:
    """The weights of the detectors' summands (parts,) that tell defective parts from normal ones.

    The log-odds are those of a line on which `defect_rate` of the parts are defective. A detector
    whose weight would be below 0 counts nothing: what looks less normal is never taken for the
    better part. Parts with a NaN are left out. Where one kind is missing all detectors count alike.
    """
    names = list(summands)
    table = np.column_stack([summands[name] for name in names])
    known = ~np.isnan(table).any(axis=1)
    table, bad = table[known], np.asarray(defective, bool)[known]
    normal = table[~bad]
    usual = normal.mean(axis=0) if len(normal) else np.zeros(len(names))
    spread = table.std(axis=0) if len(table) else np.ones(len(names))
    spread = np.where(spread > 0, spread, 1.0)

    if not bad.any() or bad.all():
        weights, intercept = np.ones(len(names)), 0.0
    else:
        weights, intercept = _logistic(table / spread, bad, list(range(len(names))))
        intercept += _odds(defect_rate) - _odds(float(bad.mean()))
    return Weighting(
        weights=dict(zip(names, (weights / spread).tolist(), strict=True)),
        intercept=float(intercept),
        usual=dict(zip(names, usual.tolist(), strict=True)),
    )


def _logistic(
    table: Scores, defective: Any, columns: Sequence[int]
) -> tuple[Scores, float]:
    """Weights (columns of the table,) and intercept, the weights below 0 set to 0 and left out."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=INVERSE_RIDGE).fit(table[:, columns], defective)
    found = fitted.coef_[0]
    if (found < 0).any() and len(columns) > 1:
        rest = [
            column for column, one in zip(columns, found, strict=True) if one >= 0
        ] or [columns[int(np.argmax(found))]]
        return _logistic(table, defective, rest)

    weights = np.zeros(table.shape[1])
    weights[list(columns)] = np.maximum(found, 0)
    return weights, float(fitted.intercept_[0])


def _odds(rate: float) -> float:
    """The log-odds of a rate between 0 and 1."""
    return float(np.log(rate / (1 - rate)))


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
