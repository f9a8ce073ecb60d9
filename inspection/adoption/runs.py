"""Numbers that come in runs: shots of one part were numbered, or taken, close together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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
    threshold, separation = _otsu(np.log(np.clip(steps, 1, pause)))
    max_gap = max(1, int(np.exp(threshold)))
    keys = np.empty(len(values), np.int64)
    keys[order] = np.concatenate([[0], np.cumsum(steps > max_gap)])
    return Runs(max_gap, separation, tuple(keys.tolist()))


def _otsu(values: np.ndarray) -> tuple[float, float]:
    """The threshold that explains most variance (Otsu 1979), and the share 0..1 it explains."""
    ordered = np.sort(values.astype(np.float64))
    spread = float(ordered.var()) if len(ordered) else 0.0
    if spread < 1e-12:
        return float(ordered[-1]) if len(ordered) else 0.0, 0.0
    counts = np.arange(1, len(ordered))
    sums = np.cumsum(ordered)[:-1]
    low, high = sums / counts, (ordered.sum() - sums) / (len(ordered) - counts)
    share = counts / len(ordered)
    between = share * (1 - share) * (low - high) ** 2
    between[ordered[1:] == ordered[:-1]] = -1.0
    best = int(between.argmax())
    return float((ordered[best] + ordered[best + 1]) / 2), float(between[best]) / spread
