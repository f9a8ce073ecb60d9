"""What `make evidence` and `make drill` have found, as tables."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from inspection.evaluation.rates import percent
from inspection.line import Line
from inspection.runtime.detectors import score_names
from inspection.runtime.verdict import VERDICTS

# The column that names a class of the drill, and what begins the names of its columns of AUROC.
NEVER_SHOWN, AUROC = "never shown", "AUROC "


def evidence_table(found: Mapping[str, Any], normal: str) -> pd.DataFrame:
    """Verdicts on all parts by class, each part judged by a line that has not seen it.

    `found` is metrics/evidence.json. The error of a defect is an escape, that of the normal class
    overkill.
    """
    rows = []
    for name, one in found["verdicts"].items():
        counts = {verdict: one[verdict] for verdict in VERDICTS}
        row = {
            "class": name,
            "parts": one["n_parts"],
            **counts,
            "error": "overkill" if name == normal else "escapes",
            "rate": percent(one["rate"]),
            "at most": percent(one["upper_bound"]),
            "AUROC": one["auroc"],
        }
        rows.append(row)
    return pd.DataFrame(rows)


def evidence_sentence(found: Mapping[str, Any]) -> str:
    """What the folds show together, and how far they lie apart."""
    totals = found["totals"]
    escape_bound = percent(totals["escape_upper_bound"])
    overkill_bound = percent(totals["overkill_upper_bound"])
    macro_f1 = found["classifier"]["macro_f1"]
    cost = found["cost"]["sentence"].capitalize()
    return (
        f"Every part judged by a line that has not seen it, in {found['n_folds']} folds: escapes "
        f"{totals['escapes']} of {totals['n_defective']}, at most "
        f"{escape_bound}; overkill {totals['overkill']} of "
        f"{totals['n_normal']}, at most {overkill_bound}; to review "
        f"{totals['reviewed']} of {totals['n_parts']};{_auroc_clause(found)} macro-F1 "
        f"{macro_f1:.3f}. {cost}."
    )


def _auroc_clause(found: Mapping[str, Any]) -> str:
    """The AUROC of the fused score with its spread over the folds; empty where it is unknown."""
    auroc = found["fused_auroc"]
    if auroc is None:
        return ""

    # None in a fold, or in all, that held no defective part: there is nothing to tell apart
    by_fold = [value for value in found["by_fold"]["fused_auroc"] if value is not None]
    spread = ""
    if by_fold:
        spread = f" ({min(by_fold):.3f} to {max(by_fold):.3f} by fold)"
    return f" AUROC {auroc:.3f}{spread},"


def age_sentence(found: Mapping[str, Any], version: str, command: str) -> str:
    """That trials are of another bundle than the one of this version; '' where they are of it."""
    tried = found["beside"]
    if tried == version:
        return ""
    return f"Tried beside bundle {tried or '-'}; this is {version}: `{command}`."


def drill_table(found: Mapping[str, Any], line: Line) -> pd.DataFrame:
    """What became of each class that the line was never shown, classes and scores in its order.

    `found` is metrics/drill.json, whose keys are sorted.
    """
    classes = found["classes"]
    rows = []
    for name in in_order(classes, line.defects):
        one = classes[name]
        counts = {verdict: one[verdict] for verdict in VERDICTS}
        by_score = one["auroc"]
        scores = in_order(by_score, score_names(line))
        aurocs = {f"{AUROC}{score}": by_score[score] for score in scores}
        row = {
            NEVER_SHOWN: name,
            "parts": one["n_parts"],
            **counts,
            "escapes at most": percent(one["escape_upper_bound"]),
            **aurocs,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def in_order(names: Collection[str], order: Sequence[str]) -> list[str]:
    """Names in a given order; those that it does not know, of before, come last."""
    known = [name for name in order if name in names]
    unknown = [name for name in names if name not in known]
    return [*known, *unknown]
