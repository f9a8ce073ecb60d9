"""Train the classifier on the crops of its region; every epoch goes live to MLflow."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from inspection.errors import raise_all
from inspection.line import Line
from inspection.models.augmentations import AUGMENTATIONS, build_augmentation
from inspection.models.classifier import Architecture, DefectClassifier, new_classifier
from inspection.models.crops import Crops, load_crops
from inspection.models.training import Schedule, fit_classifier
from inspection.storage import replacing, write_json, write_table
from stages import program, sections, tracking


class TrainParams(sections.Params):
    """How the classifier is made and trained. See params.yaml for the reasons."""

    backbone: str = "resnet10t"
    backbone_args: dict[str, Any] | None = None
    pretrained: bool = False
    weights: str | None = None
    augmentation: str = "line"
    epochs: int = Field(default=20, ge=1, le=1000)
    patience: int = Field(default=8, ge=1)
    batch_size: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=0.003, gt=0, lt=1)
    weight_decay: float = Field(default=0.02, ge=0)
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    place_weight: float = Field(default=0.5, ge=0)
    paste_probability: float = Field(default=0.5, ge=0, le=1)
    balance: Literal["sampler", "weights", "none"] = "sampler"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    run_name: str | None = None
    track: bool = True
    seed: int = 0

    @field_validator("augmentation")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in AUGMENTATIONS:
            raise ValueError(f"should be one of {sorted(AUGMENTATIONS)}")
        return name


@dataclass(frozen=True)
class Paths:
    """What the stage reads and writes."""

    crops: Annotated[Path, "folder of the crops"]
    out: Annotated[Path, "folder for the classifier"]
    run: Annotated[Path, "file for the MLflow run's id"]
    metrics: Annotated[Path, "file for the metrics"]


def main() -> None:
    """Load the crops, train, save the best weights, the curves and the id of the run."""
    paths = program.paths(Paths, __doc__)
    line, params, store = sections.read(
        sections.line("classify", "normal", "regions"),
        sections.section("train", TrainParams),
        sections.section("tracking", tracking.TrackingParams),
    )
    crops = load_crops(paths.crops, line.classify)
    train, val = crops.in_fold("train"), crops.in_fold("val")
    _require_classes(train, val, line)

    _quiet_lightning()
    model = _new_classifier(params, train, line)
    with live_run(params, store) as run:
        model, history, best_epoch = fit_classifier(
            model,
            train,
            val,
            _schedule(params),
            augment=build_augmentation(params.augmentation, seed=params.seed),
            on_epoch=run.epoch,
            show_progress=sys.stderr.isatty(),
        )
        _save(model, history, paths.out)
        write_json(paths.run, {"run_id": run.id})

    best = history[best_epoch]
    program.save_metrics(
        paths.metrics,
        {
            "best_epoch": best_epoch,
            "epochs": len(history),
            "n_parameters": sum(p.numel() for p in model.parameters()),
            "n_train_crops": len(train),
            "n_val_crops": len(val),
            "val_macro_f1": best["val_macro_f1"],
            "val_loss": best["val_loss"],
        },
    )


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


def _quiet_lightning() -> None:
    """No advice about other products among the numbers; warnings and errors stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings(
        "ignore", message="`isinstance.treespec, LeafSpec.` is deprecated"
    )


def _new_classifier(params: TrainParams, train: Crops, line: Line) -> DefectClassifier:
    import torch

    pixels = train.images[:: max(1, len(train) // 200)].astype(np.float64)
    architecture = Architecture(
        backbone=params.backbone,
        backbone_args=params.backbone_args or {},
        classes=line.classifier_classes,
        size_px=line.regions[line.classify].size_px,
        mean=tuple(pixels.mean(axis=(0, 1, 2)).round(3).tolist()),
        std=tuple((pixels.std(axis=(0, 1, 2)) + 1e-3).round(3).tolist()),
        centre_fraction=AUGMENTATIONS[params.augmentation].centre_fraction,
    )
    torch.manual_seed(params.seed)
    return new_classifier(
        architecture, pretrained=params.pretrained, weights=params.weights
    )


def _schedule(params: TrainParams) -> Schedule:
    return Schedule(
        **{name: getattr(params, name) for name in Schedule.__dataclass_fields__}
    )


def _require_classes(train: Crops, val: Crops, line: Line) -> None:
    problems = [
        f"{fold}: no crop of class {name!r} in region {line.classify!r}; add parts, or take the "
        f"class out of line.regions.{line.classify}.shows"
        for fold, crops in (("train", train),)
        for name in line.classifier_classes
        if name not in set(crops.index["label"])
    ]
    if not len(val):
        problems.append("val: no crops; raise split.val_fraction or add parts")
    raise_all(problems)


def _save(model: DefectClassifier, history: list[dict[str, float]], out: Path) -> None:
    from safetensors.torch import save_file

    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    with replacing(out / "weights.safetensors") as temporary:
        save_file(weights, temporary)
    write_json(out / "architecture.json", model.architecture.model_dump(mode="json"))
    curves = pd.DataFrame(history).rename_axis("epoch").reset_index()
    write_table(out / "curves.csv", curves)


if __name__ == "__main__":
    program.run("train", main)
