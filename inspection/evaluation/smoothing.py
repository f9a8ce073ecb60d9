"""Scores of few parts, smoothed: each part stands for all that score about as it does.

A threshold set by the scores alone is too kind: the next defective part scores a little lower than
the lowest one seen. A Gaussian kernel on each part foresees that.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from inspection.runtime.detectors import BEYOND, Scores, Thresholds

# Cuts tried per detector: half a per cent of the parts between neighbours, which costs less than
# what 300 parts can tell; a thousand took twenty times as long for the same cost.
MAX_CUTS = 200
# Bandwidths from a part at which cuts are tried: half a bandwidth is finer than the kernel, and
# beyond 4 lies less than one part in 30 000.
KERNEL_STEPS = np.arange(-4.0, 4.5, 0.5)
SILVERMAN = 0.9  # bandwidth over spread times n^-1/5, Silverman 1986, equation 3.31
NORMAL_IQR = 1.34  # interquartile range over standard deviation, of normal scores
# Bandwidths from a part of a kind within which a verdict rests on it: 2 % of the kernel lie beyond.
REACH = 2.0

Cuts = tuple[int, int]


@dataclass(frozen=True)
class SmoothedScores:
    """Scores (N,), smoothed, and the cuts (C,) that are tried on them.

    `passes` (C, N) is the chance that a part like this one scores below a cut; none for a part
    without a score. `kept` is the same, and certainty for such a part: it is not rejected.
    """

    scores: Scores
    defective: Any
    bandwidths: tuple[float, float]
    cuts: Scores
    passes: Scores
    kept: Scores

    @classmethod
    def of(cls, scores: Scores, defective: Any, *, margin: float = 0.0) -> Self:
        """Smooth scores, NaN where a region was not found; `margin` apart they are alike."""
        scored = ~np.isnan(scores)
        of_normal = scores[scored & ~defective]
        of_defective = scores[scored & defective]

        widths = bandwidths(of_normal, of_defective, margin=margin)
        width = np.where(defective, widths[1], widths[0])
        cuts = _cuts(scores[scored], width[scored])
        below = _below(cuts, scores, width)

        return cls(
            scores=scores,
            defective=defective,
            bandwidths=widths,
            cuts=cuts,
            passes=np.where(scored, below, 0.0),
            kept=np.where(scored, below, 1.0),
        )

    def chances(self, thresholds: Thresholds) -> tuple[Scores, Scores]:
        """The chance (N,) of each part to pass, and not to be rejected, at given thresholds."""
        width = np.where(self.defective, self.bandwidths[1], self.bandwidths[0])
        both = np.array([thresholds.accept_below, thresholds.reject_above])
        below = _below(both, self.scores, width)

        # what was not measured does not pass, and is not rejected either
        scored = ~np.isnan(self.scores)
        passes = np.where(scored, below[0], 0.0)
        kept = np.where(scored, below[1], 1.0)
        return passes, kept

    def within_reach(self, limits: Cuts) -> Thresholds:
        """Two cuts as thresholds that JSON can hold, drawn back to within reach of parts seen.

        Without any score every part goes to review: nothing was seen to pass or reject by.
        """
        low, high = (float(self.cuts[cut]) for cut in limits)
        of_normal, of_defective = self.bandwidths
        good = self.scores[~self.defective & (self.scores <= low)]
        bad = self.scores[self.defective & (self.scores >= high)]

        accept = -BEYOND
        if len(good):
            furthest = float(good.max()) + REACH * of_normal
            accept = min(low, furthest)

        reject = BEYOND
        if len(bad):
            furthest = float(bad.min()) - REACH * of_defective
            reject = max(high, furthest)
        return Thresholds(accept_below=accept, reject_above=max(accept, reject))


def bandwidths(
    normal: Scores, defective: Scores, *, margin: float = 0.0
) -> tuple[float, float]:
    """The width of the kernel for normal and for defective parts (Silverman 1986, equation 3.31).

    Parts of one kind that do not differ by more than the margin, or a single one, are taken to
    spread as the other kind does; where that does not either, by a tenth of what lies between the
    two. No width is below the margin: else a threshold that keeps the margin from a part would
    fall out of its reach, and a line whose scores are all alike would pass none.
    """
    both = np.r_[normal, defective]
    # above the rounding of a score: a width of nothing would divide by nothing
    smallest = max(margin, 1e-9 * (1.0 + np.abs(both).max(initial=0.0)))
    of_normal, of_defective = _spread(normal, smallest), _spread(defective, smallest)
    apart = float(np.ptp(both)) / 10 if len(both) else 0.0

    of_both = (
        _bandwidth(of_normal or of_defective or apart, len(normal)),
        _bandwidth(of_defective or of_normal or apart, len(defective)),
    )
    return max(of_both[0], smallest), max(of_both[1], smallest)


def _bandwidth(spread: float, n: int) -> float:
    return SILVERMAN * spread * max(1, n) ** -0.2


def _spread(scores: Scores, smallest: float) -> float:
    """The standard deviation, or what the quartiles make of it where that is less; 0 where the
    deviation is below the smallest that counts."""
    if len(scores) < 2:
        return 0.0

    lower, upper = np.quantile(scores, (0.25, 0.75))
    robust = float(upper - lower) / NORMAL_IQR
    deviation = float(scores.std(ddof=1))
    if deviation < smallest:
        return 0.0
    return min(deviation, robust) if robust > 0 else deviation


def _cuts(scores: Scores, widths: Scores) -> Scores:
    """Cuts around each score, no more than MAX_CUTS, and beyond both ends."""
    steps = widths[:, None] * KERNEL_STEPS
    around = np.unique(scores[:, None] + steps)
    if len(around) > MAX_CUTS:
        shares = np.linspace(0, 1, MAX_CUTS)
        around = np.unique(np.quantile(around, shares))
    return np.r_[-np.inf, around, np.inf]


def _below(cuts: Scores, scores: Scores, widths: Scores) -> Scores:
    """The chance (C, N) that a part like each one scores below each cut."""
    from scipy.special import ndtr

    distances = (cuts[:, None] - scores) / widths
    return np.asarray(ndtr(distances), np.float64)
