"""Judge every part of the data by a line that has not seen it: `make evidence`.

All parts are dealt into folds. For each fold the whole line is trained,
calibrated and assembled without it, and judges it. So every number rests on all parts, and not on
those of one test fold. It takes as many times as long as `dvc repro` as there are folds; stopped,
it goes on where it was.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from inspection.evaluation.costs import Costs
from inspection.evaluation.metrics import test_metrics
from inspection.plant import LineErrors
from inspection.runtime.bundle import Card
from inspection.runtime.detectors import FUSED, anomaly_regions
from inspection.storage import write_json, write_table
from pipelines.summary import verdict_lines
from pipelines.trials.arguments import how_many
from pipelines.trials.beside import EVIDENCE
from pipelines.trials.trial import Judged, Trial, judged, put_back, state

# Four fifths of the parts to learn from are near to what the deployed line has; as many folds as
# stage `split` can deal.
N_FOLDS, MAX_FOLDS = 5, 20
PARTS = Path("artifacts/evidence/parts.csv")


def main() -> None:
    """Judge all parts, save and print what that shows."""
    n_folds = how_many(
        __doc__,
        "--folds",
        usual=N_FOLDS,
        most=MAX_FOLDS,
        effect="; more leave more to learn from, and take longer",
    )
    with LineErrors("evidence"):
        put_back()
        folds = list(judged(outer_folds(n_folds)))
        found = evidence(folds)
        write_json(EVIDENCE, found)
        write_table(PARTS, all_parts(folds))
        sys.stdout.write(told(found, folds[0].card))


def outer_folds(n_folds: int) -> list[Trial]:
    """A trial for each fold, which is its test."""
    return [
        Trial(
            f"fold {number + 1} of {n_folds}",
            (f"++split.outer_fold={number}", f"++split.outer_folds={n_folds}"),
        )
        for number in range(n_folds)
    ]


def evidence(folds: Sequence[Judged]) -> dict[str, Any]:
    """What the verdicts on all parts show, as on a test fold, and the AUROC fold by fold."""
    card = folds[0].card
    by_fold = {
        f"{name}_auroc": [one.card.metrics[f"{name}_auroc"] for one in folds]
        for name in (FUSED, *anomaly_regions(card.line))
    }
    return {
        **state(),
        "n_folds": len(folds),
        "by_fold": by_fold,
        **test_metrics(all_parts(folds), card, Costs.of_card(card)),
    }


def all_parts(folds: Sequence[Judged]) -> pd.DataFrame:
    """The parts of all folds, with the name of the trial that judged each."""
    return pd.concat(
        [one.table.assign(trial=one.trial.name) for one in folds], ignore_index=True
    )


def told(found: dict[str, Any], card: Card) -> str:
    """What the evidence shows, as text."""
    title = (
        f"{card.line.name}: every part judged by a line that has not seen it, in "
        f"{found['n_folds']} folds, bounds one-sided 95 %"
    )
    return "\n".join(["", title, "", *verdict_lines(found, card), ""])


if __name__ == "__main__":
    main()
