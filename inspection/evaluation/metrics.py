"""What verdicts are worth: escapes and overkill counted per part, with n and a bound."""

from typing import Any

import numpy as np
import pandas as pd

from inspection.errors import InspectionError
from inspection.evaluation.cost_report import cost_report
from inspection.evaluation.costs import Costs
from inspection.evaluation.part_scores import Parts, part_scores
from inspection.evaluation.rates import (
    CONFIDENCE,
    auroc_bound,
    rate,
)
from inspection.line import Line
from inspection.parts import confusion, f1_by_class, macro_f1
from inspection.runtime.bundle import Settings
from inspection.runtime.detectors import CLASSIFIER, DETECTORS
from inspection.runtime.verdict import NOT_FOUND, PartVerdict, judge_part

# Tables drawn for the bound of macro-F1: its 5 % quantile is then steady to about 0.005.
N_DRAWS = 4000


def outcomes(parts: Parts, labels: dict[str, str], settings: Settings) -> pd.DataFrame:
    """One row per part: label, verdict, the label the verdict names, worst view, scores."""
    calibrations = {
        name: detector.calibration for name, detector in settings.detectors.items()
    }
    scores = part_scores(parts, calibrations)
    rows = []
    for number, (part_id, views) in enumerate(parts.items()):
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
                **dict(zip(calibrations, scores[number].tolist(), strict=True)),
            }
        )
    return pd.DataFrame(rows)


def classified(part: PartVerdict) -> str:
    """The class that the classifier gives a part: the likeliest one of its worst view.

    `not_found` where its region was found in no view.
    """
    views = [view for view in part.views if view.probabilities]
    if not views:
        return NOT_FOUND

    worst = max(views, key=lambda view: view.scores[CLASSIFIER])
    return max(worst.probabilities, key=lambda name: worst.probabilities[name])


def verdict_table(table: pd.DataFrame, line: Line) -> dict[str, dict[str, Any]]:
    """Per class, by part: n, passed, reviewed, rejected, and the rate that hurts with its bound.

    For a defect that is the escape rate (passed), for normal the overkill rate (rejected).
    """
    found = {}
    for name in line.classes:
        of_class = table[table["label"] == name]
        counts = {verdict: int((of_class["verdict"] == verdict).sum()) for verdict in
                  ("pass", "review", "reject")}  # fmt: skip
        hurts = counts["reject"] if name == line.normal else counts["pass"]
        found[name] = {
            "n_parts": len(of_class),
            **counts,
            ("overkill" if name == line.normal else "escapes"): hurts,
            "rate": rate(hurts, len(of_class)).value,
            "upper_bound": rate(hurts, len(of_class)).upper_bound
            if len(of_class)
            else None,
            "auroc": class_auroc(table, name, line),
            "auroc_by_detector": {
                detector: detector_auroc(table, name, detector, line)
                for detector in DETECTORS
            },
        }
    return found


def totals(table: pd.DataFrame, line: Line) -> dict[str, Any]:
    """Escapes, overkill and reviews over all parts, each with n and its upper bound."""
    defective = table[table["label"] != line.normal]
    normal = table[table["label"] == line.normal]
    escapes = int((defective["verdict"] == "pass").sum())
    overkill = int((normal["verdict"] == "reject").sum())
    reviewed = int((table["verdict"] == "review").sum())
    return {
        "n_defective": len(defective),
        "escapes": escapes,
        "escape_rate": rate(escapes, len(defective)).value,
        "escape_upper_bound": rate(escapes, len(defective)).upper_bound,
        "n_normal": len(normal),
        "overkill": overkill,
        "overkill_rate": rate(overkill, len(normal)).value,
        "overkill_upper_bound": rate(overkill, len(normal)).upper_bound,
        "n_parts": len(table),
        "reviewed": reviewed,
        "review_rate": rate(reviewed, len(table)).value,
    }


def class_auroc(table: pd.DataFrame, name: str, line: Line) -> float | None:
    """AUROC of a defect's parts against normal ones, by the detector that is meant to see it.

    Where both detectors see its region, the classifier's. None without parts of either kind.
    """
    detector = "classifier" if name in line.regions[line.classify].shows else "anomaly"
    return detector_auroc(table, name, detector, line)


def detector_auroc(
    table: pd.DataFrame, name: str, detector: str, line: Line
) -> float | None:
    """AUROC of a detector's score for a defect's parts against normal ones.

    None without parts of either kind, and where the class does not show in the detector's region,
    as the normal one never does.
    """
    from sklearn.metrics import roc_auc_score

    region = line.classify if detector == "classifier" else line.detect_anomalies
    if name not in line.regions[region].shows:
        return None
    rows = table[table["label"].isin([name, line.normal])].dropna(subset=[detector])
    is_defect = (rows["label"] == name).to_numpy()
    if is_defect.all() or not is_defect.any():
        return None
    return float(roc_auc_score(is_defect, rows[detector]))


def anomaly_measures(table: pd.DataFrame, line: Line) -> dict[str, float | None]:
    """AUROC of the anomaly score for the defects that show in its region, against normal parts.

    With n and its one-sided 95 % lower bound; None without parts of either kind.
    """
    from sklearn.metrics import roc_auc_score

    shown = (*line.regions[line.detect_anomalies].shows, line.normal)
    rows = table[table["label"].isin(shown)].dropna(subset=["anomaly"])
    is_defect = (rows["label"] != line.normal).to_numpy()
    n_defective, n_normal = int(is_defect.sum()), int((~is_defect).sum())
    scores = rows["anomaly"].to_numpy()
    auroc = None
    if n_defective and n_normal:
        auroc = float(roc_auc_score(is_defect, scores))
    return {
        "anomaly_auroc": auroc,
        "anomaly_auroc_lower_bound": auroc_bound(scores[is_defect], scores[~is_defect]),
        "anomaly_n_defective": n_defective,
        "anomaly_n_normal": n_normal,
    }


def classification(table: pd.DataFrame, line: Line) -> dict[str, Any]:
    """Macro-F1 and confusion of the classifier by part, on labels as seen in its region.

    A part whose region was not found was not classified: it is counted as `n_not_found` and left
    out of both. The lower bound of macro-F1 is one-sided 95 %. Raises InspectionError where none
    was classified.
    """
    classes = line.classifier_classes
    rows = confusion_rows(table, line)
    if rows.empty:
        raise InspectionError(
            f"line.regions.{line.classify}: found in none of {len(table)} test parts, so nothing "
            "can be said of the classifier; box it in more frames, or raise crop.locator_epochs"
        )
    labels, predicted = rows["actual"].tolist(), rows["predicted"].tolist()
    counts = confusion(labels, predicted, classes)
    return {
        "classes": list(classes),
        "macro_f1": macro_f1(labels, predicted, classes),
        "macro_f1_lower_bound": macro_f1_bound(counts),
        "n_parts": len(rows),
        "n_not_found": len(table) - len(rows),
        "confusion": counts.tolist(),
    }


def macro_f1_bound(
    table: Any, confidence: float = CONFIDENCE, *, seed: int = 0
) -> float:
    """The one-sided lower bound of the macro-F1 of a confusion table (classes, classes).

    What each class is taken for is drawn from its posterior, under a prior that weighs as much as
    one part a class (Perks 1947), for as many parts as were seen; so a perfect table is bounded
    too. Nothing is drawn for a class without parts and predictions.

    >>> [round(macro_f1_bound(np.diag([n, n])), 2) for n in (5, 50)]
    [0.76, 0.97]
    """
    seen = (table.sum(axis=0) + table.sum(axis=1)) > 0
    table = table[np.ix_(seen, seen)]
    sizes, generator = table.sum(axis=1), np.random.default_rng(seed)
    shares = [generator.dirichlet(row + 1 / len(table), N_DRAWS) for row in table]
    drawn = np.stack(shares, axis=1) * sizes[:, None]
    return float(np.quantile(f1_by_class(drawn).mean(axis=-1), 1 - confidence))


def test_metrics(table: pd.DataFrame, line: Line, costs: Costs) -> dict[str, Any]:
    """All that the table of outcomes says of the test fold."""
    return {
        "classifier": classification(table, line),
        "verdicts": verdict_table(table, line),
        "totals": totals(table, line),
        **anomaly_measures(table, line),
        "cost": cost_report(
            table["verdict"].tolist(), table["label"].tolist(), line.normal, costs
        ).as_json(),
    }


def confusion_rows(table: pd.DataFrame, line: Line) -> pd.DataFrame:
    """One row per classified part: columns `actual` and `predicted`, as `dvc plots` reads them."""
    table = table[table["classified"] != NOT_FOUND]
    actual = [line.label_in(line.classify, label) for label in table["label"]]
    return pd.DataFrame({"actual": actual, "predicted": table["classified"].tolist()})
