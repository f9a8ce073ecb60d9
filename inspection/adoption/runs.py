"""Numbers that come in runs: shots of one part were numbered, or taken, close together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Of log steps. no outcome: below lies the rounding of steps that are all alike.
MIN_VARIANCE = 1e-12


@dataclass(frozen=True)
class Runs:
    """How the numbers of views cluster: the gap that parts the runs, and how clearly."""

    max_gap: int
    separation: float
    keys: tuple[int, ...]


def runs_of(numbers: Sequence[int], *, pause: int | None = None) -> Runs:
    """Numbers split where the step to the next is large; the threshold is Otsu's on log steps.

    `separation` 0..1 is the share of the variance of the log steps that the split explains (about
    0.64 for numbers drawn at random). Keys are in the order given. Steps count as no larger than
    `pause`: of times, a night says no more than an hour.
    """
    values = np.asarray(numbers, np.int64)
    order = np.argsort(values, kind="stable")
    steps = np.diff(values[order])

    # on log steps: a pause is several times as long as a step, not so much longer
    logs = np.log(np.clip(steps, 1, pause))
    threshold, separation = _otsu(logs)
    max_gap = max(1, int(np.exp(threshold)))

    runs_before = np.cumsum(steps > max_gap)
    keys = np.empty(len(values), np.int64)
    keys[order] = np.concatenate([[0], runs_before])
    return Runs(max_gap, separation, tuple(keys.tolist()))


def _otsu(values: np.ndarray) -> tuple[float, float]:
    """The threshold that explains most variance (Otsu 1979), and the share 0..1 it explains."""
    ordered = np.sort(values.astype(np.float64))
    n = len(ordered)
    spread = float(ordered.var()) if n else 0.0
    if spread < MIN_VARIANCE:
        return float(ordered[-1]) if n else 0.0, 0.0

    # of a threshold between each value and the next
    n_below = np.arange(1, n)
    n_above = n - n_below
    sum_below = np.cumsum(ordered)[:-1]
    sum_above = ordered.sum() - sum_below
    mean_below = sum_below / n_below
    mean_above = sum_above / n_above

    share = n_below / n
    between = share * (1 - share) * (mean_below - mean_above) ** 2
    between[ordered[1:] == ordered[:-1]] = -1.0  # equal values are not parted
    best = int(between.argmax())

    threshold = (ordered[best] + ordered[best + 1]) / 2
    return float(threshold), float(between[best]) / spread
