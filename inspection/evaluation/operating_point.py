"""What val decides about a card: the temperature of its classifier, and its thresholds."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from inspection.evaluation.calibration import calibration_error, fit_temperature
from inspection.evaluation.costs import Costs
from inspection.evaluation.metrics import Parts, detector_scores
from inspection.evaluation.thresholds import Choice, choose_thresholds, cross_decided
from inspection.runtime.bundle import Card, Thresholds
from inspection.runtime.verdict import Scores
from inspection.runtime.views import ViewOutputs

# Nearer to 0 or 1 a probability of float32 says little: its rounding at 1 is 6e-8.
MIN_PROBABILITY = 1e-6
MAX_ODDS = math.log((1 - MIN_PROBABILITY) / MIN_PROBABILITY)
# What a probability that is off by a tolerance is off by in log-odds, at 0.5 where it changes most.
ODDS_PER_PROBABILITY = 4.0
# Thresholds over tolerance: two runtimes may each lie the tolerance off, to either side.
MARGIN_PER_TOLERANCE = 2.0


def decided(
    card: Card,
    parts: Parts,
    view_labels: Mapping[str, str],
    costs: Costs,
    max_escape_rate: float | None,
    tolerance: float = 0.0,
) -> tuple[Card, dict[str, Any]]:
    """The card with the temperature and the thresholds of least expected cost on val parts.

    Its thresholds let no more parts escape than `max_escape_rate`, as far as the parts can show
    it, and keep away from every score by more than `tolerance`, by which runtimes may differ.
    Also returns what can be claimed, with the parts judged by thresholds chosen without them.
    `view_labels` holds the label of each view by its name; a part with any defective view is
    defective.
    """
    card = _cooled(card, parts, view_labels)
    normal = card.line.normal
    defective = [
        any(view_labels[v.name] != normal for v in views) for views in parts.values()
    ]
    point = operating_point(
        detector_scores(parts, card), defective, costs, max_escape_rate, tolerance
    )
    settings = costs.model_dump() | {
        "expected_cost_on_val": point.expected_cost,
        "max_escape_rate": max_escape_rate,
    }
    for_classifier, for_anomaly = point.thresholds
    card = card.model_copy(
        update={
            "classifier": card.classifier.model_copy(
                update={"thresholds": for_classifier}
            ),
            "anomaly": card.anomaly.model_copy(update={"thresholds": for_anomaly}),
            "costs": card.costs | settings,
        }
    )
    return card, point.limit.as_json()


def operating_point(
    scores: Scores,
    defective: Any,
    costs: Costs,
    max_escape_rate: float | None,
    tolerance: float = 0.0,
) -> Choice:
    """Thresholds per detector from scores (parts, detectors), and what they can show.

    The first detector's score is a probability, any other's a distance in standard deviations; NaN
    where a region was not found. `tolerance` is what two runtimes may differ by, in that unit.
    """
    spread = _spread_out(scores)
    margin = MARGIN_PER_TOLERANCE * tolerance
    margins = [margin] * scores.shape[1]
    margins[0] = ODDS_PER_PROBABILITY * margin
    choice = choose_thresholds(
        spread, defective, costs, max_escape_rate=max_escape_rate, margins=margins
    )
    unseen = cross_decided(
        spread, defective, costs, max_escape_rate=max_escape_rate, margins=margins
    )

    for_odds, *others = choice.thresholds
    for_classifier = Thresholds(
        accept_below=_as_probability(for_odds.accept_below),
        reject_above=_as_probability(for_odds.reject_above),
    )
    return replace(
        choice,
        thresholds=[for_classifier, *others],
        limit=choice.limit.judged_unseen(unseen, defective),
    )


def _spread_out(scores: Scores) -> Scores:
    """Scores (parts, detectors) with the classifier's probability as log-odds.

    Probabilities crowd at both ends, where a tenth of a per cent may be a part or nothing.
    """
    odds = np.clip(scores[:, 0], MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.c_[np.log(odds / (1 - odds)), scores[:, 1:]]


def _as_probability(odds: float) -> float:
    """A threshold on log-odds as one on probabilities; beyond all that are told apart, outside."""
    if abs(odds) >= MAX_ODDS:
        return 2.0 if odds > 0 else -1.0
    return 1 / (1 + math.exp(-odds))


def _cooled(card: Card, parts: Parts, view_labels: Mapping[str, str]) -> Card:
    """The card with the temperature that makes the classifier's probabilities honest on val.

    That is 1 where val holds one class alone, which cannot tell.
    """
    logits, numbers = _classified(card, parts, view_labels)
    temperature = fit_temperature(logits, numbers) if len(set(numbers)) > 1 else 1.0
    error = calibration_error(logits, numbers, temperature)
    return card.model_copy(
        update={
            "classifier": card.classifier.model_copy(
                update={"temperature": temperature}
            ),
            "costs": {"calibration_error_on_val": error},
        }
    )


def _classified(
    card: Card, parts: Parts, view_labels: Mapping[str, str]
) -> tuple[np.ndarray[Any, Any], list[int]]:
    """Logits (N, classes) and class numbers of the views whose region was found."""
    line, classes = card.line, card.classifier.classes
    seen: list[ViewOutputs] = [
        v for views in parts.values() for v in views if v.logits is not None
    ]
    numbers = [
        classes.index(line.label_in(line.classify, view_labels[v.name])) for v in seen
    ]
    return np.array([view.logits for view in seen]), numbers
