"""How far the numbers scatter with the seeds of the training: `make seeds`.

The whole line is trained, calibrated and assembled with other seeds of locator, classifier and
anomaly model, on the same folds, and judges the same test parts. Stopped, it goes on where it was.
"""

import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from inspection.plant import LineErrors
from inspection.runtime.bundle import Card
from inspection.runtime.detectors import FUSED, anomaly_regions
from inspection.storage import write_json
from pipelines.trials.arguments import how_many
from pipelines.trials.beside import SEEDS
from pipelines.trials.trial import Judged, Trial, judged, put_back, state

# Five draws show a spread, of which all but the ends are worth little.
N_SEEDS, MAX_SEEDS = 5, 50
SEEDED = ("crop", "train", "fit_anomaly")


def main() -> None:
    """Run the line with each seed, save and print what the test fold shows."""
    n_seeds = how_many(__doc__, "--seeds", usual=N_SEEDS, most=MAX_SEEDS)
    with LineErrors("seeds"):
        put_back()
        found = spread(list(judged(by_seed(n_seeds))))
        write_json(SEEDS, found)
        sys.stdout.write(told(found))


def by_seed(n_seeds: int) -> list[Trial]:
    """A trial for each seed, from 1 on: 0 is the one of params.yaml."""
    return [
        Trial(f"seed {seed}", tuple(f"++{section}.seed={seed}" for section in SEEDED))
        for seed in range(1, n_seeds + 1)
    ]


def spread(trials: Sequence[Judged]) -> dict[str, Any]:
    """The numbers of the test fold by seed, in the order of the trials."""
    rows = [_numbers(one.card) for one in trials]
    return {
        **state(),
        "n_seeds": len(rows),
        "numbers": {name: [row[name] for row in rows] for name in rows[0]},
    }


def told(found: dict[str, Any]) -> str:
    """Least, median and most of each number, as text."""
    head = f"{'':24}  {'least':>7}  {'median':>7}  {'most':>7}"
    lines = [
        f"{name:24}  {min(values):7.3f}  {median(values):7.3f}  {max(values):7.3f}"
        for name, every in found["numbers"].items()
        if (values := [value for value in every if value is not None])
    ]
    title = f"the test fold with {found['n_seeds']} seeds of the training"
    return "\n".join(["", title, "", head, *lines, ""])


def _numbers(card: Card) -> dict[str, float | None]:
    metrics = card.metrics
    totals, cost = metrics["totals"], metrics["cost"]["line"]
    return {
        "escape rate": totals["escape_rate"],
        "overkill rate": totals["overkill_rate"],
        "review rate": totals["review_rate"],
        "cost a part": cost["value"],
        "cost, upper end": cost["high"],
        **{
            f"{name} AUROC": metrics[f"{name}_auroc"]
            for name in (FUSED, *anomaly_regions(card.line))
        },
        "macro-F1": metrics["classifier"]["macro_f1"],
    }


if __name__ == "__main__":
    main()
