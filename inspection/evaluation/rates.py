"""Rates with their uncertainty: a count is worth nothing without the n behind it."""

import math
from dataclasses import dataclass

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


def upper_bound(count: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The rate that would show `count` or fewer of `n` with probability 1 - confidence."""
    from scipy.stats import beta

    if not 0 <= count <= n:
        raise ValueError(f"count should lie in 0..{n}, got {count}")
    if count == n:
        return 1.0
    return float(beta.ppf(confidence, count + 1, n - count))


def auroc_bound(
    auroc: float, n_defective: int, n_normal: int, confidence: float = CONFIDENCE
) -> float:
    """The lowest true AUROC that would still show `auroc`, one-sided (Newcombe 2006, method 5).

    The spread is that of Hanley and McNeil (1982) at the true value, so a perfect AUROC of few
    parts is bounded too.

    >>> [round(auroc_bound(1.0, n, n), 3) for n in (5, 50)]
    [0.723, 0.972]
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z, others = norm.ppf(confidence), (n_defective + n_normal) / 2 - 1

    def surplus(true: float) -> float:
        share = 1 + others * ((1 - true) / (2 - true) + true / (1 + true))
        spread = true * (1 - true) * share / (n_defective * n_normal)
        return float(auroc - true - z * math.sqrt(spread))

    return float(brentq(surplus, 0.0, min(auroc, 1 - 1e-9))) if auroc > 0 else 0.0


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


def parts_needed(max_rate: float, confidence: float = CONFIDENCE) -> int:
    """How many parts without a single failure it takes to claim `max_rate`.

    >>> parts_needed(0.01)
    299
    """
    return math.ceil(math.log(1 - confidence) / math.log(1 - max_rate))
