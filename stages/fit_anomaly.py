"""Fit the anomaly model on normals of the train fold, and set its threshold by normals of val."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from inspection.anomaly import AnomalyModel, anomalies, fit_anomaly_model, own_weights
from inspection.cam_scores import absolute_scale, best_threshold
from inspection.classifier import load_classifier
from inspection.crops import Crops, load_crops
from inspection.errors import InspectionError
from inspection.line import Line
from inspection.rates import rate
from inspection.regions import Floats
from inspection.storage import replacing, write_json, write_table
from stages import program

BOX_THRESHOLD = 0.5
MIN_NORMALS = 8


class FitAnomalyParams(program.Params):
    """`n_features` channels of the backbone are kept at each place. `false_reject_rate` is the
    share of normal parts above the threshold that the evidence is given for."""

    n_features: int = Field(default=80, ge=1, le=2000)
    max_normals: int = Field(default=600, ge=MIN_NORMALS)
    false_reject_rate: float = Field(default=0.05, gt=0, lt=1)
    seed: int = 0


def main() -> None:
    """Load normals and backbone, fit, save the model, its scores, maps and evidence."""
    paths = program.arguments(
        __doc__,
        crops="folder of the crops",
        classifier="folder of the classifier, whose backbone is used",
        out="folder for the anomaly model",
        metrics="file for the metrics",
    )
    line, params = program.params(line=Line, fit_anomaly=FitAnomalyParams)
    crops = load_crops(paths.crops, line.detect_anomalies)
    is_normal = (crops.index["part_label"] == line.normal).to_numpy()
    train = np.flatnonzero(is_normal & (crops.index["fold"] == "train"))[: params.max_normals]
    val = crops.in_fold("val")
    val_normal = (val.index["part_label"] == line.normal).to_numpy()
    _require_normals(len(train), int(val_normal.sum()))

    classifier = load_classifier(paths.classifier)
    model = fit_anomaly_model(
        classifier, crops.images[train], n_features=params.n_features, seed=params.seed
    )
    scores, maps = anomalies(model, val.images)
    mean, std = float(scores[val_normal].mean()), float(scores[val_normal].std(ddof=1))
    parts = part_scores(val, (scores - mean) / max(std, 1e-9), line)
    evidence = threshold_evidence(parts, line, params.false_reject_rate)
    heat = heat_scale(val, maps, val_normal, line)

    _save(model, paths.out)
    write_table(paths.out / "val_scores.csv", parts)
    write_json(
        paths.out / "calibration.json",
        {"mean": mean, "std": max(std, 1e-9), "heat": heat, "evidence": evidence},
    )
    program.save_metrics(paths.metrics, {"n_fitted": len(train), **evidence})


def part_scores(crops: Crops, scores: Floats, line: Line) -> pd.DataFrame:
    """One row per part: the score of its worst view, and its label in the region."""
    table = crops.index[["part_id", "part_label", "label"]].assign(score=scores)
    worst = table.loc[table.groupby("part_id")["score"].idxmax()]
    return worst.sort_values("score", ascending=False).reset_index(drop=True)


def threshold_evidence(parts: pd.DataFrame, line: Line, wanted: float) -> dict[str, Any]:
    """The threshold that keeps the share of val normals above it at `wanted`, and what it shows.

    The bound is the one-sided 95 % Clopper-Pearson bound of the false-reject rate; `val_auroc` is
    of the region's own defects against normals, and None where val has none.
    """
    from sklearn.metrics import roc_auc_score

    normals = parts["score"][parts["part_label"] == line.normal].to_numpy()
    threshold = float(np.quantile(normals, 1 - wanted, method="higher"))
    rejected = rate(int((normals > threshold).sum()), len(normals))
    defects = parts["score"][parts["label"] != line.normal].to_numpy()
    labels = np.r_[np.zeros(len(normals)), np.ones(len(defects))]
    auroc = roc_auc_score(labels, np.r_[normals, defects]) if len(defects) else None
    return {
        "threshold": threshold,
        "n_val_normals": rejected.n,
        "false_rejects": rejected.count,
        "false_reject_upper_bound": rejected.upper_bound,
        "n_val_defects": len(defects),
        "val_auroc": None if auroc is None else float(auroc),
        "val_detected_rate": float((defects > threshold).mean()) if len(defects) else None,
    }


def heat_scale(val: Crops, maps: Floats, normal: Any, line: Line) -> dict[str, float]:
    """The absolute scale of the anomaly map, and the threshold of its boxes."""
    peaks = maps.max(axis=(1, 2))
    defective = (val.index["label"] != line.normal).to_numpy()
    cold, hot = absolute_scale(peaks[normal], peaks[defective])
    placed = np.flatnonzero(defective & val.index["target"].isin(["mask", "box"]).to_numpy())
    if not len(placed):
        return {"cold": cold, "hot": hot, "box_threshold": BOX_THRESHOLD}
    threshold, _ = best_threshold(maps[placed], val.targets[placed], cold, hot)
    return {"cold": cold, "hot": hot, "box_threshold": threshold}


def _require_normals(n_train: int, n_val: int) -> None:
    problems = [
        f"{fold}: {n} normal views, and at least {MIN_NORMALS} are needed to know what normal is; "
        "add normal parts"
        for fold, n in (("train", n_train), ("val", n_val))
        if n < MIN_NORMALS
    ]
    if problems:
        raise InspectionError("\n".join(problems))


def _save(model: AnomalyModel, out: Path) -> None:
    from safetensors.torch import save_file

    with replacing(out / "weights.safetensors") as temporary:
        save_file(own_weights(model), temporary)
    write_json(out / "settings.json", model.settings.model_dump(mode="json"))


if __name__ == "__main__":
    program.run("fit_anomaly", main)
