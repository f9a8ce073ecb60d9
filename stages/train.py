"""Train the classifier on the crops of its region; every epoch goes live to MLflow."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd

from inspection.curation.folds import FOLDS, NEVER_HELD_OUT, UNSEEN, VAL_FOLD
from inspection.errors import InspectionError, raise_all
from inspection.evaluation.part_scores import OUT_OF_FOLD, out_of_fold_table
from inspection.line import Line
from inspection.models.augmentations import AUGMENTATIONS, build_augmentation
from inspection.models.classifier import (
    BEFORE_VAL,
    BRIGHTNESS_DAMPING,
    Architecture,
    DefectClassifier,
    new_classifier,
    save_classifier,
)
from inspection.models.crops import UNKNOWN, Crops, load_crops, pixel_statistics
from inspection.models.cross_validation import FrozenTraining, cross_validate
from inspection.models.ddp import Rank, ranks
from inspection.models.epochs import epoch_file, keeping_on_disk
from inspection.models.frozen import frozen_features
from inspection.models.training import Schedule, fit_classifier, quiet_lightning
from inspection.models.weights import HUB, NONE, PACKAGED, normalisation
from inspection.parts import by_part, macro_f1
from inspection.processes import keep_freed_memory
from inspection.runtime.detectors import probabilities_of
from inspection.storage import write_bytes, write_json, write_table
from stages import program, sections, tracking
from stages.params.train import TrainParams
from stages.pipeline import fingerprint

# Where features of frozen backbones are kept between runs; it may be deleted at any time.
FEATURE_CACHE = Path(".state/features")
# Where heads that are done wait for the others, so that a training that was killed goes on.
KEPT_HEADS = Path(".state/heads")

# Crops whose grey levels tell mean and spread: more change no digit that matters.
MAX_SAMPLED = 200


@dataclass(frozen=True)
class Paths:
    """What the stage reads and writes."""

    crops: Annotated[Path, "folder of the crops"]
    out: Annotated[Path, "folder for the classifier"]
    run: Annotated[Path, "file for the MLflow run's id"]
    metrics: Annotated[Path, "file for the metrics"]


def main() -> None:
    """Load the crops, train, save the weights, the curves, the evidence and the id of the run."""
    paths = program.paths(Paths, __doc__)
    line, params, store = sections.read(
        sections.line("classify", "normal", "regions"),
        sections.section("train", TrainParams),
        sections.section("tracking", tracking.TrackingParams),
    )
    crops = load_crops(paths.crops, line.classify)
    train, val = crops.in_fold("train"), crops.in_fold("val")
    _require_classes(crops, line)
    if params.window_px is not None:
        _require_places(crops)

    quiet_lightning()
    keep_freed_memory()
    model = _new_classifier(params, train, line)
    with live_run(params, store) as run:
        if params.freeze_backbone:
            learned = learn_head(model, crops, params, run)
        else:
            beside = partial(
                learn_beside, paths.crops, line.classify, model.architecture, params
            )
            with ranks(params.devices, beside) as rank:
                learned = learn_all(model, train, val, params, run, paths.out, rank)
        _save(learned, paths.out)
        shutil.rmtree(KEPT_HEADS, ignore_errors=True)
        write_json(paths.run, {"run_id": run.id})

    program.save_metrics(
        paths.metrics,
        {
            "epochs": len(learned.history),
            "n_parameters": sum(p.numel() for p in model.parameters()),
            "n_train_crops": len(train),
            "n_val_crops": len(val),
            **learned.metrics,
        },
    )


@dataclass(frozen=True)
class Learned:
    """What a training gives: the classifier to deploy, the epochs' numbers, and evidence.

    `before_val` is a classifier that has not seen val, where the deployed one has, and
    `out_of_fold` the logits of each crop by a classifier that has not seen its part. `epochs` are
    the weights of the last epochs that are not on the disk yet, by the number of the epoch.
    """

    model: DefectClassifier
    history: list[dict[str, float]]
    metrics: dict[str, float]
    before_val: DefectClassifier | None = None
    out_of_fold: pd.DataFrame | None = None
    epochs: dict[int, bytes] = field(default_factory=dict)


def learn_all(
    model: DefectClassifier,
    train: Crops,
    val: Crops,
    params: TrainParams,
    run: "LiveRun",
    out: Path,
    rank: Rank,
) -> Learned:
    """Train backbone and head on the train fold, and keep the epoch that is best on val.

    `rank` is the first of those that train beside each other, see `learn_beside`.
    The last epochs go to the folder `out` at once: many whole networks take up much memory.
    """
    model, history, best_epoch = fit_classifier(
        model,
        train,
        val,
        schedule_of(params),
        augment=build_augmentation(params.augmentation, seed=params.seed),
        on_epoch=run.epoch,
        show_progress=sys.stderr.isatty(),
        keep=keeping_on_disk(out, params.keep_epochs),
        rank=rank,
    )
    best = {name: history[best_epoch][name] for name in ("val_macro_f1", "val_loss")}
    return Learned(model, history, {"best_epoch": best_epoch, **best})


def learn_beside(
    crops_dir: Path,
    region: str,
    architecture: Architecture,
    params: TrainParams,
    rank: Rank,
) -> None:
    """What another process does for `learn_all`: it learns from its share, and writes nothing.

    The weights that it begins with are sent by the first rank.
    """
    quiet_lightning()
    keep_freed_memory()
    crops = load_crops(crops_dir, region)
    seed = rank.seed(params.seed)
    fit_classifier(
        DefectClassifier(architecture).train(),
        crops.in_fold("train"),
        crops.in_fold("val"),
        schedule_of(params),
        augment=build_augmentation(params.augmentation, seed=seed),
        on_epoch=lambda number, row: None,
        show_progress=False,
        rank=rank,
    )


def learn_head(
    model: DefectClassifier, crops: Crops, params: TrainParams, run: "LiveRun"
) -> Learned:
    """Train the head alone: once without each cross-validation fold, and once on all of them.

    The features of the frozen backbone are computed once for all.
    """
    seen = crops.rows(np.flatnonzero(crops.index["cv_fold"] != NEVER_HELD_OUT))
    features = frozen_features(
        model,
        seen.images,
        FEATURE_CACHE,
        mirrored=AUGMENTATIONS[params.augmentation].mirrors,
        show_progress=sys.stderr.isatty(),
    )
    training = FrozenTraining(
        model,
        seen,
        features,
        schedule_of(params),
        seed=params.seed,
        kept=_kept_heads(),
        keep_epochs=params.keep_epochs,
    )
    validated = cross_validate(
        training, on_epoch=run.epoch_of_head, show_progress=sys.stderr.isatty()
    )
    for number, row in enumerate(validated.history):
        run.epoch(number, row)
    classes = model.architecture.classes
    return Learned(
        model=validated.deployed,
        history=validated.history,
        metrics=_out_of_fold_metrics(validated.logits, seen, classes),
        before_val=validated.without[VAL_FOLD],
        out_of_fold=out_of_fold_table(seen.index, validated.logits),
        epochs=validated.epochs,
    )


def _kept_heads() -> Path | None:
    """Where heads are kept until all are done; nowhere where nobody knows what they depend on."""
    taken = fingerprint.of_stage("train")
    return KEPT_HEADS / fingerprint.digest(taken) if taken else None


def _out_of_fold_metrics(
    logits: Any, crops: Crops, classes: tuple[str, ...]
) -> dict[str, float]:
    """What the scores out of fold are worth, by part."""
    parts = by_part(crops.index, probabilities_of(logits, temperature=1.0), classes)
    return {
        "n_out_of_fold_crops": len(crops),
        "out_of_fold_macro_f1": macro_f1(
            list(parts["label"]), list(parts["predicted"]), classes
        ),
    }


class LiveRun:
    """A training's run in MLflow, or none where `track` is off; `id` is None then."""

    def __init__(self, mlflow: Any = None, run_id: str | None = None) -> None:
        self._mlflow = mlflow
        self.id = run_id

    def epoch(self, number: int, row: dict[str, float]) -> None:
        """Log the numbers of an epoch in one call."""
        numbers = ", ".join(f"{key} {value:.3f}" for key, value in row.items())
        program.log.info("epoch %d: %s", number, numbers)
        if self._mlflow is not None:
            finite = {key: value for key, value in row.items() if np.isfinite(value)}
            self._mlflow.log_metrics(finite, step=number)

    def epoch_of_head(
        self, fold: int | None, number: int, row: dict[str, float]
    ) -> None:
        """Log the epoch of a head without a fold, or of the one on all crops, under its name."""
        head = "all" if fold is None else f"fold{fold}"
        self.epoch(number, {f"{head}_{name}": value for name, value in row.items()})


@contextmanager
def live_run(params: TrainParams, store: tracking.TrackingParams) -> Iterator[LiveRun]:
    """The run while it trains: parameters at once, numbers after each epoch, then how it ended.

    That is FINISHED, FAILED by an exception, or KILLED by the keyboard. A process that is killed
    outright can say nothing: the next one that opens the store marks its run as KILLED.
    """
    if not params.track:
        yield LiveRun()
        return
    mlflow = tracking.connect(store)
    run = mlflow.start_run(run_name=params.run_name, tags=tracking.owner())
    run_id = run.info.run_id
    status = "FAILED"
    try:
        mlflow.log_params(params.model_dump(mode="json"))
        yield LiveRun(mlflow, run_id)
        status = "FINISHED"
    except (
        KeyboardInterrupt,
        SystemExit,
    ):  # Lightning makes the second out of the first
        status = "KILLED"
        raise
    finally:
        mlflow.end_run(status)


def _new_classifier(params: TrainParams, train: Crops, line: Line) -> DefectClassifier:
    import torch

    mean, std, damping = _standardisation(params, train)
    architecture = Architecture(
        backbone=params.backbone,
        backbone_args=params.backbone_args or {},
        weights=_origin(params.weights),
        classes=line.classifier_classes,
        size_px=line.regions[line.classify].size_px,
        mean=mean,
        std=std,
        brightness_damping=damping,
        centre_fraction=AUGMENTATIONS[params.augmentation].centre_fraction,
        mirror_average=params.mirror_average,
        dim=params.head_dim,
        groups=params.head_groups,
    )
    torch.manual_seed(params.seed)
    return new_classifier(architecture, weights=params.weights)


def _origin(weights: str) -> str:
    """Where the weights come from, without the path of a file: that means nothing elsewhere."""
    return weights if weights in (PACKAGED, HUB, NONE) else "file"


def _standardisation(
    params: TrainParams, train: Crops
) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Mean, spread and brightness damping: as the weights know images, or as the crops are."""
    known = normalisation(params.backbone, params.weights, train.images.shape[3])
    if known is not None:
        return *known, 0.0

    sampled = train.images[:: max(1, len(train) // MAX_SAMPLED)]
    return *pixel_statistics(sampled), BRIGHTNESS_DAMPING


def schedule_of(params: TrainParams) -> Schedule:
    """How long and how fast to train."""
    return Schedule(
        **{name: getattr(params, name) for name in Schedule.__dataclass_fields__}
    )


def _require_classes(crops: Crops, line: Line) -> None:
    """Raise InspectionError where a class has nothing to be learned from, or val is empty."""
    labels = {
        fold: set(crops.in_fold(fold).index["label"]) for fold in (*FOLDS, UNSEEN)
    }
    wanted = [name for name in line.classifier_classes if name not in labels[UNSEEN]]
    problems = [
        f"train: no crop of class {name!r} in region {line.classify!r}; add parts, or take the "
        f"class out of line.regions.{line.classify}.shows"
        for name in wanted
        if name not in labels["train"]
    ]
    if not labels["val"]:
        problems.append("val: no crops; raise split.val_fraction or add parts")
    raise_all(problems)


def _require_places(crops: Crops) -> None:
    """Warn of the crops that windows leave out; raise InspectionError where a class has no other.

    A window is drawn around the defect, so its place in the crop must be known.
    """
    is_unknown = crops.index["target"] == UNKNOWN
    left_out = crops.index[is_unknown]
    learned = set(crops.index[~is_unknown]["label"])
    missing = sorted(set(left_out["label"]) - learned)
    if missing:
        raise InspectionError(
            f"train.window_px: no mask or box says where the defects of {missing} lie; set "
            "train.window_px to null"
        )
    if len(left_out):
        program.log.warning(
            "train: %d of %d crops are not learned from, since nothing says where their defect "
            "lies; mark them, or set train.window_px to null",
            len(left_out),
            len(crops),
        )


def _save(learned: Learned, out: Path) -> None:
    curves = pd.DataFrame(learned.history).rename_axis("epoch").reset_index()
    write_table(out / "curves.csv", curves)
    save_classifier(learned.model, out)
    if learned.before_val is not None:
        save_classifier(learned.before_val, out / BEFORE_VAL)
    if learned.out_of_fold is not None:
        write_table(out / OUT_OF_FOLD, learned.out_of_fold)
    for number, weights in learned.epochs.items():
        write_bytes(epoch_file(out, number), weights)


if __name__ == "__main__":
    program.run("train", main)
