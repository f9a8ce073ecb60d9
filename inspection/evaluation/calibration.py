"""Probabilities that mean what they say: those of the classes, and that of a defect.

Temperature scaling (Guo et al. 2017) makes the classifier's honest; a logistic regression makes one
of the scores of all detectors (Platt 1999).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inspection.evaluation.part_scores import Parts
from inspection.runtime.bundle import ModelSet
from inspection.runtime.detectors import (
    CLASSIFIER,
    Scores,
    TemperatureScaling,
    log_odds,
    probabilities_of,
)
from inspection.runtime.fusion import RegionWeighting, Weighting

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
# Share of defective parts for which scores are told: neither kind is favoured, so a score speaks of
# the part alone. What the line's own share and costs make of it, the thresholds say.
EVEN = 0.5
# Of a ridge on the weights, so large that there is none: the targets keep them finite.
# no outcome: at a tenth or ten times of it the weights are the same to five digits
INVERSE_RIDGE = 1e6


@dataclass(frozen=True)
class Truth:
    """Which parts are defective (parts,), and which show a defect in each region (parts,).

    `region_of` names the region of each detector.
    """

    defective: Any
    in_region: dict[str, Any]
    region_of: dict[str, str]

    @classmethod
    def of(cls, labels: Sequence[Collection[str]], models: ModelSet) -> "Truth":
        """The truth of parts by the labels of their views."""
        line = models.line
        region_of = {name: one.region for name, one in models.detectors.items()}
        shown = {
            region: set(line.regions[region].shows) for region in region_of.values()
        }
        return cls(
            defective=np.array([set(one) != {line.normal} for one in labels], bool),
            in_region={
                region: np.array([bool(defects & set(one)) for one in labels], bool)
                for region, defects in shown.items()
            },
            region_of=region_of,
        )

    def of_rows(self, rows: Any) -> "Truth":
        """The truth of some of the parts."""
        in_region = {region: bad[rows] for region, bad in self.in_region.items()}
        return Truth(self.defective[rows], in_region, self.region_of)


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


def fit_weighting(summands: Mapping[str, Scores], truth: Truth) -> Weighting:
    """The weights of the detectors' summands (parts,) that tell defective parts from normal ones.

    They are fitted region by region, on the defects that show there; the log-odds are those where
    half of all parts are defective, of these as many in each region as here.
    A detector whose weight would be below 0 counts nothing: what looks less normal is never taken
    for the better part. Nor does a region of which no defect is known, but where none is known at
    all: then all detectors count alike. Parts with a NaN are left out.
    """
    names = list(summands)
    table = np.column_stack([summands[name] for name in names])
    known = ~np.isnan(table).any(axis=1)
    table, truth = table[known], truth.of_rows(known)
    normal = table[~truth.defective]
    usual = normal.mean(axis=0) if len(normal) else np.zeros(len(names))
    spread = table.std(axis=0) if len(table) else np.ones(len(names))
    spread = np.where(spread > 0, spread, 1.0)

    n_defective = int(truth.defective.sum())
    regions = {}
    for region, bad in truth.in_region.items():
        columns = [n for n, name in enumerate(names) if truth.region_of[name] == region]
        if bad.any() and not bad.all():
            weights, intercept = _logistic(table / spread, bad, columns)
            rate = EVEN * float(bad.sum()) / n_defective
            intercept += float(log_odds(rate) - log_odds(bad.mean()))
        elif not n_defective or n_defective == len(table):
            weights, intercept = np.ones(len(names)), 0.0
        else:
            continue
        regions[region] = RegionWeighting(
            weights={names[n]: float(weights[n] / spread[n]) for n in columns},
            intercept=float(intercept),
        )
    return Weighting(
        regions=regions, usual=dict(zip(names, usual.tolist(), strict=True))
    )


def _logistic(
    table: Scores, defective: Any, columns: Sequence[int]
) -> tuple[Scores, float]:
    """Weights (columns of the table,) and intercept, the weights below 0 set to 0 and left out.

    The targets are those of Platt 1999, a little off 0 and 1: one more part of each kind may yet
    come out otherwise, so parts told apart without an error do not make certainty.
    """
    from sklearn.linear_model import LogisticRegression

    n_bad, n_good = int(defective.sum()), int((~defective).sum())
    target = np.where(defective, (n_bad + 1) / (n_bad + 2), 1 / (n_good + 2))
    both = np.vstack([table[:, columns]] * 2)
    is_bad = np.repeat([True, False], len(table))
    fitted = LogisticRegression(C=INVERSE_RIDGE, max_iter=1000).fit(
        both, is_bad, sample_weight=np.r_[target, 1 - target]
    )
    found = fitted.coef_[0]
    if (found < 0).any() and len(columns) > 1:
        rest = [
            column for column, one in zip(columns, found, strict=True) if one >= 0
        ] or [columns[int(np.argmax(found))]]
        return _logistic(table, defective, rest)

    weights = np.zeros(table.shape[1])
    weights[list(columns)] = np.maximum(found, 0)
    return weights, float(fitted.intercept_[0])


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
