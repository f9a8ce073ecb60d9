"""The thresholds that cost the line least, from the scores of val parts.

Few parts stand behind a threshold, and one set by their scores alone is too kind: the next
defective part scores a little lower than the lowest seen. So each part stands for all that score
about as it does (a Gaussian kernel), and the expected cost is that of the smoothed scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from inspection.evaluation.costs import Costs
from inspection.runtime.detectors import BEYOND, Scores, Thresholds
from inspection.runtime.verdict import decide

MAX_CUTS = 1000
KERNEL_STEPS = np.arange(-4.0, 4.5, 0.5)
SILVERMAN = 0.9
NORMAL_IQR = 1.34
REACH = 2.0
STARTS = (1.0, 0.9, 0.5)
MAX_RAISES = 6
N_FOLDS = 5
REVIEW_ALL = Thresholds(accept_below=-BEYOND, reject_above=BEYOND)

Cuts = tuple[int, int]


@dataclass(frozen=True)
class Choice:
    """Thresholds per channel, and the expected cost per part of the line that they have."""

    thresholds: list[Thresholds]
    expected_cost: float


def choose_thresholds(
    scores: Scores, defective: Any, costs: Costs, *, max_escapes: int | None = None
) -> Choice:
    """The thresholds of least expected cost on parts (parts, channels), higher = more suspicious.

    Where more than `max_escapes` of the defective parts would pass, the price of an escape is
    raised until no more do; the expected cost is told at the true price.

    A part gets the worst verdict of its channels. Channels are set in turn until nothing gains,
    from several starts: a channel that is blind to a defect would otherwise send all parts to
    review before the one that sees it has been set. What falls two bandwidths or more from any
    normal part does not pass, and from any defective one is not rejected: it goes to review. A
    channel that did not see a part has a NaN score, and calls for review.
    """
    bad = np.asarray(defective, bool)
    channels = [Channel.of(column, bad) for column in scores.T]
    price = costs
    limits = _cheapest(channels, bad, price)
    for _ in range(MAX_RAISES):
        verdicts = decide(scores[bad], _thresholds(channels, limits))
        if max_escapes is None or verdicts.count("pass") <= max_escapes:
            break
        price = price.model_copy(update={"escape_cost": 10 * price.escape_cost})
        limits = _cheapest(channels, bad, price)
    return Choice(
        _thresholds(channels, limits), _cost(channels, limits, _weights(bad, costs))
    )


def cross_decided(
    scores: Scores,
    defective: Any,
    costs: Costs,
    *,
    max_escapes: int | None = None,
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
    for held in (fold == number for number in np.unique(fold)):
        rest = choose_thresholds(
            scores[~held], bad[~held], costs, max_escapes=max_escapes
        )
        verdicts[held] = decide(scores[held], rest.thresholds)
    return verdicts.tolist()


@dataclass(frozen=True)
class Channel:
    """The scores (N,) of one channel, smoothed, and the cuts (C,) that are tried on them.

    `passes` (C, N) is the chance that a part like this one scores below a cut; none for a part
    that was not seen. `kept` is the same, and certainty for such a part: it is not rejected.
    """

    scores: Scores
    defective: Any
    bandwidths: tuple[float, float]
    cuts: Scores
    passes: Scores
    kept: Scores

    @classmethod
    def of(cls, scores: Scores, defective: Any) -> Self:
        """The channel of scores, NaN where a part was not seen."""
        from scipy.special import ndtr

        seen = ~np.isnan(scores)
        widths = bandwidths(scores[seen & ~defective], scores[seen & defective])
        width = np.where(defective, widths[1], widths[0])
        cuts = _cuts(scores[seen], width[seen])
        below = ndtr((cuts[:, None] - scores) / width)
        return cls(
            scores=scores,
            defective=defective,
            bandwidths=widths,
            cuts=cuts,
            passes=np.where(seen, below, 0.0),
            kept=np.where(seen, below, 1.0),
        )

    def nearest(self, score: float) -> int:
        """The first cut from a score on."""
        return min(int(np.searchsorted(self.cuts, score)), len(self.cuts) - 1)

    def thresholds(self, limits: Cuts) -> Thresholds:
        """Two cuts as thresholds that JSON can hold, drawn back to within reach of parts seen.

        A channel that val says nothing of sends every part to review: there is no evidence to pass
        or reject by.
        """
        seen = ~np.isnan(self.scores)
        if not seen.any():
            return REVIEW_ALL
        low, high = (float(self.cuts[cut]) for cut in limits)
        good = self.scores[seen & ~self.defective & (self.scores <= low)]
        bad = self.scores[seen & self.defective & (self.scores >= high)]
        accept = (
            min(low, good.max() + REACH * self.bandwidths[0]) if len(good) else -BEYOND
        )
        reject = (
            max(high, bad.min() - REACH * self.bandwidths[1]) if len(bad) else BEYOND
        )
        return Thresholds(
            accept_below=float(accept), reject_above=float(max(accept, reject))
        )


def bandwidths(normal: Scores, defective: Scores) -> tuple[float, float]:
    """The width of the kernel for normal and for defective parts (Silverman 1986, equation 3.31).

    Parts of one kind that do not differ, or a single one, are taken to spread as the other kind
    does; where that does not either, by a tenth of what lies between the two.
    """
    spreads = [_spread(scores) for scores in (normal, defective)]
    both = np.r_[normal, defective]
    apart = float(np.ptp(both)) / 10 if len(both) else 0.0
    smallest = 1e-9 * (1.0 + np.abs(both).max(initial=0.0))
    known = [
        s or other or apart for s, other in zip(spreads, spreads[::-1], strict=True)
    ]
    n_parts = (max(1, len(normal)), max(1, len(defective)))
    widths = [SILVERMAN * s * n**-0.2 for s, n in zip(known, n_parts, strict=True)]
    return max(widths[0], smallest), max(widths[1], smallest)


def _spread(scores: Scores) -> float:
    """The standard deviation, or what the quartiles make of it where that is less."""
    if len(scores) < 2:
        return 0.0
    quartiles = np.quantile(scores, (0.25, 0.75))
    robust = float(quartiles[1] - quartiles[0]) / NORMAL_IQR
    deviation = float(scores.std(ddof=1))
    return min(deviation, robust) if robust > 0 else deviation


def _cuts(scores: Scores, widths: Scores) -> Scores:
    """Cuts around each score, no more than MAX_CUTS, and beyond both ends."""
    around = np.unique(scores[:, None] + widths[:, None] * KERNEL_STEPS)
    if len(around) > MAX_CUTS:
        around = np.unique(np.quantile(around, np.linspace(0, 1, MAX_CUTS)))
    return np.r_[-np.inf, around, np.inf]


def _cheapest(channels: Sequence[Channel], defective: Any, costs: Costs) -> list[Cuts]:
    weights = _weights(defective, costs)
    found = [_descended(channels, weights, start) for start in _starts(channels)]
    return min(found, key=lambda limits: _cost(channels, limits, weights))


def _starts(channels: Sequence[Channel]) -> list[list[Cuts]]:
    """Cuts to start from: all pass, or each channel reviews what most normals lie below."""
    ends = [len(channel.cuts) - 1 for channel in channels]
    starts = [[(end, end) for end in ends]]
    for quantile in STARTS:
        firsts = [_quantile_cut(channel, quantile) for channel in channels]
        starts.append(list(zip(firsts, ends, strict=True)))
    return starts


def _quantile_cut(channel: Channel, quantile: float) -> int:
    normals = channel.scores[~channel.defective]
    normals = normals[~np.isnan(normals)]
    if not len(normals):
        return len(channel.cuts) - 1
    return channel.nearest(float(np.quantile(normals, quantile)))


def _descended(
    channels: Sequence[Channel], weights: Scores, start: Sequence[Cuts]
) -> list[Cuts]:
    """Set the channels in turn, each at its best given the others, until nothing gains."""
    chosen, best = list(start), np.inf
    while True:
        before = best
        for number, channel in enumerate(channels):
            others = _chances(channels, chosen, skip=number)
            chosen[number] = _best_cuts(channel, others, weights)
            best = _cost(channels, chosen, weights)
        if not best < before - 1e-12:
            return chosen


def _weights(defective: Any, costs: Costs) -> Scores:
    """Cost (parts, 3) of giving each part each verdict, weighted to the line's defect rate."""
    bad = costs.defect_rate / max(1, defective.sum())
    good = (1 - costs.defect_rate) / max(1, (~defective).sum())
    on_bad = np.array([costs.escape_cost, costs.review_cost, 0.0]) * bad
    on_good = np.array([0.0, costs.review_cost, costs.overkill_cost]) * good
    return np.where(defective[:, None], on_bad, on_good)


def _chances(
    channels: Sequence[Channel], limits: Sequence[Cuts], skip: int | None = None
) -> tuple[Scores, Scores]:
    """The chance (N,) of each part to pass, and not to be rejected, by the channels not skipped."""
    passed, kept = np.ones(len(channels[0].scores)), np.ones(len(channels[0].scores))
    for number, (channel, (low, high)) in enumerate(zip(channels, limits, strict=True)):
        if number != skip:
            passed, kept = passed * channel.passes[low], kept * channel.kept[high]
    return passed, kept


def _cost(
    channels: Sequence[Channel], limits: Sequence[Cuts], weights: Scores
) -> float:
    """Expected cost per part: each part may be passed, else not be rejected, else is rejected."""
    passed, kept = _chances(channels, limits)
    return float((weights * np.c_[passed, kept - passed, 1 - kept]).sum())


def _best_cuts(
    channel: Channel, others: tuple[Scores, Scores], weights: Scores
) -> Cuts:
    """The cheapest two cuts of one channel, the first no higher than the second.

    The cost is a sum of what the lower cut saves or loses by passing parts rather than reviewing
    them, and of what the upper one does by reviewing rather than rejecting.
    """
    by_lower = channel.passes @ ((weights[:, 0] - weights[:, 1]) * others[0])
    by_upper = channel.kept @ ((weights[:, 1] - weights[:, 2]) * others[1])
    upper = int(np.argmin(np.minimum.accumulate(by_lower) + by_upper))
    return int(np.argmin(by_lower[: upper + 1])), upper


def _thresholds(
    channels: Sequence[Channel], limits: Sequence[Cuts]
) -> list[Thresholds]:
    return [
        channel.thresholds(one) for channel, one in zip(channels, limits, strict=True)
    ]
