"""How well scores alone separate defective parts from normal ones, before any threshold."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from inspection.evaluation.rates import auroc_bound
from inspection.runtime.bundle import Settings
from inspection.runtime.detectors import ANOMALY


def class_auroc(table: pd.DataFrame, name: str, settings: Settings) -> float | None:
    """AUROC of a defect's parts against normal ones, by the first detector that can find it.

    None for the normal class, and without parts of either kind.
    """
    for detector, card in settings.detectors.items():
        if name in settings.line.regions[card.region].shows:
            return detector_auroc(table, name, detector, settings)
    return None


def detector_auroc(
    table: pd.DataFrame, name: str, detector: str, settings: Settings
) -> float | None:
    """AUROC of a detector's score for a defect's parts against normal ones.

    None without parts of either kind, and where the class does not show in the detector's region,
    as the normal one never does.
    """
    line = settings.line
    region = settings.detectors[detector].region
    if name not in line.regions[region].shows:
        return None

    rows = _scored(table, [name, line.normal], detector)
    return _auroc(rows["label"] == name, rows[detector])


def anomaly_measures(
    table: pd.DataFrame, settings: Settings
) -> dict[str, float | None]:
    """AUROC of the anomaly score for the defects that show in its region, against normal parts.

    With n and its one-sided 95 % lower bound; None without parts of either kind.
    """
    line = settings.line
    shown = line.regions[settings.detectors[ANOMALY].region].shows
    rows = _scored(table, [*shown, line.normal], ANOMALY)
    is_defect = rows["label"] != line.normal
    n_defective, n_normal = int(is_defect.sum()), int((~is_defect).sum())

    scores = rows[ANOMALY].to_numpy()
    bound = auroc_bound(scores[is_defect], scores[~is_defect])
    return {
        "anomaly_auroc": _auroc(is_defect, scores),
        "anomaly_auroc_lower_bound": bound,
        "anomaly_n_defective": n_defective,
        "anomaly_n_normal": n_normal,
    }


def _scored(table: pd.DataFrame, labels: Sequence[str], detector: str) -> pd.DataFrame:
    """The parts of these labels that have a score of the detector."""
    return table[table["label"].isin(labels)].dropna(subset=[detector])


def _auroc(is_defect: Any, scores: Any) -> float | None:
    from sklearn.metrics import roc_auc_score

    if is_defect.all() or not is_defect.any():
        return None

    return float(roc_auc_score(is_defect, scores))
