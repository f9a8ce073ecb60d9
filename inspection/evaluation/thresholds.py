"""The thresholds that cost the line least, under a limit on escapes, from a score of each part.

The expected cost is that of the smoothed scores; the limit then lowers what it has to.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from inspection.evaluation.costs import Costs
from inspection.evaluation.escape_limit import EscapeLimit, lowered
from inspection.evaluation.rates import CONFIDENCE
from inspection.evaluation.smoothing import Cuts, SmoothedScores
from inspection.runtime.detectors import BEYOND, Scores, Thresholds
from inspection.runtime.verdict import VERDICTS

# Margins that a threshold is moved by at most to keep off scores: a tenth of a log-odd with the
# shipped tolerance, which is less than 300 parts can tell. Of 3000 scores in ten log-odds it holds
# 30, and so a gap of 0.01, where runtimes were found to be off by 0.00004.
REACH_IN_MARGINS = 10.0


@dataclass(frozen=True)
class Choice:
    """Thresholds, the expected cost per part of the line that they have by the smoothed scores,
    and what they can show of the limit on escapes."""

    thresholds: Thresholds
    expected_cost: float
    limit: EscapeLimit


def choose_thresholds(
    scores: Scores,
    defective: Any,
    costs: Costs,
    *,
    max_escape_rate: float | None = None,
    confidence: float = CONFIDENCE,
    margin: float = 0.0,
    measured: Scores | None = None,
) -> Choice:
    """The thresholds of least expected cost on the scores (parts,), higher = more suspicious.

    The accept threshold is lowered until `max_escape_rate` is shown with `confidence`, as far as
    `escape_limit` says. Both keep the margin, in units of the score, from every score of a part,
    and from those `measured` besides, so that runtimes which differ by less give one verdict; where
    scores lie too densely for that, they lie in a gap nearby (see `below_scores`).

    What falls two bandwidths or more from any normal part does not pass, and from any defective one
    is not rejected: it goes to review. So does a part whose score is NaN, since a region of it was
    not found.
    """
    bad = np.asarray(defective, bool)
    smoothed = SmoothedScores.of(scores, bad, margin=margin)
    weights = _weights(bad, costs)
    cheapest = smoothed.within_reach(_best_cuts(smoothed, weights))

    accept, limit = lowered(
        cheapest.accept_below, scores, bad, max_escape_rate, confidence
    )
    seen = scores if measured is None else np.r_[scores, measured]
    thresholds = _with_margin(
        seen[~np.isnan(seen)], accept, cheapest.reject_above, margin
    )
    passed, kept = smoothed.chances(thresholds)
    cost = float((weights * np.c_[passed, kept - passed, 1 - kept]).sum())
    return Choice(thresholds, cost, limit)


def below_scores(threshold: float, scores: Scores, margin: float) -> float:
    """The highest value up to a threshold that no score lies closer to than the margin.

    Where scores lie so densely that none is within REACH_IN_MARGINS, the middle of the widest gap
    there: else a threshold among thousands of views would leave them all. A higher threshold never
    gives a lower value.
    """
    lowest = threshold - REACH_IN_MARGINS * margin
    within_reach = (scores > lowest - margin) & (scores < threshold + margin)
    nearby = np.sort(scores[within_reach])

    found = threshold
    for score in nearby[::-1]:
        if found <= score - margin:
            continue
        if found >= score + margin:
            break
        found = float(score) - margin

    return found if found >= lowest else _widest_gap(lowest, threshold, nearby)


def _widest_gap(low: float, high: float, scores: Scores) -> float:
    """The middle of the widest gap from low to high among scores in rising order; of equal gaps
    the highest."""
    edges = np.r_[low, scores[(scores > low) & (scores < high)], high]
    gaps = np.diff(edges)
    last = len(gaps) - 1 - int(np.argmax(gaps[::-1]))
    return float(edges[last] + edges[last + 1]) / 2


def _with_margin(
    scores: Scores, accept: float, reject: float, margin: float
) -> Thresholds:
    """Thresholds moved off the scores: the accepting one down, the other one up."""
    low = below_scores(accept, scores, margin)
    high = -below_scores(-max(accept, reject), -scores, margin)
    return Thresholds(accept_below=max(low, -BEYOND), reject_above=min(high, BEYOND))


def _weights(defective: Any, costs: Costs) -> Scores:
    """What giving each part (parts, VERDICTS) each verdict costs, weighted to the defect rate."""
    bad = costs.defect_rate / max(1, defective.sum())
    good = (1 - costs.defect_rate) / max(1, (~defective).sum())
    on_bad = np.array([costs.on_defective[verdict] for verdict in VERDICTS]) * bad
    on_good = np.array([costs.on_good[verdict] for verdict in VERDICTS]) * good
    return np.where(defective[:, None], on_bad, on_good)


def _best_cuts(smoothed: SmoothedScores, weights: Scores) -> Cuts:
    """The cheapest two cuts, the first no higher than the second.

    The cost is a sum of what the lower cut saves or loses by passing parts rather than reviewing
    them, and of what the upper one does by reviewing rather than rejecting.
    """
    by_lower = smoothed.passes @ (weights[:, 0] - weights[:, 1])
    by_upper = smoothed.kept @ (weights[:, 1] - weights[:, 2])
    upper = int(np.argmin(np.minimum.accumulate(by_lower) + by_upper))
    return int(np.argmin(by_lower[: upper + 1])), upper
