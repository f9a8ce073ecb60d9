"""From scores to pass, review or reject, and the thresholds that cost the line least."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

VERDICTS = ("pass", "review", "reject")
MAX_CUTS = 1000
STARTS = (1.0, 0.9, 0.5)
MAX_RAISES = 6
N_FOLDS = 5

Levels = np.ndarray[Any, np.dtype[np.int64]]
Scores = np.ndarray[Any, np.dtype[np.float64]]


class Thresholds(BaseModel):
    """A score below `accept_below` passes, one above `reject_above` is rejected, else review."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accept_below: float
    reject_above: float

    def verdict(self, score: float) -> str:
        """The verdict on one score; a score that is not a number goes to review."""
        if score < self.accept_below:
            return "pass"
        return "reject" if score > self.reject_above else "review"


class Costs(BaseModel):
    """What a wrong or late decision costs, in units of one good part thrown away.

    `defect_rate` is the share of defective parts on the line, not in the data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    escape_cost: float = Field(default=100.0, gt=0)
    overkill_cost: float = Field(default=1.0, gt=0)
    review_cost: float = Field(default=0.3, gt=0)
    defect_rate: float = Field(default=0.05, gt=0, lt=1)


REVIEW_ALL = Thresholds(accept_below=-1e9, reject_above=1e9)


@dataclass(frozen=True)
class Choice:
    """Thresholds per channel, and the expected cost per part that they have on the parts given."""

    thresholds: list[Thresholds]
    expected_cost: float


def worst(verdicts: Sequence[str]) -> str:
    """The most severe of some verdicts.

    >>> worst(["pass", "reject", "review"])
    'reject'
    """
    return max(verdicts, key=VERDICTS.index)


def choose_thresholds(
    scores: Scores, defective: Any, costs: Costs, *, max_escapes: int | None = None
) -> Choice:
    """The thresholds of least expected cost on parts (parts, channels), higher = more suspicious.

    Where more than `max_escapes` defective parts would pass, the price of an escape is raised
    until no more do; the expected cost is told at the true price.

    A part gets the worst verdict of its channels. Channels are set in turn until nothing gains,
    from several starts: a channel that is blind to a defect would otherwise send all parts to
    review before the one that sees it has been set. Cuts lie a quarter into the gap between two
    neighbouring scores, from either side, so what falls where no part has been seen goes to
    review. A channel that did not see a part has a NaN score, and calls for review.
    """
    bad = np.asarray(defective, bool)
    price = costs
    limits = _cheapest(scores, bad, price)
    for _ in range(MAX_RAISES):
        if max_escapes is None or _levels(scores, limits)[bad].tolist().count(0) <= max_escapes:
            break
        price = price.model_copy(update={"escape_cost": 10 * price.escape_cost})
        limits = _cheapest(scores, bad, price)
    cost = _weights(bad, costs)[np.arange(len(bad)), _levels(scores, limits)].sum()
    return Choice([_finite(one, scores[:, c]) for c, one in enumerate(limits)], float(cost))


def cross_decided(
    scores: Scores, defective: Any, costs: Costs, *, max_escapes: int | None = None, seed: int = 0
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
    for held in (fold == number for number in np.unique(fold)):
        rest = choose_thresholds(scores[~held], bad[~held], costs, max_escapes=max_escapes)
        verdicts[held] = decide(scores[held], rest.thresholds)
    return verdicts.tolist()


def decide(scores: Scores, thresholds: Sequence[Thresholds]) -> list[str]:
    """The verdict on each part (parts, channels): the worst of its channels."""
    return [VERDICTS[level] for level in _levels(scores, thresholds)]


def _cheapest(scores: Scores, defective: Any, costs: Costs) -> list[Thresholds]:
    weights = _weights(defective, costs)
    found = [_descended(scores, weights, start) for start in _starts(scores, defective)]
    return min(found, key=lambda choice: choice.expected_cost).thresholds


def _starts(scores: Scores, defective: Any) -> list[list[Thresholds]]:
    """Thresholds to start from: all pass, or each channel reviews what most normals lie below."""
    starts = [[Thresholds(accept_below=np.inf, reject_above=np.inf)] * scores.shape[1]]
    normals = scores[~defective]
    for quantile in STARTS:
        known = [column[~np.isnan(column)] for column in normals.T]
        cuts = [np.quantile(column, quantile) if len(column) else np.inf for column in known]
        starts.append([Thresholds(accept_below=np.nextafter(cut, np.inf), reject_above=np.inf)
                       for cut in cuts])  # fmt: skip
    return starts


def _descended(scores: Scores, weights: Scores, start: Sequence[Thresholds]) -> Choice:
    """Set the channels in turn, each at its best given the others, until nothing gains."""
    chosen, best = list(start), np.inf
    while True:
        before = best
        for channel in range(scores.shape[1]):
            others = _levels(scores, chosen, skip=channel)
            chosen[channel], best = _best_for_channel(scores[:, channel], others, weights)
        if not best < before - 1e-12:
            return Choice(chosen, float(best))


def _weights(defective: Any, costs: Costs) -> Scores:
    """Cost (parts, 3) of giving each part each verdict, weighted to the line's defect rate."""
    bad = costs.defect_rate / max(1, defective.sum())
    good = (1 - costs.defect_rate) / max(1, (~defective).sum())
    on_bad = np.array([costs.escape_cost, costs.review_cost, 0.0]) * bad
    on_good = np.array([0.0, costs.review_cost, costs.overkill_cost]) * good
    return np.where(defective[:, None], on_bad, on_good)


def _levels(scores: Scores, thresholds: Sequence[Thresholds], skip: int | None = None) -> Levels:
    levels = np.zeros(len(scores), np.int64)
    for channel, limits in enumerate(thresholds):
        if channel != skip:
            levels = np.maximum(levels, _channel_levels(scores[:, channel], limits))
    return levels


def _channel_levels(scores: Scores, limits: Thresholds) -> Levels:
    known = ~np.isnan(scores)
    passes = scores < limits.accept_below
    rejects = scores > limits.reject_above
    return np.where(known, np.where(passes, 0, np.where(rejects, 2, 1)), 1)


def _best_for_channel(scores: Scores, others: Levels, weights: Scores) -> tuple[Thresholds, float]:
    """The cheapest thresholds of one channel, given the levels that the others call for.

    Parts in the order of their scores fall into passed, reviewed and rejected, so the cost of any
    two cuts is a sum of three stretches of running totals.
    """
    known = ~np.isnan(scores)
    order = np.argsort(scores[known], kind="stable")
    ranked = scores[known][order]
    lower, upper = _cuts(ranked)
    rows = np.flatnonzero(known)[order]
    passed, reviewed, rejected = (
        np.r_[0.0, np.cumsum(weights[rows, np.maximum(others[rows], level)])] for level in range(3)
    )
    low, high = np.searchsorted(ranked, lower, "left"), np.searchsorted(ranked, upper, "right")
    cost = (passed[low] - reviewed[low])[:, None] + (reviewed[high] - rejected[high])[None, :]
    cost += rejected[-1] + weights[~known, np.maximum(others[~known], 1)].sum()
    cost[lower[:, None] > upper[None, :]] = np.inf
    first = int(np.flatnonzero(cost <= cost.min() + 1e-12)[0])
    i, j = np.unravel_index(first, cost.shape)
    limits = Thresholds.model_construct(accept_below=float(lower[i]), reject_above=float(upper[j]))
    return limits, float(cost[i, j])


def _cuts(scores: Scores) -> tuple[Scores, Scores]:
    """Lower and upper cut in each gap between neighbouring scores, and beyond both ends."""
    levels = np.unique(scores)
    if len(levels) > MAX_CUTS:
        levels = np.unique(np.quantile(levels, np.linspace(0, 1, MAX_CUTS)))
    gaps = np.diff(levels)
    lower, upper = levels[:-1] + 0.25 * gaps, levels[:-1] + 0.75 * gaps
    return np.r_[-np.inf, lower, np.inf], np.r_[-np.inf, upper, np.inf]


def _finite(limits: Thresholds, scores: Scores) -> Thresholds:
    """Thresholds that JSON can hold: beyond the scores seen by their range and one.

    A channel that val says nothing of sends every part to review: there is no evidence to pass or
    reject by.
    """
    seen = scores[~np.isnan(scores)]
    if not len(seen):
        return REVIEW_ALL
    beyond = float(np.ptp(seen)) + 1.0
    lowest, highest = float(seen.min()) - beyond, float(seen.max()) + beyond
    return Thresholds(
        accept_below=min(max(limits.accept_below, lowest), highest),
        reject_above=min(max(limits.reject_above, lowest), highest),
    )
