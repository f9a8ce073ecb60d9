"""Parity: the deployed graphs decide as the trained models do, or nothing is deployed."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from inspection.errors import raise_all


@dataclass(frozen=True)
class Parity:
    """How far two runs of a model lie apart on the same crops.

    `score_difference` is the largest difference of any score, `heat_difference` of any heat on
    the absolute scale (0..1); `flipped` counts crops with another verdict.
    """

    n: int
    score_difference: float
    heat_difference: float
    flipped: int

    def as_json(self) -> dict[str, float]:
        """The report as JSON values."""
        return {name: round(float(value), 9) for name, value in vars(self).items()}


def compare(
    scores: Any,
    other_scores: Any,
    heat: Any,
    other_heat: Any,
    verdicts: Any,
    other_verdicts: Any,
) -> Parity:
    """Compare scores (N,), heat (N, ...) and verdicts (N,) of two runs."""
    return Parity(
        n=len(scores),
        score_difference=_largest(scores, other_scores),
        heat_difference=_largest(heat, other_heat),
        flipped=int(np.sum(np.asarray(verdicts) != np.asarray(other_verdicts))),
    )


def require_parity(reports: dict[str, Parity], *, tolerance: float) -> None:
    """Raise InspectionError when any verdict flipped or any score is off by more than allowed."""
    problems = []
    for name, report in reports.items():
        if report.flipped:
            problems.append(
                f"parity of {name}: {report.flipped} of {report.n} crops get another verdict than "
                "from torch; do not deploy, report the versions on the card"
            )
        if not _within(tolerance, report.score_difference, report.heat_difference):
            problems.append(
                f"parity of {name}: score off by {report.score_difference:.2e}, heat by "
                f"{report.heat_difference:.2e}, allowed is {tolerance:.0e}; do not deploy"
            )
    raise_all(problems)


def _within(tolerance: float, *differences: float) -> bool:
    """Whether all differences are small; one that is not a number is not."""
    return all(difference <= tolerance for difference in differences)


def _largest(one: Any, other: Any) -> float:
    gaps = np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64))
    return float(gaps.max()) if gaps.size else 0.0
