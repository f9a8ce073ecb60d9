"""How well scores alone separate defective parts from normal ones, before any threshold."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from inspection.evaluation.rates import auroc_bound
from inspection.runtime.bundle import Settings
from inspection.runtime.detectors import FUSED, anomaly_regions


def class_auroc(table: pd.DataFrame, name: str, settings: Settings) -> float | None:
    """AUROC of the fused score for a defect's parts against normal ones.

    None for the normal class, and without parts of either kind.
    """
    return score_auroc(table, name, FUSED, settings.line.normal)


def score_auroc(
    table: pd.DataFrame, name: str, score: str, normal: str
) -> float | None:
    """AUROC of any score for a class's parts against normal ones; None without either kind."""
    rows = _scored(table, [name, normal], score)
    return auroc(rows["label"] != normal, rows[score])


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

    return score_auroc(table, name, detector, line.normal)


def fused_measures(table: pd.DataFrame, settings: Settings) -> dict[str, float | None]:
    """AUROC of the fused score for all defective parts against normal ones.

    With n and its one-sided 95 % lower bound; None without parts of either kind.
    """
    line = settings.line
    return _measures(table, [*line.classes], FUSED, line.normal)


def anomaly_measures(
    table: pd.DataFrame, settings: Settings
) -> dict[str, float | None]:
    """The same of each anomaly detector's score, for the defects that show in its region."""
    line = settings.line
    found: dict[str, float | None] = {}
    for detector, region in anomaly_regions(line).items():
        labels = [*line.regions[region].shows, line.normal]
        found |= _measures(table, labels, detector, line.normal)
    return found


def _measures(
    table: pd.DataFrame, labels: Sequence[str], score: str, normal: str
) -> dict[str, float | None]:
    rows = _scored(table, labels, score)
    is_defect = (rows["label"] != normal).to_numpy()
    values = rows[score].to_numpy()
    return {
        f"{score}_auroc": auroc(is_defect, values),
        f"{score}_auroc_lower_bound": auroc_bound(
            values[is_defect], values[~is_defect]
        ),
        f"{score}_n_defective": int(is_defect.sum()),
        f"{score}_n_normal": int((~is_defect).sum()),
    }


def _scored(table: pd.DataFrame, labels: Sequence[str], score: str) -> pd.DataFrame:
    """The parts of these labels that have the score."""
    return table[table["label"].isin(labels)].dropna(subset=[score])


def auroc(is_defect: Any, scores: Any) -> float | None:
    """AUROC of scores (N,) for the defective ones (N,) bool; None without either kind."""
    from sklearn.metrics import roc_auc_score

    if is_defect.all() or not is_defect.any():
        return None

    return float(roc_auc_score(is_defect, scores))
