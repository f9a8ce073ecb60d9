"""What `make evidence` and `make drill` have found, as tables."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from inspection.evaluation.rates import percent
from inspection.line import Line
from inspection.runtime.detectors import score_names
from inspection.runtime.verdict import VERDICTS


def evidence_table(found: Mapping[str, Any], normal: str) -> pd.DataFrame:
    """Verdicts on all parts by class, each part judged by a line that has not seen it.

    `found` is metrics/evidence.json. The error of a defect is an escape, that of the normal class
    overkill.
    """
    rows = [
        {
            "class": name,
            "parts": one["n_parts"],
            **{verdict: one[verdict] for verdict in VERDICTS},
            "error": "overkill" if name == normal else "escapes",
            "rate": percent(one["rate"]),
            "at most": percent(one["upper_bound"]),
            "AUROC": one["auroc"],
        }
        for name, one in found["verdicts"].items()
    ]
    return pd.DataFrame(rows)


def evidence_sentence(found: Mapping[str, Any]) -> str:
    """What the folds show together, and how far they lie apart."""
    totals, cost = found["totals"], found["cost"]
    # None in a fold, or in all, that held no defective part: there is nothing to tell apart
    by_fold = [value for value in found["by_fold"]["fused_auroc"] if value is not None]
    spread = f" ({min(by_fold):.3f} to {max(by_fold):.3f} by fold)" if by_fold else ""
    auroc = found["fused_auroc"]
    told = "" if auroc is None else f" AUROC {auroc:.3f}{spread},"

    escape_bound = percent(totals["escape_upper_bound"])
    overkill_bound = percent(totals["overkill_upper_bound"])
    macro_f1 = found["classifier"]["macro_f1"]
    return (
        f"Every part judged by a line that has not seen it, in {found['n_folds']} folds: escapes "
        f"{totals['escapes']} of {totals['n_defective']}, at most "
        f"{escape_bound}; overkill {totals['overkill']} of "
        f"{totals['n_normal']}, at most {overkill_bound}; to review "
        f"{totals['reviewed']} of {totals['n_parts']};{told} macro-F1 "
        f"{macro_f1:.3f}. {cost['sentence'].capitalize()}."
    )


def drill_table(found: Mapping[str, Any], line: Line) -> pd.DataFrame:
    """What became of each class that the line was never shown, classes and scores in its order.

    `found` is metrics/drill.json, whose keys are sorted.
    """
    classes = found["classes"]
    rows = []
    for name in in_order(classes, line.defects):
        one = classes[name]
        scores = in_order(one["auroc"], score_names(line))
        rows.append(
            {
                "never shown": name,
                "parts": one["n_parts"],
                **{verdict: one[verdict] for verdict in VERDICTS},
                "escapes at most": percent(one["escape_upper_bound"]),
                **{f"AUROC {score}": one["auroc"][score] for score in scores},
            }
        )
    return pd.DataFrame(rows)


def in_order(names: Collection[str], order: Sequence[str]) -> list[str]:
    """Names in a given order; those that it does not know, of before, come last."""
    known = [name for name in order if name in names]
    return [*known, *(name for name in names if name not in known)]
