"""What the rule for thresholds did on simulated scores, for as many parts as a line has."""

import math
from pathlib import Path
from typing import Any

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

    study = read_json(STUDY)
    columns = study["columns"]
    rows = [dict(zip(columns, row, strict=True)) for row in study["rows"]]

    sizes = {row["n_defective"] for row in rows}
    no_larger = [n for n in sizes if n <= n_defective]
    size = max(no_larger, default=min(sizes))

    # by ratio: 1 % lies nearer to 2 % than to 0.1 %
    limits = {row["asked"] for row in rows}
    limit = min(limits, key=lambda rate: abs(math.log(rate / asked)))

    of_size = [row for row in rows if row["n_defective"] == size]
    return [row for row in of_size if row["asked"] == limit]
