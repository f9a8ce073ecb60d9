"""The anomaly models beside anomalib's own, by its Engine, on the same crops and weights.

Both are fitted on the normal crops of train and judge the crops of val, with the features of the
packaged backbone. AUROC is of parts, each by its worst view. anomalib reads the crops as PNG files,
as it would read any folder. For `patchcore` its coreset is held against ours as well: of the same
features, as many of them, how far is the farthest one left out, and what does that cost? Run it
from the root of a project whose stages have run.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch

from inspection.errors import InspectionError
from inspection.geometry import Floats, Image
from inspection.line import Line
from inspection.models.anomaly import (
    MODELS,
    N_BACKBONE_STAGES,
    PADIM,
    PATCHCORE,
    Normals,
    anomalies,
    features_of_normals,
)
from inspection.models.classifier import DefectClassifier, load_classifier
from inspection.models.crops import Crops, load_crops
from inspection.models.normality.coreset import cover_radius, greedy_centres
from inspection.models.normality.dfm import POOLED_PLACES
from inspection.models.training import quiet_lightning
from inspection.models.weights import PACKAGED, build_backbone
from inspection.processes import keep_freed_memory
from stages import sections
from stages.fit_anomaly import part_scores
from stages.params.fit_anomaly import FitAnomalyParams

GREY_LEVELS = 255


@dataclass(frozen=True)
class Result:
    """Scores (N,) of the judged crops, and the seconds of fitting and of judging."""

    scores: Floats
    fitting_s: float
    judging_s: float


@dataclass(frozen=True)
class Coreset:
    """How many features were kept of how many, and how far the farthest other is from them.

    `cpu_s` are seconds of CPU, which other work on the machine changes less than those of a clock.
    """

    n_kept: int
    n_features: int
    radius: float
    cpu_s: float


def main() -> None:
    """Fit and judge by both, and print AUROC, seconds and how these compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crops", type=Path, default=Path("artifacts/crops"))
    parser.add_argument("--classifier", type=Path, default=Path("artifacts/classifier"))
    parser.add_argument("--region", help="by default the first of detect_anomalies")
    parser.add_argument(
        "--model",
        choices=MODELS,
        help="by default fit_anomaly.model, or padim where it is auto",
    )
    given = parser.parse_args()
    quiet_lightning()
    keep_freed_memory()
    try:
        line, params = sections.read(
            sections.line("detect_anomalies", "normal"),
            sections.section("fit_anomaly", FitAnomalyParams),
        )
        region = given.region or line.detect_anomalies[0]
        name = given.model or (params.model if params.model in MODELS else PADIM)
        params = params.model_copy(update={"model": name})
        normals, judged = of_project(given.crops, region, line)
        classifier = load_classifier(given.classifier)
        results = {
            "Knurl": by_knurl(classifier, normals, judged, params),
            "anomalib": by_anomalib(classifier, normals, judged, params),
        }
        sys.stdout.write(told(f"{region}, {name}", results, judged, line.normal))
        if name == PATCHCORE:
            found = of_backbone(classifier, normals, params)
            sys.stdout.write(told_of_coresets(*coresets(found, params)))
    except InspectionError as error:
        raise SystemExit(f"anomaly: {error}") from error


def of_project(folder: Path, region: str, line: Line) -> tuple[Crops, Crops]:
    """The normal crops of train, and all crops of val, of one region."""
    crops = load_crops(folder, region)
    train = crops.in_fold("train")
    is_normal = train.index["part_label"] == line.normal
    normals, judged = train.rows(np.flatnonzero(is_normal)), crops.in_fold("val")
    labels = set(judged.index["label"] == line.normal)
    if not len(normals) or len(labels) < 2:
        raise InspectionError(
            f"{region}: it takes normal crops in train, normal and defective ones in val"
        )
    return normals, judged


def by_knurl(
    classifier: DefectClassifier,
    normals: Crops,
    judged: Crops,
    params: FitAnomalyParams,
) -> Result:
    """What stage fit_anomaly fits, on the backbone's features."""
    start = time.perf_counter()
    found = of_backbone(classifier, normals, params)
    model = found.fitted()
    fitted = time.perf_counter()
    scores, _ = anomalies(model, judged.images, found.raw_of)
    return Result(scores, fitted - start, time.perf_counter() - fitted)


def of_backbone(
    classifier: DefectClassifier, normals: Crops, params: FitAnomalyParams
) -> Normals:
    """The features of normal crops by the backbone, for the model that params name."""
    return features_of_normals(
        classifier,
        np.array(normals.images),
        kind="classifier",
        n_features=params.n_features,
        shrinkage=params.shrinkage,
        score_fraction=params.score_fraction,
        seed=params.seed,
        model=params.model,
        bank_size=params.bank_size,
        max_memory_mib=params.max_memory_mib,
    )


def by_anomalib(
    classifier: DefectClassifier,
    normals: Crops,
    judged: Crops,
    params: FitAnomalyParams,
) -> Result:
    """What anomalib makes of the same: its model of that name, fitted and asked by `Engine`."""
    from anomalib.data import Folder, PredictDataset
    from anomalib.engine import Engine

    torch.manual_seed(params.seed)
    model = of_anomalib(classifier, params, normals.images.shape)
    with TemporaryDirectory() as name:
        root = Path(name)
        write_pngs(root / "normal", normals.images)
        write_pngs(root / "judged", judged.images)
        engine = Engine(
            accelerator="cpu",
            logger=False,
            default_root_dir=root / "results",
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        data = Folder(
            "crops",
            normal_dir="normal",
            root=root,
            num_workers=0,
            test_split_mode="none",
            val_split_mode="none",
        )
        data.setup()
        # what Lightning says of how anomalib uses it is nothing to a reader of figures
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = time.perf_counter()
            engine.fit(model, train_dataloaders=data.train_dataloader())
            fitted = time.perf_counter()
            answers = engine.predict(model, dataset=PredictDataset(root / "judged"))
            judging_s = time.perf_counter() - fitted
    return Result(_scores(answers or []), fitted - start, judging_s)


def of_anomalib(
    classifier: DefectClassifier, params: FitAnomalyParams, shape: Sequence[int]
) -> Any:
    """anomalib's model with the packaged weights in its backbone; a crop is not resized.

    `shape` is that of the normal crops, (N, H, W, C): of their features anomalib's PatchCore keeps
    as many as ours.
    """
    from anomalib.models import Dfm, Padim, Patchcore
    from anomalib.pre_processing import PreProcessor
    from torchvision.transforms.v2 import Normalize

    architecture = classifier.architecture
    if architecture.weights != PACKAGED:
        raise InspectionError(
            f"train.weights: {architecture.weights}: both sides start from packaged weights; "
            "choose a project that has them"
        )
    stages = classifier.backbone.feature_info
    layers = stages.module_name()[:N_BACKBONE_STAGES]
    # grey levels are read as three channels here, each standardised alike
    mean, std = architecture.mean[0] / GREY_LEVELS, architecture.std[0] / GREY_LEVELS
    settings: dict[str, Any] = {
        "backbone": architecture.backbone,
        "pre_trained": False,
        "pre_processor": PreProcessor(Normalize(mean=[mean] * 3, std=[std] * 3)),
        "post_processor": False,
        "evaluator": False,
        "visualizer": False,
    }
    model: Any
    if params.model == PADIM:
        model = Padim(layers=layers, n_features=params.n_features, **settings)
    elif params.model == PATCHCORE:
        cell_px = stages.reduction()[0]
        n_features = shape[0] * (shape[1] // cell_px) * (shape[2] // cell_px)
        fraction = min(1.0, params.bank_size / n_features)
        model = Patchcore(layers=layers, coreset_sampling_ratio=fraction, **settings)
    else:
        # it takes one layer, pooled as ours: its default of 4 places is more than small crops have
        model = Dfm(layer=layers[-1], pooling_kernel_size=POOLED_PLACES, **settings)
    extractor = model.model.feature_extractor.feature_extractor
    as_shown = {"features_only": True, "in_chans": 3, "out_indices": stages.out_indices}
    weights = build_backbone(architecture.backbone, PACKAGED, as_shown).state_dict()
    own = extractor.state_dict()
    extractor.load_state_dict({name: weights[name] for name in own})
    return model


def coresets(normals: Normals, params: FitAnomalyParams) -> tuple[Coreset, Coreset]:
    """Ours and anomalib's, of the features of all places of all normal crops."""
    from anomalib.models.components import KCenterGreedy

    model = normals.fitted()
    standard = model.features.standardised(normals.raw[0])
    features = standard.permute(0, 2, 3, 1).flatten(0, 2).contiguous()

    start = time.process_time()
    ours = features[greedy_centres(features, params.bank_size, params.seed)]
    between = time.process_time()
    torch.manual_seed(params.seed)
    # half a feature more, or rounding leaves one out
    fraction = (len(ours) + 0.5) / len(features)
    theirs = KCenterGreedy(features, fraction).sample_coreset()
    end = time.process_time()
    return (
        coreset_of(features, ours, between - start),
        coreset_of(features, theirs, end - between),
    )


def coreset_of(features: torch.Tensor, kept: torch.Tensor, cpu_s: float) -> Coreset:
    """What is told of a coreset."""
    return Coreset(len(kept), len(features), cover_radius(features, kept), cpu_s)


def write_pngs(folder: Path, crops: Image) -> None:
    """Crops (N, H, W, C) uint8 as files, whose names are in order."""
    folder.mkdir()
    for number, crop in enumerate(crops):
        # OpenCV writes blue first
        cv2.imwrite(str(folder / f"{number:06d}.png"), np.asarray(crop)[..., ::-1])


def _scores(answers: Sequence[Any]) -> Floats:
    """The scores of anomalib's batches, in the order of the files."""
    by_file: dict[str, float] = {}
    for batch in answers:
        by_file |= dict(
            zip(batch.image_path, batch.pred_score.flatten().tolist(), strict=True)
        )
    return np.array([by_file[file] for file in sorted(by_file)], np.float32)


def auroc_of_parts(scores: Floats, judged: Crops, normal: str) -> float:
    """AUROC of parts that show a defect here against normal ones, each by its worst view."""
    from sklearn.metrics import roc_auc_score

    parts = part_scores(judged, scores, normal)
    is_defective = parts["label"] != normal
    # a part whose defect shows elsewhere is neither
    counted = is_defective | (parts["part_label"] == normal)
    return float(roc_auc_score(is_defective[counted], parts["score"][counted]))


def told(region: str, results: Mapping[str, Result], judged: Crops, normal: str) -> str:
    """AUROC and seconds of both, and how many times as long anomalib takes, as text."""
    ours, theirs = results["Knurl"], results["anomalib"]
    head = f"{region}: {len(judged)} crops of val, {torch.get_num_threads()} threads"
    lines = [head, "", f"{'':10} {'AUROC':>7} {'fitting':>9} {'judging':>9}"]
    for name, one in results.items():
        auroc = auroc_of_parts(one.scores, judged, normal)
        lines.append(
            f"{name:10} {auroc:7.3f} {one.fitting_s:7.1f} s {one.judging_s:7.1f} s"
        )
    lines.append(
        f"anomalib takes {theirs.fitting_s / ours.fitting_s:.2f} times as long to fit, "
        f"{theirs.judging_s / ours.judging_s:.2f} times to judge"
    )
    return "\n".join([*lines, ""])


def told_of_coresets(ours: Coreset, theirs: Coreset) -> str:
    """Radius and seconds of CPU of both coresets, and how they compare, as text."""
    head = f"coreset: {ours.n_kept} of {ours.n_features} features"
    lines = ["", head, "", f"{'':10} {'radius':>7} {'CPU':>10}"]
    for name, one in (("Knurl", ours), ("anomalib", theirs)):
        lines.append(f"{name:10} {one.radius:7.3f} {one.cpu_s:8.2f} s")
    lines.append(
        f"anomalib takes {theirs.cpu_s / ours.cpu_s:.1f} times as much CPU, "
        f"for {theirs.radius / ours.radius:.3f} times the radius"
    )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
