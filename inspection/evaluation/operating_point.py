"""What val decides about a card: the temperature of its classifier, and its thresholds."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from inspection.evaluation.calibration import calibration_error, fit_temperature
from inspection.evaluation.costs import Costs
from inspection.evaluation.metrics import Parts, claim, detector_scores
from inspection.evaluation.rates import allowed_failures
from inspection.evaluation.thresholds import choose_thresholds, cross_decided
from inspection.runtime.bundle import Card, Thresholds
from inspection.runtime.verdict import Scores
from inspection.runtime.views import ViewOutputs

MIN_PROBABILITY = 1e-6
MAX_ODDS = math.log((1 - MIN_PROBABILITY) / MIN_PROBABILITY)


def decided(
    card: Card,
    parts: Parts,
    view_labels: Mapping[str, str],
    costs: Costs,
    max_escape_rate: float,
) -> tuple[Card, dict[str, Any]]:
    """The card with the temperature and the thresholds of least expected cost on val parts.

    No more parts may escape than `max_escape_rate` allows, where val holds enough defective ones
    to claim it at all. Also returns that claim, judged by thresholds chosen without the part.
    `view_labels` holds the label of each view by its name; a part with any defective view is
    defective.
    """
    card = _cooled(card, parts, view_labels)
    normal = card.line.normal
    defective = [
        any(view_labels[v.name] != normal for v in views) for views in parts.values()
    ]
    scores = _spread_out(detector_scores(parts, card))
    allowed = allowed_failures(sum(defective), max_escape_rate)
    choice = choose_thresholds(scores, defective, costs, max_escapes=allowed)
    for_odds, for_anomaly = choice.thresholds
    for_classifier = Thresholds(
        accept_below=_as_probability(for_odds.accept_below),
        reject_above=_as_probability(for_odds.reject_above),
    )
    told = costs.model_dump() | {
        "expected_cost_on_val": choice.expected_cost,
        "max_escape_rate": max_escape_rate,
    }
    card = card.model_copy(
        update={
            "classifier": card.classifier.model_copy(
                update={"thresholds": for_classifier}
            ),
            "anomaly": card.anomaly.model_copy(update={"thresholds": for_anomaly}),
            "costs": card.costs | told,
        }
    )
    verdicts = cross_decided(scores, defective, costs, max_escapes=allowed)
    return card, claim(verdicts, defective, max_escape_rate)


def _spread_out(scores: Scores) -> Scores:
    """Scores (parts, channels) with the classifier's probability as log-odds.

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
