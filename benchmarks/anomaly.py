"""The anomaly model beside anomalib's own: PaDiM by its Engine, on the same crops and weights.

Both are fitted on the normal crops of train and judge the crops of val, with the features of the
packaged backbone. AUROC is of parts, each by its worst view. anomalib reads the crops as PNG files,
as it would read any folder. Run it from the root of a project whose stages have run.
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
    N_BACKBONE_STAGES,
    anomalies,
    features_of_normals,
)
from inspection.models.classifier import DefectClassifier, load_classifier
from inspection.models.crops import Crops, load_crops
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


def main() -> None:
    """Fit and judge by both, and print AUROC, seconds and how these compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crops", type=Path, default=Path("artifacts/crops"))
    parser.add_argument("--classifier", type=Path, default=Path("artifacts/classifier"))
    parser.add_argument("--region", help="by default the first of detect_anomalies")
    given = parser.parse_args()
    quiet_lightning()
    keep_freed_memory()
    try:
        line, params = sections.read(
            sections.line("detect_anomalies", "normal"),
            sections.section("fit_anomaly", FitAnomalyParams),
        )
        region = given.region or line.detect_anomalies[0]
        normals, judged = of_project(given.crops, region, line)
        classifier = load_classifier(given.classifier)
        results = {
            "Knurl": by_knurl(classifier, normals, judged, params),
            "anomalib": by_anomalib(classifier, normals, judged, params),
        }
    except InspectionError as error:
        raise SystemExit(f"anomaly: {error}") from error
    sys.stdout.write(told(region, results, judged, line.normal))


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
    found = features_of_normals(
        classifier,
        np.array(normals.images),
        kind="classifier",
        n_features=params.n_features,
        shrinkage=params.shrinkage,
        score_fraction=params.score_fraction,
        seed=params.seed,
    )
    model = found.fitted()
    fitted = time.perf_counter()
    scores, _ = anomalies(model, judged.images, found.raw_of)
    return Result(scores, fitted - start, time.perf_counter() - fitted)


def by_anomalib(
    classifier: DefectClassifier,
    normals: Crops,
    judged: Crops,
    params: FitAnomalyParams,
) -> Result:
    """What anomalib makes of the same: `Padim`, fitted and asked by `Engine`."""
    from anomalib.data import Folder, PredictDataset
    from anomalib.engine import Engine

    torch.manual_seed(params.seed)
    model = padim(classifier, params)
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


def padim(classifier: DefectClassifier, params: FitAnomalyParams) -> Any:
    """anomalib's model with the packaged weights in its backbone; a crop is not resized."""
    from anomalib.models import Padim
    from anomalib.pre_processing import PreProcessor
    from torchvision.transforms.v2 import Normalize

    architecture = classifier.architecture
    if architecture.weights != PACKAGED:
        raise InspectionError(
            f"train.weights: {architecture.weights}: both sides start from packaged weights; "
            "choose a project that has them"
        )
    stages = classifier.backbone.feature_info
    # grey levels are read as three channels here, each standardised alike
    mean, std = architecture.mean[0] / GREY_LEVELS, architecture.std[0] / GREY_LEVELS
    model = Padim(
        backbone=architecture.backbone,
        layers=stages.module_name()[:N_BACKBONE_STAGES],
        pre_trained=False,
        n_features=params.n_features,
        pre_processor=PreProcessor(Normalize(mean=[mean] * 3, std=[std] * 3)),
        post_processor=False,
        evaluator=False,
        visualizer=False,
    )
    extractor = model.model.feature_extractor.feature_extractor
    settings = {"features_only": True, "in_chans": 3, "out_indices": stages.out_indices}
    weights = build_backbone(architecture.backbone, PACKAGED, settings).state_dict()
    own = extractor.state_dict()
    extractor.load_state_dict({name: weights[name] for name in own})
    return model


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


if __name__ == "__main__":
    main()
