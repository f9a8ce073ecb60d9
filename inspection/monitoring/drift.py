"""Has a measure of the parts changed? A sequential test whose rate of false alarms is known.

Each new value is ranked among all before it. While nothing changes, the ranks are uniform and
independent, whatever the values are distributed like (Vovk, Gammerman and Shafer 2005), so no
reference set has to be chosen and none can be too small. Bets against uniform ranks are then fair
games: the Shiryaev-Roberts sum of their gains grows by one a part on average, and reaches `n / a`
within n parts with a probability of at most `a` (Doob; Vovk et al. 2021, "Retrain or not retrain").
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# How strongly it is bet that values fall (below 0) or rise; gains are 1 + bet * (rank - 0.5), and
# lose all at 2. Strong bets find a large shift in some 25 parts, weak ones one of half a spread.
BETS = (-1.8, -0.6, 0.6, 1.8)

Values = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Change:
    """A change: the parts, counted from 0, at which it was noticed and seems to have begun.

    `before` and `after` are the mean values up to and from that beginning.
    """

    noticed_at: int
    began_at: int
    before: float
    after: float


def first_change(
    values: Sequence[float], *, threshold: float, seed: int
) -> Change | None:
    """The first change in values in the order of time; None where there is none.

    `threshold` is that of `threshold_for`. `seed` breaks ties among equal values.
    """
    sums = np.zeros(len(BETS))
    for number, rank in enumerate(ranks(values, seed=seed)):
        sums = _with_bets(sums, rank)
        if sums.mean() >= threshold:
            return _change(np.asarray(values[: number + 1], float))
    return None


def unlike_usual(
    values: Sequence[float], usual: Sequence[float], *, threshold: float, seed: int
) -> int | None:
    """The first of the values, from 0, at which they are unlike the usual ones; None: they are not.

    The same bets, on the ranks of the values among the usual ones and those before them. While all
    of them are alike, in whatever order, `threshold_for` so many values keeps its word.
    """
    of_all = ranks([*usual, *values], seed=seed)
    sums = np.zeros(len(BETS))
    for number, rank in enumerate(of_all[len(usual) :]):
        sums = _with_bets(sums, rank)
        if sums.mean() >= threshold:
            return number
    return None


def threshold_for(*, false_alarms: float, n_parts: int, n_tests: int) -> float:
    """The threshold at which `n_tests` tests raise a false alarm among `n_parts` parts each
    with a probability of at most `false_alarms`, all of them together.

    >>> threshold_for(false_alarms=0.05, n_parts=5000, n_tests=20)
    2000000.0
    """
    return n_parts * n_tests / false_alarms


def ranks(values: Sequence[float], *, seed: int) -> Values:
    """The rank of each value among those up to it, 0..1; uniform where nothing changes.

    Equal values, and the value itself, are ranked at random among each other.
    """
    random = np.random.default_rng(seed).random(len(values))
    seen: list[float] = []
    found = np.empty(len(values))
    for number, value in enumerate(values):
        below = bisect.bisect_left(seen, value)
        equal = bisect.bisect_right(seen, value) - below + 1
        found[number] = (below + random[number] * equal) / (number + 1)
        bisect.insort(seen, value)
    return found


def unlike_before(values: Sequence[float], before: Sequence[float]) -> float:
    """How likely values would differ so much from those before by chance, 0..1 (Mann-Whitney)."""
    from scipy.stats import mannwhitneyu

    if len(set(values) | set(before)) == 1:
        return 1.0
    found = mannwhitneyu(values, before, alternative="two-sided", method="asymptotic")
    return float(found.pvalue)


def _with_bets(sums: Values, rank: float) -> Values:
    """The Shiryaev-Roberts sum of each bet after one more rank."""
    return (1 + sums) * (1 + np.array(BETS) * (rank - 0.5))


def _change(values: Values) -> Change:
    """The change that was noticed at the last value.

    It began where the ranks before and after are furthest apart, in units of how far apart chance
    puts as many (Pettitt 1979).
    """
    from scipy.stats import rankdata

    n = len(values)
    splits = np.arange(1, n)
    sums = np.cumsum(rankdata(values))[:-1]
    apart = np.abs(2 * sums - splits * (n + 1)) / np.sqrt(splits * (n - splits))
    began_at = int(splits[apart.argmax()]) if n > 1 else 0

    return Change(
        noticed_at=n - 1,
        began_at=began_at,
        before=float(values[: max(1, began_at)].mean()),
        after=float(values[began_at:].mean()),
    )
