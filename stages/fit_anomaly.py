"""Fit an anomaly model per region on normals of the train fold; normals of val calibrate it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from inspection.errors import raise_all
from inspection.evaluation.cam_scores import absolute_scale, best_threshold
from inspection.evaluation.part_scores import (
    OUT_OF_FOLD,
    out_of_fold_table,
    read_out_of_fold,
)
from inspection.evaluation.rates import rate
from inspection.geometry import Floats
from inspection.line import Line
from inspection.models.anomaly import (
    KINDS,
    MODELS,
    PADIM,
    AnomalyModel,
    Normals,
    anomalies_by_each,
    features_of_normals,
    own_weights,
)
from inspection.models.classifier import DefectClassifier, load_classifier
from inspection.models.crops import Crops, drawn, load_crops
from inspection.parts import labels_of_parts
from inspection.processes import keep_freed_memory
from inspection.storage import replacing, write_json, write_table
from stages import program, sections
from stages.params.fit_anomaly import MIN_NORMALS, FitAnomalyParams

# Of the heat, 0..1, where nothing marks a defect by which it could be chosen: the middle.
BOX_THRESHOLD = 0.5
# The highest of 20 scores is beyond 95 % of new ones in most draws; of fewer it is not.
FEW_NORMALS = 20


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and what is said of unseen crops: scores, maps, parts, evidence.

    `mean` and `std` are those of the normal crops' scores, which calibrate them.
    """

    model: AnomalyModel
    mean: float
    std: float
    scores: Floats
    maps: Floats
    parts: pd.DataFrame
    evidence: dict[str, Any]


@dataclass(frozen=True)
class Paths:
    """What the stage reads and writes."""

    crops: Annotated[Path, "folder of the crops"]
    classifier: Annotated[Path, "folder of the classifier, whose backbone is used"]
    out: Annotated[Path, "folder for the anomaly models, one folder for each region"]
    metrics: Annotated[Path, "file for the metrics"]


def main() -> None:
    """Fit the model of each region, save it with its scores, maps and evidence."""
    keep_freed_memory()
    paths = program.paths(Paths, __doc__)
    line, params = sections.read(
        sections.line("detect_anomalies", "normal"),
        sections.section("fit_anomaly", FitAnomalyParams),
    )
    cross_validated = read_out_of_fold(paths.classifier) is not None
    training = {
        region: _training(
            load_crops(paths.crops, region),
            line,
            params,
            cross_validated=cross_validated,
        )
        for region in line.detect_anomalies
    }
    raise_all(chain(*(_problems(one, name, line) for name, one in training.items())))

    classifier = load_classifier(paths.classifier)
    found = {
        region: fit_region(one, classifier, line, params, paths.out / region)
        for region, one in training.items()
    }
    write_json(paths.metrics, {"regions": found})
    for region, one in found.items():
        program.log_numbers(f"fit_anomaly: {region}", one)


def fit_region(
    training: "Training",
    classifier: DefectClassifier,
    line: Line,
    params: FitAnomalyParams,
    out: Path,
) -> dict[str, Any]:
    """Fit the better model of one region by the better features, and save all of it in `out`.

    Returns its metrics.
    """
    _warn_of_few_normals(training, out.name, line)
    fitted = _all_fitted(classifier, training, line, params)
    best = max(fitted, key=_auroc)

    _save(best.model, out)
    write_table(out / "val_scores.csv", best.parts)
    if training.cross_validated:
        table = out_of_fold_table(training.judged.index, best.scores[:, None])
        write_table(out / OUT_OF_FOLD, table)
    heat = heat_scale(training.judged, best.maps, training.is_normal(line), line)
    write_json(
        out / "calibration.json",
        {"mean": best.mean, "std": best.std, "heat": heat, "evidence": best.evidence},
    )
    write_table(out / "suspects.csv", suspects(training.judged, best, line))
    return {"n_fitted": len(training.normals), **tried(fitted), **best.evidence}


def tried(fitted: Sequence[Fitted]) -> dict[str, Any]:
    """AUROC on parts that were not fitted, by features, and by model where there are several."""
    found: dict[str, dict[str, float | None]] = {}
    for one in fitted:
        settings = one.model.settings
        by_features = found.setdefault(settings.model, {})
        by_features[settings.kind] = one.evidence["val_auroc"]
    if len(found) == 1:
        return {"val_auroc_by_features": next(iter(found.values()))}
    return {"val_auroc_by_model": found}


@dataclass(frozen=True)
class Training:
    """The normal crops that are fitted, and the crops that are judged by a fit without them.

    Without cross-validation the train fold is fitted and val judged. With it, all parts but test
    are both: each is judged by a fit on the other folds, and the fit on all is deployed.
    """

    normals: Crops
    judged: Crops
    cross_validated: bool

    def is_normal(self, line: Line) -> Any:
        """Which of the judged crops are of normal parts."""
        return (self.judged.index["part_label"] == line.normal).to_numpy()

    def folds(self) -> list[tuple[Any, Any]]:
        """The rows of the normals that are fitted, and of the crops that are then judged."""
        if not self.cross_validated:
            return [(np.arange(len(self.normals)), np.arange(len(self.judged)))]

        fitted_in = self.normals.index["cv_fold"].to_numpy()
        judged_in = self.judged.index["cv_fold"].to_numpy()
        return [
            (np.flatnonzero(fitted_in != fold), np.flatnonzero(judged_in == fold))
            for fold in np.unique(judged_in)
        ]


def _training(
    crops: Crops, line: Line, params: FitAnomalyParams, *, cross_validated: bool
) -> Training:
    index = crops.index
    fitted = index["fold"].isin(["train", "val"] if cross_validated else ["train"])
    normal = index["part_label"] == line.normal
    rows = drawn(np.flatnonzero(fitted & normal), params.max_normals, params.seed)
    judged = fitted if cross_validated else index["fold"] == "val"
    return Training(
        crops.rows(rows), crops.rows(np.flatnonzero(judged)), cross_validated
    )


def _all_fitted(
    classifier: DefectClassifier,
    training: Training,
    line: Line,
    params: FitAnomalyParams,
) -> list[Fitted]:
    """Each model that is asked for, on the features that are asked for.

    Of all models PaDiM is fitted soonest: it tells on which features the others are tried.
    """
    kinds = KINDS if params.features == "auto" else (params.features,)
    first = PADIM if params.model == "auto" else params.model
    by_kind: list[tuple[Fitted, Normals]] = []
    for kind in kinds:
        normals = _normals(kind, first, classifier, training, params)
        (fitted,) = _fit([normals], training, line, params)
        by_kind.append((fitted, normals))

    fitted_first = [fitted for fitted, _ in by_kind]
    if params.model != "auto":
        return fitted_first

    _, normals = max(by_kind, key=lambda one: _auroc(one[0]))
    del by_kind  # the other features take as much memory
    others = [
        normals.for_model(name, params.bank_size, params.max_memory_mib)
        for name in MODELS
        if name != first
    ]
    return fitted_first + _fit(others, training, line, params)


def _auroc(fitted: Fitted) -> float:
    """What decides: the AUROC on unseen parts, 0 where no defect shows in the region."""
    return fitted.evidence["val_auroc"] or 0.0


def _normals(
    kind: str,
    model: str,
    classifier: DefectClassifier,
    training: Training,
    params: FitAnomalyParams,
) -> Normals:
    """One kind of features of the normal crops, for a model by its name."""
    return features_of_normals(
        classifier,
        np.array(training.normals.images),
        kind=kind,
        n_features=params.n_features,
        shrinkage=params.shrinkage,
        score_fraction=params.score_fraction,
        seed=params.seed,
        model=model,
        bank_size=params.bank_size,
        max_memory_mib=params.max_memory_mib,
    )


def _fit(
    normals: Sequence[Normals],
    training: Training,
    line: Line,
    params: FitAnomalyParams,
) -> list[Fitted]:
    """Models of the same features, fitted and judged fold by fold, then fitted on all normals."""
    judged = training.judged
    scores = np.zeros((len(normals), len(judged)), np.float32)
    maps = np.zeros((len(normals), *judged.targets.shape), np.float32)
    all_settings = [one.model.settings for one in normals]
    described = ", ".join([*(one.model for one in all_settings), all_settings[0].kind])
    for rows, held_out in tqdm(training.folds(), desc=described, disable=None):
        models = [one.fitted(rows) for one in normals]
        raw_of = normals[0].raw_of
        found = anomalies_by_each(models, judged.images[held_out], raw_of)
        for number, (score, anomaly_map) in enumerate(found):
            scores[number, held_out] = score
            maps[number, held_out] = anomaly_map

    return [
        _with_evidence(one, scores[number], maps[number], training, line, params)
        for number, one in enumerate(normals)
    ]


def _with_evidence(
    normals: Normals,
    scores: Floats,
    maps: Floats,
    training: Training,
    line: Line,
    params: FitAnomalyParams,
) -> Fitted:
    """The model fitted on all normals, and what its scores of unseen crops show."""
    is_normal = training.is_normal(line)
    mean = float(scores[is_normal].mean())
    std = max(float(scores[is_normal].std(ddof=1)), 1e-9)
    parts = part_scores(training.judged, (scores - mean) / std, line.normal)

    settings = normals.model.settings
    # PaDiM goes without saying: it was the only model once, and its cards stay what they were
    name = {} if settings.model == PADIM else {"model": settings.model}
    evidence = {"features": settings.kind, **name} | threshold_evidence(
        parts, line, params.false_reject_rate
    )
    return Fitted(normals.fitted(), mean, std, scores, maps, parts, evidence)


def suspects(judged: Crops, fitted: Fitted, line: Line) -> pd.DataFrame:
    """The views of normal parts, those first that look least normal to a fit without them.

    A row has the view, its file, its part, and its score in spreads of the normal ones. Who looks
    for wrong labels among the normals looks at the first.
    """
    views = judged.index[["view_id", "path", "part_id"]]
    score = (fitted.scores - fitted.mean) / fitted.std
    normal = views.assign(score=score)[
        (judged.index["part_label"] == line.normal).to_numpy()
    ]
    return normal.sort_values("score", ascending=False).reset_index(drop=True)


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


def _problems(training: Training, region: str, line: Line) -> list[str]:
    """Where a region has too few normal views to know what is normal."""
    n_judged = int(training.is_normal(line).sum())
    return [
        f"{region}, {fold}: {n} normal views, and at least {MIN_NORMALS} are needed to know what "
        "normal is; add normal parts"
        for fold, n in (("train", len(training.normals)), ("val", n_judged))
        if n < MIN_NORMALS
    ]


def _warn_of_few_normals(training: Training, region: str, line: Line) -> None:
    n_judged = int(training.is_normal(line).sum())
    if n_judged < FEW_NORMALS:
        program.log.warning(
            "%s, val: %d normal views only; what the anomaly score calls normal is little more "
            "than a guess, add normal parts",
            region,
            n_judged,
        )


def _save(model: AnomalyModel, out: Path) -> None:
    from safetensors.torch import save_file

    with replacing(out / "weights.safetensors") as temporary:
        save_file(own_weights(model), temporary)
    write_json(out / "settings.json", model.settings.as_json())


if __name__ == "__main__":
    program.run("fit_anomaly", main)
