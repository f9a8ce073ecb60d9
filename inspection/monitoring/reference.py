"""Do the verdicts of a line fit what the card says of the test fold? Asked from the first part on.

The card counts how many normal test parts were rejected, and how many were not passed. A line on
which nothing is wrong therefore keeps these rates between two bounds. Bets on a rate above the
upper bound, or below the lower, are games that cannot gain on average while it lies between; what
they have ever won reaches `1 / a` with a probability of at most `a` (Ville 1939; Waudby-Smith and
Ramdas 2024, "Estimating means of bounded random variables by betting").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import logsumexp

from inspection.evaluation.rates import upper_bound
from inspection.monitoring.measures import Usual

# Shares of the most that may be bet: small ones find small excesses, large ones large ones sooner.
BETS = (0.1, 0.3, 0.6)
Values = np.ndarray[Any, np.dtype[np.float64]]
REVIEW, REJECT = "review", "reject"


@dataclass(frozen=True)
class Reference:
    """What is known of a release: verdicts of test parts by class, as its card counts them.

    `defect_rate` is the share of defective parts that the line expects. `usual` are the measures
    of the normal test parts.
    """

    release: str
    verdicts: Mapping[str, Mapping[str, Any]]
    normal: str
    defect_rate: float
    usual: Usual = field(default_factory=dict)


@dataclass(frozen=True)
class Band:
    """The bounds between which a rate stays where nothing is wrong."""

    low: float
    high: float


@dataclass(frozen=True)
class Excess:
    """A rate outside of its band: the bound, the rate so far, and the part, from 0, that showed."""

    bound: float
    rate: float
    noticed_at: int


def bands(reference: Reference, *, confidence: float) -> dict[str, Band]:
    """The band of each rate; none where the card counts no normal parts.

    Each bound holds with this confidence. Defective parts are taken to be held back all, or none:
    there are few of them on a line, and of each class few in the test fold.

    >>> row = {"n_parts": 100, "pass": 90, "review": 5, "reject": 5}
    >>> found = bands(Reference("1", {"good": row}, "good", 0.1), confidence=0.95)
    >>> [f"{band.low:.3f} {band.high:.3f}" for band in found.values()]
    ['0.050 0.247', '0.018 0.192']
    """
    counts = reference.verdicts.get(reference.normal, {})
    n_parts = int(counts.get("n_parts", 0))
    if not n_parts:
        return {}

    n_rejected = int(counts[REJECT])
    held = {
        "rate of parts not passed": n_rejected + int(counts[REVIEW]),
        "rate of parts rejected": n_rejected,
    }
    good = 1 - reference.defect_rate
    return {
        name: Band(
            low=good * (1 - upper_bound(n_parts - n, n_parts, confidence)),
            high=good * upper_bound(n, n_parts, confidence) + reference.defect_rate,
        )
        for name, n in held.items()
    }


def outside(values: Sequence[float], band: Band, *, alpha: float) -> Excess | None:
    """The first part at which a rate is shown to lie outside of its band; None where it is not.

    `values` are 0 or 1. Among ever so many parts of a line that keeps within the band, it is said
    of each side with a probability of at most `alpha`.
    """
    found = np.asarray(values, float)
    seen = []
    if band.high < 1:
        seen.append((band.high, _first(found - band.high, 1 / band.high, alpha)))
    if band.low > 0:
        seen.append((band.low, _first(band.low - found, 1 / (1 - band.low), alpha)))

    shown = [(number, bound) for bound, number in seen if number is not None]
    if not shown:
        return None
    number, bound = min(shown)
    rate = float(found[: number + 1].mean())
    return Excess(bound=bound, rate=rate, noticed_at=number)


def _first(gains: Values, most: float, alpha: float) -> int | None:
    """The first part at which bets on `gains` have won `1 / alpha`; a bet of `most` may lose all.

    What has been staked is shared among the bets, each of which is played on.
    """
    factors = 1 + most * np.outer(gains, BETS)
    # logarithms: of many parts the product is too large for a float, or too small
    won = logsumexp(np.cumsum(np.log(factors), axis=0), axis=1) - np.log(len(BETS))
    reached = won >= -np.log(alpha)
    return int(reached.argmax()) if reached.any() else None
