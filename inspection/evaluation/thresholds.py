"""The thresholds that cost the line least, under a limit on escapes, from scores by part.

The expected cost is that of the smoothed scores; the limit then lowers what it has to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inspection.evaluation.costs import Costs
from inspection.evaluation.escape_limit import EscapeLimit, lowered
from inspection.evaluation.rates import CONFIDENCE
from inspection.evaluation.smoothing import Cuts, SmoothedScores
from inspection.runtime.detectors import BEYOND, Scores, Thresholds
from inspection.runtime.verdict import VERDICTS, decide

# Quantiles of the normal parts' scores above which a search starts with review: none of them, the
# tail, and half, since what is best for one detector depends on how the others are set.
STARTS = (1.0, 0.9, 0.5)
MIN_GAIN = 1e-12  # of expected cost, below which a search ends: the rounding of a sum
N_FOLDS = 5  # for verdicts on parts unseen: four fifths of the parts set the thresholds


@dataclass(frozen=True)
class Choice:
    """Thresholds per detector, the expected cost per part of the line that they have by the
    smoothed scores, and what they can show of the limit on escapes."""

    thresholds: list[Thresholds]
    expected_cost: float
    limit: EscapeLimit


def choose_thresholds(
    scores: Scores,
    defective: Any,
    costs: Costs,
    *,
    max_escape_rate: float | None = None,
    confidence: float = CONFIDENCE,
    margins: Sequence[float] | None = None,
    measured: Sequence[Scores] | None = None,
) -> Choice:
    """The thresholds of least expected cost on parts (parts, detectors), higher = more suspicious.

    Accept thresholds are lowered until `max_escape_rate` is shown with `confidence`, as far as
    `escape_limit` says. Every threshold keeps its detector's margin, in units of the score, from
    every score of a part, and from those `measured` besides, by detector, so that runtimes which
    differ by less give one verdict.

    A part gets the worst verdict of its detectors. Detectors are set in turn until nothing gains,
    from several starts: one that is blind to a defect would otherwise send all parts to review
    before the one that sees it has been set. What falls two bandwidths or more from any normal
    part does not pass, and from any defective one is not rejected: it goes to review. A detector
    that did not find its region has a NaN score, and calls for review.
    """
    bad = np.asarray(defective, bool)
    detectors = [SmoothedScores.of(column, bad) for column in scores.T]
    weights = _weights(bad, costs)
    cheapest = [
        detector.within_reach(limits)
        for detector, limits in zip(
            detectors, _cheapest(detectors, weights), strict=True
        )
    ]

    accept, limit = lowered(
        [one.accept_below for one in cheapest], scores, bad, max_escape_rate, confidence
    )
    no_margins = [0.0] * len(cheapest)
    thresholds = [
        _with_margin(seen, low, one.reject_above, margin)
        for seen, low, one, margin in zip(
            _all_seen(scores, measured),
            accept,
            cheapest,
            margins or no_margins,
            strict=True,
        )
    ]
    chances = [
        detector.chances(one)
        for detector, one in zip(detectors, thresholds, strict=True)
    ]
    return Choice(thresholds, _cost(_product(chances), weights), limit)


def cross_decided(
    scores: Scores,
    defective: Any,
    costs: Costs,
    *,
    max_escape_rate: float | None = None,
    confidence: float = CONFIDENCE,
    margins: Sequence[float] | None = None,
    seed: int = 0,
) -> list[str]:
    """The verdict on each part by thresholds that were chosen without it, in five folds.

    What thresholds are worth on the parts that they were chosen on is too kind to them.
    """
    bad = np.asarray(defective, bool)
    fold = np.empty(len(bad), np.int64)
    generator = np.random.default_rng(seed)
    for kind in (bad, ~bad):
        fold[kind] = generator.permutation(np.arange(kind.sum()) % N_FOLDS)

    verdicts = np.full(len(bad), "", dtype=object)
    for number in np.unique(fold):
        held = fold == number
        rest = choose_thresholds(
            scores[~held],
            bad[~held],
            costs,
            max_escape_rate=max_escape_rate,
            confidence=confidence,
            margins=margins,
        )
        verdicts[held] = decide(scores[held], rest.thresholds)
    return verdicts.tolist()


def below_scores(threshold: float, scores: Scores, margin: float) -> float:
    """The highest value up to a threshold that no score lies closer to than the margin."""
    found = threshold
    for score in np.sort(scores[scores < threshold + margin])[::-1]:
        if found <= score - margin:
            continue
        if found >= score + margin:
            break
        found = float(score) - margin
    return found


def _all_seen(scores: Scores, measured: Sequence[Scores] | None) -> list[Scores]:
    """The scores (N,) of each detector: of the parts (parts, detectors), and those besides."""
    besides = measured or [np.zeros(0)] * scores.shape[1]
    both = [np.r_[column, more] for column, more in zip(scores.T, besides, strict=True)]
    return [column[~np.isnan(column)] for column in both]


def _with_margin(
    scores: Scores, accept: float, reject: float, margin: float
) -> Thresholds:
    """Thresholds moved off the scores of a detector: the accepting one down, the other one up."""
    low = below_scores(accept, scores, margin)
    high = -below_scores(-max(accept, reject), -scores, margin)
    return Thresholds(accept_below=max(low, -BEYOND), reject_above=min(high, BEYOND))


def _cheapest(detectors: Sequence[SmoothedScores], weights: Scores) -> list[Cuts]:
    found = [_descended(detectors, weights, start) for start in _starts(detectors)]
    costs = [_cost(_chances(detectors, limits), weights) for limits in found]
    return found[int(np.argmin(costs))]


def _starts(detectors: Sequence[SmoothedScores]) -> list[list[Cuts]]:
    """Cuts to start from: all pass, or each detector reviews what most normals lie below."""
    ends = [len(detector.cuts) - 1 for detector in detectors]
    starts = [[(end, end) for end in ends]]
    for quantile in STARTS:
        firsts = [_quantile_cut(detector, quantile) for detector in detectors]
        starts.append(list(zip(firsts, ends, strict=True)))
    return starts


def _quantile_cut(detector: SmoothedScores, quantile: float) -> int:
    normals = detector.scores[~detector.defective]
    normals = normals[~np.isnan(normals)]
    if not len(normals):
        return len(detector.cuts) - 1
    return detector.nearest(float(np.quantile(normals, quantile)))


def _descended(
    detectors: Sequence[SmoothedScores], weights: Scores, start: Sequence[Cuts]
) -> list[Cuts]:
    """Set the detectors in turn, each at its best given the others, until nothing gains."""
    chosen, best = list(start), np.inf
    while True:
        before = best
        for number, detector in enumerate(detectors):
            others = _chances(detectors, chosen, skip=number)
            chosen[number] = _best_cuts(detector, others, weights)
            best = _cost(_chances(detectors, chosen), weights)
        if not best < before - MIN_GAIN:
            return chosen


def _weights(defective: Any, costs: Costs) -> Scores:
    """What giving each part (parts, VERDICTS) each verdict costs, weighted to the defect rate."""
    bad = costs.defect_rate / max(1, defective.sum())
    good = (1 - costs.defect_rate) / max(1, (~defective).sum())
    on_bad = np.array([costs.on_defective[verdict] for verdict in VERDICTS]) * bad
    on_good = np.array([costs.on_good[verdict] for verdict in VERDICTS]) * good
    return np.where(defective[:, None], on_bad, on_good)


def _chances(
    detectors: Sequence[SmoothedScores],
    limits: Sequence[Cuts],
    skip: int | None = None,
) -> tuple[Scores, Scores]:
    """The chance (N,) of each part to pass, and not to be rejected, by all not skipped."""
    everything = np.ones(len(detectors[0].scores))
    chances = [(everything, everything)]
    for number, (detector, (low, high)) in enumerate(
        zip(detectors, limits, strict=True)
    ):
        if number != skip:
            chances.append((detector.passes[low], detector.kept[high]))
    return _product(chances)


def _product(chances: Sequence[tuple[Scores, Scores]]) -> tuple[Scores, Scores]:
    """The chances (N,) to pass all detectors, and to be rejected by none."""
    passed = np.prod([one for one, _ in chances], axis=0)
    kept = np.prod([other for _, other in chances], axis=0)
    return passed, kept


def _cost(chances: tuple[Scores, Scores], weights: Scores) -> float:
    """Expected cost per part: each part may be passed, else not be rejected, else is rejected."""
    passed, kept = chances
    return float((weights * np.c_[passed, kept - passed, 1 - kept]).sum())


def _best_cuts(
    detector: SmoothedScores, others: tuple[Scores, Scores], weights: Scores
) -> Cuts:
    """The cheapest two cuts of one detector, the first no higher than the second.

    The cost is a sum of what the lower cut saves or loses by passing parts rather than reviewing
    them, and of what the upper one does by reviewing rather than rejecting.
    """
    by_lower = detector.passes @ ((weights[:, 0] - weights[:, 1]) * others[0])
    by_upper = detector.kept @ ((weights[:, 1] - weights[:, 2]) * others[1])
    upper = int(np.argmin(np.minimum.accumulate(by_lower) + by_upper))
    return int(np.argmin(by_lower[: upper + 1])), upper
