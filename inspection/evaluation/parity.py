"""Parity: the deployed models judge as the trained ones do, or nothing is deployed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inspection.errors import raise_all

# Decimals of the differences in the report: float32 itself is no finer at 1.
DECIMALS = 9


@dataclass(frozen=True)
class Parity:
    """How far two runs of a model lie apart on the same `n` images.

    `score_difference` is the largest difference of any score, `heat_difference` of any heat on
    the absolute scale (0..1); `flipped` counts images with another verdict, `moved` those whose
    boxes lie elsewhere.
    """

    n: int
    score_difference: float
    heat_difference: float
    flipped: int
    moved: int = 0

    def as_json(self) -> dict[str, float]:
        """The report as JSON values."""
        return {
            name: round(float(value), DECIMALS) for name, value in vars(self).items()
        }


def compare(
    *,
    scores: tuple[Any, Any],
    heat: tuple[Any, Any],
    verdicts: tuple[Any, Any],
    moved: int = 0,
) -> Parity:
    """Compare scores (N, ...), heat (N, ...) and verdicts (N, ...) of two runs."""
    pairs = list(zip(*verdicts, strict=True))
    return Parity(
        n=len(pairs),
        score_difference=_largest_difference(*scores),
        heat_difference=_largest_difference(*heat),
        flipped=sum(one != other for one, other in pairs),
        moved=moved,
    )


def require_parity(reports: Mapping[str, Parity], *, tolerance: float) -> None:
    """Raise InspectionError where a verdict flipped, a box moved, or a number is off by more."""
    problems: list[str] = []
    for name, report in reports.items():
        problems += _problems(f"parity of {name}", report, tolerance)
    raise_all(problems)


def _problems(where: str, report: Parity, tolerance: float) -> Sequence[str]:
    problems = []
    if report.flipped:
        problems.append(
            f"{where}: {report.flipped} of {report.n} images get another verdict than "
            "from torch; do not deploy, report the versions on the card"
        )
    if report.moved:
        problems.append(
            f"{where}: {report.moved} of {report.n} images are boxed elsewhere than by "
            "torch; do not deploy, report the versions on the card"
        )

    differences = (report.score_difference, report.heat_difference)
    # A difference that is not a number is not small either.
    if not all(difference <= tolerance for difference in differences):
        problems.append(
            f"{where}: score off by {report.score_difference:.2e}, heat by "
            f"{report.heat_difference:.2e}, allowed is {tolerance:.0e}; do not deploy"
        )
    return problems


def _largest_difference(one: Any, other: Any) -> float:
    gaps = np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64))
    return float(gaps.max()) if gaps.size else 0.0
