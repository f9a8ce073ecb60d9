"""Heads on the features of a frozen backbone: one without each fold, and one on all crops.

A head without a fold gives the scores out of fold that thresholds rest on; the one on all crops is
deployed. They are trained side by side, each in one thread, so that what comes out does not depend
on how many processors a machine has.
"""

import json
import multiprocessing
import os
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tqdm import tqdm

from inspection.errors import InspectionError
from inspection.models.classifier import DefectClassifier, with_new_head
from inspection.models.crops import UNKNOWN, Crops
from inspection.models.epochs import keeping_in_memory
from inspection.models.frozen import FeatureDataset, Features, head_logits
from inspection.models.training import Schedule, fit_head, quiet_lightning
from inspection.models.windows import Windows
from inspection.processes import keep_freed_memory
from inspection.storage import replacing
from inspection.workers import begin, n_processes

# The numbers of each epoch, in order.
History = list[dict[str, float]]
# Gets each epoch: the fold that its head does not see, None for all crops; its number; its numbers.
OnEpoch = Callable[[int | None, int, dict[str, float]], None]
# no outcome: how soon the epochs of the other processes are reported
REPORT_S = 0.2
# In the file of a head that is kept: its logits, its epochs, and what begins the names of weights
# and of the epochs whose weights are kept.
LOGITS, HISTORY, WEIGHT, EPOCH = "logits", "history", "weight.", "epoch."


@dataclass(frozen=True)
class FrozenTraining:
    """What heads are fitted on: a classifier whose backbone stays, crops, and their features.

    Heads that are done are kept in the folder `kept`, where one is named, so that a training that
    was killed goes on with the others. The name of the folder must follow from all of the rest.
    Of the head on all crops the weights of the last `keep_epochs` epochs are handed on.
    """

    model: DefectClassifier
    crops: Crops
    features: Features
    schedule: Schedule
    seed: int
    kept: Path | None = None
    keep_epochs: int = 0

    @property
    def folds(self) -> list[int]:
        """The numbers of the folds that are held out in turn."""
        return [int(fold) for fold in np.unique(self.crops.index["cv_fold"])]


@dataclass(frozen=True)
class CrossValidation:
    """What came of it.

    `deployed` is the classifier whose head has learned all crops, `without` the one without each
    fold, by fold. `logits` (N, classes) are those of each crop by the one that has not seen its
    fold; `history` holds the epochs' numbers, averaged over the folds. `epochs` are the weights of
    the deployed head after its last epochs, as safetensors, by the number of the epoch.
    """

    deployed: DefectClassifier
    without: dict[int, DefectClassifier]
    logits: Any
    history: History
    epochs: dict[int, bytes]


@dataclass(frozen=True)
class _Fitted:
    """A head's weights, its epochs, and its logits of the crops that it has not seen.

    The weights of `epochs` are bytes, since each tensor that another process sends holds a file
    open here.
    """

    weights: dict[str, torch.Tensor]
    history: History
    logits: Any
    epochs: dict[int, bytes] = field(default_factory=dict)


def cross_validate(
    training: FrozenTraining, *, on_epoch: OnEpoch, show_progress: bool
) -> CrossValidation:
    """Fit a head without each `cv_fold` of the crops, which it then judges, and one on all crops.

    Raises InspectionError where a process that trains one is killed.
    """
    tasks: list[int | None] = [*training.folds, None]
    n_epochs = len(tasks) * training.schedule.epochs
    progress = tqdm(total=n_epochs, desc="epochs of heads", disable=not show_progress)

    def report(fold: int | None, number: int, row: dict[str, float]) -> None:
        progress.update()
        on_epoch(fold, number, row)

    n_beside = n_processes(len(tasks))
    fit_all = _one_by_one if n_beside == 1 else _side_by_side
    with progress:
        fitted = dict(
            zip(tasks, fit_all(training, tasks, report, n_beside), strict=True)
        )

    fold_of = training.crops.index["cv_fold"].to_numpy()
    logits = np.zeros(
        (len(fold_of), len(training.model.architecture.classes)), np.float32
    )
    for fold in training.folds:
        logits[fold_of == fold] = fitted[fold].logits
    return CrossValidation(
        deployed=_with_head(training.model, fitted[None]),
        without={
            fold: _with_head(training.model, fitted[fold]) for fold in training.folds
        },
        logits=logits,
        history=_averaged([fitted[fold].history for fold in training.folds]),
        epochs=fitted[None].epochs,
    )


def _one_by_one(
    training: FrozenTraining, tasks: Sequence[int | None], report: OnEpoch, _: int
) -> list[_Fitted]:
    """Fit the heads in this process."""
    with _one_thread():
        return [_fit(training, fold, report) for fold in tasks]


def _side_by_side(
    training: FrozenTraining,
    tasks: Sequence[int | None],
    report: OnEpoch,
    n_beside: int,
) -> list[_Fitted]:
    """Fit the heads in processes of their own; their epochs are reported as they end."""
    context = multiprocessing.get_context("spawn")
    epochs: Any = context.Queue()
    sent = replace(training, crops=training.crops.without_images())
    with ProcessPoolExecutor(
        n_beside, context, _begin, (os.getpid(), sent, epochs)
    ) as pool:
        fits = [pool.submit(_fit_beside, fold) for fold in tasks]
        _report_until_done(fits, epochs, report)
        try:
            return [fit.result() for fit in fits]
        except BrokenProcessPool as error:
            raise InspectionError(
                "train: a process that trained a head was killed; where memory was short, set "
                "KNURL_PROCESSES=1"
            ) from error


def _report_until_done(
    fits: Sequence["Future[_Fitted]"], epochs: Any, report: OnEpoch
) -> None:
    is_done = False
    while not is_done:
        is_done = all(fit.done() for fit in fits)
        try:
            while True:
                report(*epochs.get(timeout=REPORT_S))
        except queue.Empty:
            pass


# What a process beside this one trains on, and where it reports its epochs.
_beside: dict[str, Any] = {}


def _begin(parent: int, training: FrozenTraining, epochs: Any) -> None:
    begin(parent)
    keep_freed_memory()
    quiet_lightning()
    torch.set_num_threads(1)
    _beside.update(training=training, epochs=epochs)


def _fit_beside(fold: int | None) -> _Fitted:
    def report(*epoch: Any) -> None:
        _beside["epochs"].put(epoch)

    return _fit(_beside["training"], fold, report)


def _fit(training: FrozenTraining, fold: int | None, report: OnEpoch) -> _Fitted:
    """A head that has learned all crops but those of a fold, or all where that is None."""
    if training.kept is None:
        return _fit_anew(training, fold, report)

    file = training.kept / f"{'all' if fold is None else f'fold{fold}'}.safetensors"
    if file.is_file():
        fitted = _read(file)
        for number, row in enumerate(fitted.history):
            report(fold, number, row)
        return fitted
    fitted = _fit_anew(training, fold, report)
    _write(file, fitted)
    return fitted


def _write(file: Path, fitted: _Fitted) -> None:
    tensors = {f"{WEIGHT}{name}": value for name, value in fitted.weights.items()}
    if fitted.logits is not None:
        tensors[LOGITS] = torch.from_numpy(fitted.logits)
    for number, weights in fitted.epochs.items():
        tensors[f"{EPOCH}{number}"] = torch.frombuffer(
            bytearray(weights), dtype=torch.uint8
        )
    with replacing(file) as temporary:
        save_file(tensors, temporary, metadata={HISTORY: json.dumps(fitted.history)})


def _read(file: Path) -> _Fitted:
    with safe_open(file, framework="pt") as opened:
        history = json.loads(opened.metadata()[HISTORY])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    logits = tensors.pop(LOGITS, None)
    weights, epochs = {}, {}
    for name, value in tensors.items():
        if name.startswith(EPOCH):
            epochs[int(name.removeprefix(EPOCH))] = value.numpy().tobytes()
        else:
            weights[name.removeprefix(WEIGHT)] = value
    return _Fitted(weights, history, None if logits is None else logits.numpy(), epochs)


def _fit_anew(training: FrozenTraining, fold: int | None, report: OnEpoch) -> _Fitted:
    torch.manual_seed(training.seed)
    head = with_new_head(training.model).head
    crops, features = training.crops, training.features
    classes = training.model.architecture.classes
    fold_of = crops.index["cv_fold"].to_numpy()
    rows, held_out = np.arange(len(crops)), None
    if fold is not None:
        rows, held_out = (
            np.flatnonzero(fold_of != fold),
            np.flatnonzero(fold_of == fold),
        )

    windows = None
    if training.schedule.window_px is not None:
        windows = Windows.of(
            training.schedule.window_px, crops.targets, features.stages
        )
        rows = rows[(crops.index["target"] != UNKNOWN).to_numpy()[rows]]

    epochs: dict[int, bytes] = {}
    n_kept = training.keep_epochs if fold is None else 0
    history = fit_head(
        head,
        FeatureDataset(
            crops, features, classes, rows=rows, seed=training.seed, windows=windows
        ),
        None
        if held_out is None
        else FeatureDataset(crops, features, classes, rows=held_out),
        training.schedule,
        on_epoch=lambda number, row: report(fold, number, row),
        keep=keeping_in_memory(epochs, n_kept),
    )
    logits = None if held_out is None else head_logits(head, features, held_out)
    return _Fitted(head.state_dict(), history, logits, epochs)


def _with_head(model: DefectClassifier, fitted: _Fitted) -> DefectClassifier:
    """A copy of the classifier with the weights of a head that was fitted."""
    copy = with_new_head(model)
    copy.head.load_state_dict(fitted.weights)
    copy.head.eval()
    return copy


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums of one thread are those of every machine; of two they depend on how work is shared."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def _averaged(histories: list[History]) -> History:
    """The numbers of each epoch, averaged over the folds; folds that had none are left out."""
    return [
        {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        for rows in zip(*(one for one in histories if one), strict=True)
    ]
