"""Rates with their uncertainty: a count is worth nothing without the n behind it."""

import bisect
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

# One-sided, as is usual where a rate must stay below a limit: one bound in twenty is too low.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rate:
    """`count` of `n` parts, and the one-sided upper bound of the true rate, 0..1."""

    count: int
    n: int
    upper_bound: float

    @property
    def value(self) -> float | None:
        """Count over n, or None where there are no parts."""
        return self.count / self.n if self.n else None


def rate(count: int, n: int, confidence: float = CONFIDENCE) -> Rate:
    """A rate with its Clopper-Pearson upper bound (one-sided, Clopper and Pearson 1934).

    >>> round(rate(0, 53).upper_bound, 3)
    0.055
    """
    return Rate(count, n, upper_bound(count, n, confidence))


def percent(value: float | None, absent: str = "-") -> str:
    """A rate as text, in per cent; `absent` where there is none.

    >>> percent(0.055), percent(None)
    ('5.5 %', '-')
    """
    return absent if value is None else f"{100 * value:.1f} %"


def upper_bound(count: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The rate that would show `count` or fewer of `n` with probability 1 - confidence."""
    from scipy.stats import beta

    if not 0 <= count <= n:
        raise ValueError(f"count should lie in 0..{n}, got {count}")
    if count == n:
        return 1.0
    return float(beta.ppf(confidence, count + 1, n - count))


def auroc_bound(
    defective: Any, normal: Any, confidence: float = CONFIDENCE
) -> float | None:
    """The one-sided lower bound of the AUROC of scores of parts; None without parts of either kind.

    The spread is DeLong's (1988), with one more part of each kind that tells nothing; the bound is
    Clopper-Pearson's for as many parts as would spread so (Korn and Graubard 1998), but no fewer
    than the rarer kind has: a perfect AUROC of few parts is bounded as a rate of these. Over 60
    simulated settings (5 to 100 defective parts; spreads 3 : 1, 1 : 1 and 1 : 3; one defective part
    in ten like a normal one) it held in 93 to 100 % of 400 draws; Newcombe's method 5 held in 86 to
    100 %, DeLong on the logit in 34 to 98 %.

    >>> [round(auroc_bound([1.0] * n, [0.0] * n), 3) for n in (5, 50)]
    [0.549, 0.942]
    """
    from scipy.stats import beta

    n_defective, n_normal = len(defective), len(normal)
    if not n_defective or not n_normal:
        return None

    above, below = _placements(defective, normal), 1 - _placements(normal, defective)
    auroc = float(above.mean())
    if auroc == 0:
        return 0.0

    # One part more of each kind, at 0.5: few parts that agree by chance would else spread little.
    spread = np.var([*above, 0.5], ddof=1) / n_defective
    spread += np.var([*below, 0.5], ddof=1) / n_normal
    n_rarer = min(n_defective, n_normal)
    # no spread where every part ties with all others, or none with any
    n_effective = n_rarer if spread == 0 or auroc == 1 else auroc * (1 - auroc) / spread
    n_effective = max(n_rarer, n_effective)

    hits = auroc * n_effective
    return float(beta.ppf(1 - confidence, hits, n_effective - hits + 1))


def _placements(scores: Any, others: Any) -> Any:
    """The share of `others` that each score lies above, ties counted half."""
    ordered = np.sort(others)
    ranks = np.searchsorted(ordered, scores, "left")
    ranks = ranks + np.searchsorted(ordered, scores, "right")
    return ranks / 2 / len(ordered)


def allowed_failures(
    n: int, max_rate: float, confidence: float = CONFIDENCE
) -> int | None:
    """How many of `n` parts may fail while `max_rate` can still be claimed; None if not even none.

    >>> [allowed_failures(n, 0.01) for n in (298, 299, 1000)]
    [None, 0, 4]
    """
    allowed = None
    for count in range(n):
        if upper_bound(count, n, confidence) > max_rate:
            break
        allowed = count
    return allowed


def parts_needed(
    max_rate: float, confidence: float = CONFIDENCE, failures: int = 0
) -> int:
    """How many parts with so many failures, none unless said, it takes to claim `max_rate`.

    >>> parts_needed(0.01), parts_needed(0.01, failures=1)
    (299, 473)
    """
    # Ten times (failures + 1) over n bounds the rate at any confidence up to 99.99 %.
    most = math.ceil(10 * (failures + 1) / max_rate)
    return failures + bisect.bisect_left(
        range(failures, most),
        True,
        key=lambda n: upper_bound(failures, n, confidence) <= max_rate,
    )
