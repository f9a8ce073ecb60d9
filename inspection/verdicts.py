"""From scores to pass, review or reject."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

VERDICTS = ("pass", "review", "reject")
BEYOND = 1e9  # no score lies further out, and JSON can hold it

Levels = np.ndarray[Any, np.dtype[np.int64]]
Scores = np.ndarray[Any, np.dtype[np.float64]]


class Thresholds(BaseModel):
    """A score below `accept_below` passes, one above `reject_above` is rejected, else review."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accept_below: float
    reject_above: float

    def verdict(self, score: float) -> str:
        """The verdict on one score; a score that is not a number goes to review."""
        if score < self.accept_below:
            return "pass"
        return "reject" if score > self.reject_above else "review"


class Costs(BaseModel):
    """What a wrong or late decision costs, in units of one good part thrown away.

    `defect_rate` is the share of defective parts on the line, not in the data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    escape_cost: float = Field(default=100.0, gt=0)
    overkill_cost: float = Field(default=1.0, gt=0)
    review_cost: float = Field(default=0.3, gt=0)
    defect_rate: float = Field(default=0.05, gt=0, lt=1)


def worst(verdicts: Sequence[str]) -> str:
    """The most severe of some verdicts.

    >>> worst(["pass", "reject", "review"])
    'reject'
    """
    return max(verdicts, key=VERDICTS.index)


def decide(scores: Scores, thresholds: Sequence[Thresholds]) -> list[str]:
    """The verdict on each part (parts, channels): the worst of its channels.

    A channel that did not see a part has a NaN score, and calls for review.
    """
    levels = np.zeros(len(scores), np.int64)
    for column, limits in zip(scores.T, thresholds, strict=True):
        levels = np.maximum(levels, _levels(column, limits))
    return [VERDICTS[level] for level in levels]


def _levels(scores: Scores, limits: Thresholds) -> Levels:
    passes, rejects = scores < limits.accept_below, scores > limits.reject_above
    return np.where(passes, 0, np.where(rejects, 2, 1))
