"""Fit the anomaly model on normals of the train fold, and set its threshold by normals of val."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from inspection.errors import raise_all
from inspection.evaluation.cam_scores import absolute_scale, best_threshold
from inspection.evaluation.rates import rate
from inspection.geometry import Floats, Image
from inspection.line import Line
from inspection.models.anomaly import (
    KINDS,
    AnomalyModel,
    anomalies,
    fit_anomaly_model,
    own_weights,
)
from inspection.models.classifier import DefectClassifier, load_classifier
from inspection.models.crops import Crops, drawn, load_crops
from inspection.parts import labels_of_parts
from inspection.storage import replacing, write_json, write_table
from stages import program, sections

BOX_THRESHOLD = 0.5
MIN_NORMALS = 3
FEW_NORMALS = 20


class FitAnomalyParams(sections.Params):
    """See params.yaml. `features: auto` fits both kinds and keeps the one of the higher AUROC on
    val, or the filters where val has no defect of the region."""

    features: Literal["auto", "filters", "classifier"] = "auto"
    n_features: int = Field(default=60, ge=1, le=2000)
    shrinkage: float = Field(default=0.1, gt=0)
    score_fraction: float = Field(default=0.05, gt=0, le=1)
    max_normals: int = Field(default=400, ge=MIN_NORMALS)
    false_reject_rate: float = Field(default=0.05, gt=0, lt=1)
    seed: int = 0


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and what it says of val: calibrated part scores, maps, evidence."""

    model: AnomalyModel
    mean: float
    std: float
    maps: Floats
    parts: pd.DataFrame
    evidence: dict[str, Any]


@dataclass(frozen=True)
class Paths:
    """What the stage reads and writes."""

    crops: Annotated[Path, "folder of the crops"]
    classifier: Annotated[Path, "folder of the classifier, whose backbone is used"]
    out: Annotated[Path, "folder for the anomaly model"]
    metrics: Annotated[Path, "file for the metrics"]


def main() -> None:
    """Load normals and backbone, fit, save the model, its scores, maps and evidence."""
    paths = program.paths(Paths, __doc__)
    line, params = sections.read(
        sections.line("detect_anomalies", "normal"),
        sections.section("fit_anomaly", FitAnomalyParams),
    )
    crops = load_crops(paths.crops, line.detect_anomalies)
    is_normal = (crops.index["part_label"] == line.normal).to_numpy()
    train = np.flatnonzero(is_normal & (crops.index["fold"] == "train"))
    train = drawn(train, params.max_normals, params.seed)
    val = crops.in_fold("val")
    val_normal = (val.index["part_label"] == line.normal).to_numpy()
    _require_normals(len(train), int(val_normal.sum()))

    classifier = load_classifier(paths.classifier)
    kinds = KINDS if params.features == "auto" else (params.features,)
    fitted = [
        _fit(
            kind,
            classifier,
            np.array(crops.images[train]),
            val,
            val_normal,
            line,
            params,
        )
        for kind in kinds
    ]
    best = max(fitted, key=lambda one: one.evidence["val_auroc"] or 0.0)

    _save(best.model, paths.out)
    write_table(paths.out / "val_scores.csv", best.parts)
    heat = heat_scale(val, best.maps, val_normal, line)
    write_json(
        paths.out / "calibration.json",
        {"mean": best.mean, "std": best.std, "heat": heat, "evidence": best.evidence},
    )
    tried = {one.model.settings.kind: one.evidence["val_auroc"] for one in fitted}
    program.save_metrics(
        paths.metrics,
        {"n_fitted": len(train), "val_auroc_by_features": tried, **best.evidence},
    )


def _fit(
    kind: str,
    classifier: DefectClassifier,
    normals: Image,
    val: Crops,
    val_normal: Any,
    line: Line,
    params: FitAnomalyParams,
) -> Fitted:
    model = fit_anomaly_model(
        classifier,
        normals,
        kind=kind,
        n_features=params.n_features,
        shrinkage=params.shrinkage,
        score_fraction=params.score_fraction,
        seed=params.seed,
    )
    scores, maps = anomalies(model, val.images)
    mean = float(scores[val_normal].mean())
    std = max(float(scores[val_normal].std(ddof=1)), 1e-9)
    parts = part_scores(val, (scores - mean) / std, line.normal)
    evidence = {"features": kind} | threshold_evidence(
        parts, line, params.false_reject_rate
    )
    return Fitted(model, mean, std, maps, parts, evidence)


def part_scores(crops: Crops, scores: Floats, normal: str) -> pd.DataFrame:
    """One row per part: the score of its worst view, its label, and its label in the region."""
    table = crops.index[["part_id", "part_label", "label"]].assign(score=scores)
    worst = table.loc[table.groupby("part_id")["score"].idxmax()]
    worst = worst.assign(
        label=worst["part_id"].map(labels_of_parts(crops.index, normal))
    )
    return worst.sort_values("score", ascending=False).reset_index(drop=True)


def threshold_evidence(
    parts: pd.DataFrame, line: Line, wanted: float
) -> dict[str, Any]:
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
        "val_detected_rate": float((defects > threshold).mean())
        if len(defects)
        else None,
    }


def heat_scale(val: Crops, maps: Floats, normal: Any, line: Line) -> dict[str, float]:
    """The absolute scale of the anomaly map, and the threshold of its boxes."""
    peaks = maps.max(axis=(1, 2))
    defective = (val.index["label"] != line.normal).to_numpy()
    cold, hot = absolute_scale(peaks[normal], peaks[defective])
    placed = np.flatnonzero(
        defective & val.index["target"].isin(["mask", "box"]).to_numpy()
    )
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
    raise_all(problems)
    if n_val < FEW_NORMALS:
        program.log.warning(
            "val: %d normal views only; what the anomaly score calls normal is little more than a "
            "guess, add normal parts",
            n_val,
        )


def _save(model: AnomalyModel, out: Path) -> None:
    from safetensors.torch import save_file

    with replacing(out / "weights.safetensors") as temporary:
        save_file(own_weights(model), temporary)
    write_json(out / "settings.json", model.settings.model_dump(mode="json"))


if __name__ == "__main__":
    program.run("fit_anomaly", main)
