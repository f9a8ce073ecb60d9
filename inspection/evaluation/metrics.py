"""What verdicts are worth: escapes and overkill counted per part, with n and a bound."""

from typing import Any

import pandas as pd

from inspection.evaluation.auroc import (
    anomaly_measures,
    class_auroc,
    detector_auroc,
    fused_measures,
)
from inspection.evaluation.classification import classification, classified
from inspection.evaluation.cost_report import cost_report
from inspection.evaluation.costs import Costs
from inspection.evaluation.part_scores import Parts, part_scores
from inspection.evaluation.rates import rate
from inspection.line import Line
from inspection.runtime.bundle import Settings
from inspection.runtime.detectors import score_names
from inspection.runtime.verdict import VERDICTS, judge_part


def outcomes(parts: Parts, labels: dict[str, str], settings: Settings) -> pd.DataFrame:
    """One row per part: label, verdict, the label the verdict names, worst view, scores."""
    scores = part_scores(parts, settings).tolist()
    names = score_names(settings.line)

    rows = []
    for of_part, (part_id, views) in zip(scores, parts.items(), strict=True):
        judged = judge_part(views, settings)
        rows.append(
            {
                "part_id": part_id,
                "label": labels[part_id],
                "verdict": judged.verdict,
                "named": judged.label,
                "classified": classified(judged),
                "worst_view": judged.worst_view,
                "n_views": len(views),
                **dict(zip(names, of_part, strict=True)),
            }
        )
    return pd.DataFrame(rows)


def test_metrics(
    table: pd.DataFrame, settings: Settings, costs: Costs
) -> dict[str, Any]:
    """All that the table of outcomes says of the test fold."""
    return {
        "classifier": classification(table, settings.line),
        "verdicts": verdict_table(table, settings),
        "totals": totals(table, settings.line),
        **fused_measures(table, settings),
        **anomaly_measures(table, settings),
        "cost": cost_report(
            table["verdict"].tolist(),
            table["label"].tolist(),
            settings.line.normal,
            costs,
        ).as_json(),
    }


def verdict_table(table: pd.DataFrame, settings: Settings) -> dict[str, dict[str, Any]]:
    """Per class, by part: n, passed, reviewed, rejected, the error rate and its bound, AUROC.

    The error is an escape (passed) for a defect, and overkill (rejected) for the normal class.
    """
    normal = settings.line.normal
    found = {}
    for name in settings.line.classes:
        verdicts = table.loc[table["label"] == name, "verdict"]
        counts = {verdict: int((verdicts == verdict).sum()) for verdict in VERDICTS}
        error = "overkill" if name == normal else "escapes"
        n_errors = counts["reject"] if name == normal else counts["pass"]
        errors = rate(n_errors, len(verdicts))
        found[name] = {
            "n_parts": len(verdicts),
            **counts,
            error: n_errors,
            "rate": errors.value,
            "upper_bound": errors.upper_bound if len(verdicts) else None,
            "auroc": class_auroc(table, name, settings),
            "auroc_by_detector": {
                detector: detector_auroc(table, name, detector, settings)
                for detector in settings.detectors
            },
        }
    return found


def totals(table: pd.DataFrame, line: Line) -> dict[str, Any]:
    """Escapes, overkill and reviews over all parts, each with n and its upper bound."""
    is_normal = table["label"] == line.normal
    n_defective, n_normal = int((~is_normal).sum()), int(is_normal.sum())

    escapes = rate(int((~is_normal & (table["verdict"] == "pass")).sum()), n_defective)
    overkill = rate(int((is_normal & (table["verdict"] == "reject")).sum()), n_normal)
    reviewed = rate(int((table["verdict"] == "review").sum()), len(table))
    return {
        "n_defective": n_defective,
        "escapes": escapes.count,
        "escape_rate": escapes.value,
        "escape_upper_bound": escapes.upper_bound,
        "n_normal": n_normal,
        "overkill": overkill.count,
        "overkill_rate": overkill.value,
        "overkill_upper_bound": overkill.upper_bound,
        "n_parts": len(table),
        "reviewed": reviewed.count,
        "review_rate": reviewed.value,
    }
