"""Heads on the features of a frozen backbone: one without each fold, and one on all crops.

A head without a fold gives the scores out of fold that thresholds rest on; the one on all crops is
deployed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from inspection.models.classifier import DefectClassifier, with_new_head
from inspection.models.crops import Crops
from inspection.models.frozen import FeatureDataset, Features, head_logits
from inspection.models.training import OnEpoch, Schedule, fit_head

# The numbers of each epoch, in order.
History = list[dict[str, float]]


@dataclass(frozen=True)
class FrozenTraining:
    """What heads are fitted on: a classifier whose backbone stays, crops, and their features."""

    model: DefectClassifier
    crops: Crops
    features: Features
    schedule: Schedule
    seed: int
    show_progress: bool


@dataclass(frozen=True)
class CrossValidation:
    """The classifier without each fold, by fold; the logits (N, classes) of each crop by the one
    that has not seen its fold; and the epochs' numbers, averaged over the folds."""

    without: dict[int, DefectClassifier]
    logits: Any
    history: History


def cross_validate(
    training: FrozenTraining, on_epoch_without: Callable[[int], OnEpoch]
) -> CrossValidation:
    """Fit a head without each `cv_fold` of the crops, and let it judge that fold."""
    fold_of = training.crops.index["cv_fold"].to_numpy()
    classes = training.model.architecture.classes
    logits = np.zeros((len(fold_of), len(classes)), np.float32)
    without, histories = {}, []
    for fold in map(int, np.unique(fold_of)):
        held_out = np.flatnonzero(fold_of == fold)
        model, history = fit_on(
            training,
            np.flatnonzero(fold_of != fold),
            held_out=held_out,
            on_epoch=on_epoch_without(fold),
        )
        without[fold] = model
        histories.append(history)
        logits[held_out] = head_logits(model.head, training.features, held_out)
    return CrossValidation(without, logits, _averaged(histories))


def fit_on(
    training: FrozenTraining, rows: Any, *, held_out: Any = None, on_epoch: OnEpoch
) -> tuple[DefectClassifier, History]:
    """A copy of the classifier whose head has learned the crops of some rows, and its epochs.

    The crops of `held_out`, where there are some, only measure each epoch.
    """
    torch.manual_seed(training.seed)
    fitted = with_new_head(training.model)
    crops, features = training.crops, training.features
    classes = training.model.architecture.classes
    held_out_set = None
    if held_out is not None:
        held_out_set = FeatureDataset(crops, features, classes, rows=held_out)
    history = fit_head(
        fitted.head,
        FeatureDataset(crops, features, classes, rows=rows, seed=training.seed),
        held_out_set,
        training.schedule,
        on_epoch=on_epoch,
        show_progress=training.show_progress,
    )
    return fitted, history


def _averaged(histories: list[History]) -> History:
    """The numbers of each epoch, averaged over the folds; folds that had none are left out."""
    return [
        {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        for rows in zip(*(one for one in histories if one), strict=True)
    ]
