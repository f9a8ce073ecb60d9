"""What val decides: the thresholds of the detectors, and what they cost and can claim."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from inspection.evaluation.costs import Costs
from inspection.evaluation.escape_limit import EscapeLimit
from inspection.evaluation.part_scores import Parts, part_scores
from inspection.evaluation.thresholds import choose_thresholds, cross_decided
from inspection.runtime.detectors import (
    Calibration,
    Scores,
    TemperatureScaling,
    Thresholds,
)
from inspection.runtime.views import ViewOutputs

# Log-odds are cut off here: a float32 probability is rounded to about 1e-7, and below
# 1e-6 its logarithm is mostly rounding.
MIN_PROBABILITY = 1e-6
MAX_ODDS = math.log((1 - MIN_PROBABILITY) / MIN_PROBABILITY)


# Thresholds keep this many tolerances from a score: two runtimes may be off by one each, apart.
MARGIN_PER_TOLERANCE = 2.0
# Log-odds change by this much for each unit of probability at 0.5, and by more elsewhere, where a
# runtime's rounding, which is one of logits, shows less in the probability.
ODDS_PER_PROBABILITY = 4.0


@dataclass(frozen=True)
class OperatingPoint:
    """The thresholds by detector, the expected cost that they have by smoothed scores, and what
    they can show of the limit on escapes."""

    thresholds: dict[str, Thresholds]
    expected_cost: float
    limit: EscapeLimit


def operating_point(
    parts: Parts,
    defective: Sequence[bool],
    calibrations: Mapping[str, Calibration],
    costs: Costs,
    max_escape_rate: float | None,
    *,
    tolerance: float = 0.0,
    also_measured: Parts | None = None,
) -> OperatingPoint:
    """The thresholds of least expected cost that keep to `max_escape_rate`, as far as parts show.

    They stay further from the score of every view, those of `also_measured` included, than two
    runtimes that may each be off by `tolerance`. What the parts show of the limit is judged by
    thresholds chosen without the part, too.
    """
    scores = _spread_out(part_scores(parts, calibrations), calibrations)
    margins = [_margin(one, tolerance) for one in calibrations.values()]
    views = [*parts.values(), *(also_measured or {}).values()]
    choice = choose_thresholds(
        scores,
        defective,
        costs,
        max_escape_rate=max_escape_rate,
        margins=margins,
        measured=_view_scores(views, calibrations),
    )
    unseen = cross_decided(
        scores, defective, costs, max_escape_rate=max_escape_rate, margins=margins
    )
    chosen = zip(calibrations.items(), choice.thresholds, strict=True)
    return OperatingPoint(
        thresholds={
            name: _as_scored(limits, calibration)
            for (name, calibration), limits in chosen
        },
        expected_cost=choice.expected_cost,
        limit=choice.limit.judged_unseen(unseen, defective),
    )


def are_defective(
    parts: Parts, view_labels: Mapping[str, str], normal: str
) -> list[bool]:
    """Whether each part is defective: a part with any defective view is."""
    return [
        any(view_labels[view.name] != normal for view in views)
        for views in parts.values()
    ]


def _margin(calibration: Calibration, tolerance: float) -> float:
    """How far a threshold on spread out scores keeps from each, for a tolerance of the scores."""
    margin = MARGIN_PER_TOLERANCE * tolerance
    is_probability = isinstance(calibration, TemperatureScaling)
    return ODDS_PER_PROBABILITY * margin if is_probability else margin


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


def _view_scores(
    parts: Sequence[Sequence[ViewOutputs]], calibrations: Mapping[str, Calibration]
) -> list[Scores]:
    """The spread out scores (views,) of each detector, where it found its region."""
    each = {str(number): [view] for number, view in enumerate(chain(*parts))}
    return list(_spread_out(part_scores(each, calibrations), calibrations).T)


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
