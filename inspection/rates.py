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


def parts_needed(max_rate: float, confidence: float = CONFIDENCE) -> int:
    """How many parts without a single failure it takes to claim `max_rate`.

    >>> parts_needed(0.01)
    299
    """
    return math.ceil(math.log(1 - confidence) / math.log(1 - max_rate))
