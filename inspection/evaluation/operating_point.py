"""What val decides: the thresholds of the detectors, and what they cost and can claim."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inspection.evaluation.costs import Costs
from inspection.evaluation.metrics import claim
from inspection.evaluation.part_scores import Parts, part_scores
from inspection.evaluation.rates import allowed_failures
from inspection.evaluation.thresholds import choose_thresholds, cross_decided
from inspection.runtime.detectors import (
    Calibration,
    Scores,
    TemperatureScaling,
    Thresholds,
)

# Log-odds are cut off here: a float32 probability is rounded to about 1e-7, and below
# 1e-6 its logarithm is mostly rounding.
MIN_PROBABILITY = 1e-6
MAX_ODDS = math.log((1 - MIN_PROBABILITY) / MIN_PROBABILITY)


@dataclass(frozen=True)
class OperatingPoint:
    """The thresholds by detector, the expected cost that they have on val, and the claim."""

    thresholds: dict[str, Thresholds]
    expected_cost: float
    claim: dict[str, Any]


def operating_point(
    parts: Parts,
    defective: Sequence[bool],
    calibrations: Mapping[str, Calibration],
    costs: Costs,
    max_escape_rate: float,
) -> OperatingPoint:
    """The thresholds of least expected cost on val parts.

    No more parts may escape than `max_escape_rate` allows, where val holds enough defective ones
    to claim it at all. The claim is judged by thresholds chosen without the part.
    """
    scores = _spread_out(part_scores(parts, calibrations), calibrations)
    allowed = allowed_failures(sum(defective), max_escape_rate)
    choice = choose_thresholds(scores, defective, costs, max_escapes=allowed)
    chosen = zip(calibrations.items(), choice.thresholds, strict=True)
    verdicts = cross_decided(scores, defective, costs, max_escapes=allowed)
    return OperatingPoint(
        thresholds={
            name: _as_scored(limits, calibration)
            for (name, calibration), limits in chosen
        },
        expected_cost=choice.expected_cost,
        claim=claim(verdicts, defective, max_escape_rate),
    )


def are_defective(
    parts: Parts, view_labels: Mapping[str, str], normal: str
) -> list[bool]:
    """Whether each part is defective: a part with any defective view is."""
    return [
        any(view_labels[view.name] != normal for view in views)
        for views in parts.values()
    ]


def _spread_out(scores: Scores, calibrations: Mapping[str, Calibration]) -> Scores:
    """Scores (parts, detectors) with probabilities as log-odds.

    Probabilities crowd at both ends, where a tenth of a per cent may be a part or nothing.
    """
    spread = scores.copy()
    for column, calibration in enumerate(calibrations.values()):
        if isinstance(calibration, TemperatureScaling):
            odds = np.clip(scores[:, column], MIN_PROBABILITY, 1 - MIN_PROBABILITY)
            spread[:, column] = np.log(odds / (1 - odds))
    return spread


def _as_scored(limits: Thresholds, calibration: Calibration) -> Thresholds:
    """Thresholds on spread out scores as thresholds on the scores themselves."""
    if not isinstance(calibration, TemperatureScaling):
        return limits

    return Thresholds(
        accept_below=_as_probability(limits.accept_below),
        reject_above=_as_probability(limits.reject_above),
    )


def _as_probability(odds: float) -> float:
    """A threshold on log-odds as one on probabilities; beyond all that can be told, outside."""
    if abs(odds) >= MAX_ODDS:
        return 2.0 if odds > 0 else -1.0

    return 1 / (1 + math.exp(-odds))
