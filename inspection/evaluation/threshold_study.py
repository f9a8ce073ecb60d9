"""What the rule for thresholds did on simulated scores, for as many parts as a line has."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from inspection.storage import read_json

# Written by `python -m benchmarks.thresholds --out`.
STUDY = Path(__file__).with_name("threshold_study.json")


def simulated(n_defective: int, asked: float | None) -> list[dict[str, Any]]:
    """The rows of the study that apply: no more defective parts than the line has, the limit next
    to the one asked for. One row per scenario, rates 0..1; none where no limit was asked for.

    `escape_rate` and `exceeds` (the share of draws in which more escaped than was asked),
    `reviewed_good` (good parts sent to review) and `cost` are means over the draws, on fresh parts.
    """
    if asked is None:
        return []

    table = _read_study()
    sizes = set(table["n_defective"])
    no_larger = [n for n in sizes if n <= n_defective]
    size = max(no_larger, default=min(sizes))

    # by ratio: 1 % lies nearer to 2 % than to 0.1 %
    limit = min(set(table["asked"]), key=lambda rate: abs(math.log(rate / asked)))

    applies = (table["n_defective"] == size) & (table["asked"] == limit)
    rows: list[dict[str, Any]] = table[applies].to_dict(orient="records")
    return rows


def _read_study() -> pd.DataFrame:
    study = read_json(STUDY)
    return pd.DataFrame(study["rows"], columns=study["columns"])
