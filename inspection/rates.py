"""Rates with their uncertainty: a count is worth nothing without the n behind it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

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


def bootstrap_bound(
    measure: Callable[[Any, Any], float], labels: Any, guesses: Any, *, n: int = 1000, seed: int = 0
) -> float:
    """The one-sided 95 % lower bound of `measure(labels, guesses)` by bootstrap over parts.

    Parts are drawn anew within each label, `n` times; the bound is the 5 % quantile (Efron 1979).
    It is too kind where the measure is perfect: no draw can be worse than what was seen.
    """
    labels, guesses = np.asarray(labels), np.asarray(guesses)
    generator = np.random.default_rng(seed)
    rows_of = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    drawn = (np.concatenate([generator.choice(rows, len(rows)) for rows in rows_of])
             for _ in range(n))  # fmt: skip
    return float(np.quantile([measure(labels[d], guesses[d]) for d in drawn], 1 - CONFIDENCE))


def allowed_failures(n: int, max_rate: float, confidence: float = CONFIDENCE) -> int | None:
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
