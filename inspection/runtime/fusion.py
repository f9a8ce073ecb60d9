"""The fused score: what all detectors say together, 0..1; higher is more suspicious."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from inspection.line import Frozen
from inspection.runtime.detectors import MAX_ODDS, Scores, Thresholds

# Of what the leading detector adds to the log-odds: one that adds less than half as much is not
# what a verdict rests on.
SHARE_OF_LEADING = 0.5


class RegionWeighting(Frozen):
    """The log-odds of a defect in one region: a logistic regression on its detectors' scores.

    `weights` are by detector, none below 0, per summand (log-odds of the classifier, standard
    deviations of the anomaly score).
    """

    weights: dict[str, float]
    intercept: float


class Weighting(Frozen):
    """How the detectors' scores make the log-odds that a part is defective.

    Detectors of one region add up what they say of it; a part is defective where any region is, so
    the regions' probabilities p make 1 - (1 - p) (1 - p). They hold where half of all parts are
    defective, so 0.5 is as likely from a defective part as from a normal one. `usual` are the mean
    summands of normal parts, by detector.
    """

    regions: dict[str, RegionWeighting]
    usual: dict[str, float]

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each detector; 0 where it counts nothing."""
        found = dict.fromkeys(self.usual, 0.0)
        for region in self.regions.values():
            found |= region.weights
        return found

    def odds(self, summands: Mapping[str, Any]) -> Scores:
        """Log-odds of a defect (...) from each detector's summands (...), cut off at MAX_ODDS."""
        values = {name: np.asarray(one, np.float64) for name, one in summands.items()}
        # of the shape of all summands, and NaN where one of them is
        total = 0.0 * np.asarray(sum(values.values()))
        for region in self.regions.values():
            odds = region.intercept + sum(
                weight * values[name] for name, weight in region.weights.items()
            )
            # minus the logarithm of 1 - p
            total = total + np.log1p(np.exp(np.clip(odds, -MAX_ODDS, MAX_ODDS)))
        least = np.maximum(total, math.log1p(math.exp(-MAX_ODDS)))
        return np.clip(np.log(np.expm1(least)), -MAX_ODDS, MAX_ODDS)

    def odds_alone(self, name: str, summands: Any) -> Scores:
        """Log-odds of a defect by the summands (...) of one detector, the others being as usual."""
        return self.odds({**self.usual, name: summands})

    def score(self, summands: Mapping[str, float]) -> float:
        """The fused score, 0..1, from each detector's summand.

        A detector that is missing counts as it does for normal parts.
        """
        return float(as_probability(self.odds({**self.usual, **summands})))

    def suspects(self, summands: Mapping[str, float]) -> list[str]:
        """The detectors that a suspicion rests on, the one that adds most to it first."""
        added = {
            name: self.weights[name] * (summand - self.usual[name])
            for name, summand in summands.items()
        }
        ranked = sorted(added, key=lambda name: -added[name])
        least = SHARE_OF_LEADING * added[ranked[0]]
        return [ranked[0], *(name for name in ranked[1:] if added[name] >= least > 0)]


class Fusion(Weighting):
    """The weighting that a card holds, with the thresholds on its score.

    `evidence` tells what the weights rest on.
    """

    thresholds: Thresholds
    evidence: dict[str, Any]


def as_probability(odds: Any) -> Scores:
    """Probabilities of log-odds (...)."""
    return np.asarray(1 / (1 + np.exp(-np.asarray(odds))), np.float64)


def threshold_on_probability(odds: float) -> float:
    """A threshold on log-odds as one on probabilities; beyond all that can be told, outside."""
    if abs(odds) >= MAX_ODDS:
        return 2.0 if odds > 0 else -1.0

    return 1 / (1 + math.exp(-odds))
