"""The fused score: what all detectors say together, as the probability that a part is defective."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from inspection.line import Frozen
from inspection.runtime.detectors import MAX_ODDS, Scores, Thresholds

# Of what the leading detector adds to the log-odds: one that adds less than half as much is not
# what a verdict rests on.
SHARE_OF_LEADING = 0.5


class Weighting(Frozen):
    """A logistic regression on the detectors' scores, fitted on parts that these have not seen.

    It gives the log-odds of a defect on a line with the defect rate that the costs name. `weights`
    are by detector, none below 0, per summand (log-odds of the classifier, standard deviations of
    the anomaly score); `usual` are the mean summands of normal parts.
    """

    weights: dict[str, float]
    intercept: float
    usual: dict[str, float]

    def odds(self, summands: Mapping[str, Any]) -> Scores:
        """Log-odds of a defect (...) from each detector's summands (...), cut off at MAX_ODDS."""
        total = self.intercept + sum(
            self.weights[name] * np.asarray(summands[name], np.float64)
            for name in self.weights
        )
        return np.clip(total, -MAX_ODDS, MAX_ODDS)

    def odds_alone(self, name: str, summands: Any) -> Scores:
        """Log-odds of a defect by the summands (...) of one detector, the others being as usual."""
        return self.odds({**self.usual, name: summands})

    def score(self, summands: Mapping[str, float]) -> float:
        """The probability of a defect, 0..1, from each detector's summand.

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
    """The weighting that a card holds, with the thresholds on its probability.

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
