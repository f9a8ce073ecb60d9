"""How the classifier learns: losses, balanced sampling, and the best weights by part."""

import logging
import signal
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, TQDMProgressBar
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

from inspection.errors import InspectionError
from inspection.models.augmentations import Augment
from inspection.models.classifier import (
    DefectClassifier,
    EvidenceHead,
    pooled,
    weights_of_epoch,
)
from inspection.models.crops import UNKNOWN, Crops
from inspection.models.ddp import ALONE, Rank
from inspection.models.epochs import KeepEpoch
from inspection.models.frozen import FeatureDataset
from inspection.models.pasting import paste
from inspection.models.places import fit_target, place_loss
from inspection.parts import by_part, macro_f1

Batch = dict[str, Any]
OnEpoch = Callable[[int, dict[str, float]], None]

# Macro-F1 per nat of val loss: one part more that is right outweighs any loss below some ten nats,
# while of two epochs with the same parts right the surer one is kept.
TIE_BREAK = 1e-3

# no outcome: what a shell says of a process that a signal has ended
ENDED_BY_SIGTERM = 128 + signal.SIGTERM

# Steps from which the learning rate goes through a cycle: shorter, its rise has no two steps.
MIN_STEPS = 10

# Share of the steps in which the learning rate rises: the published 0.3 (Smith & Topin 2018) leaves
# short trainings too few steps at low rates to settle.
RISING_FRACTION = 0.2

# Norm beyond which gradients are scaled down: the customary 1, which keeps the steep first steps of
# an untrained head from throwing the backbone's weights about.
MAX_GRADIENT_NORM = 1.0

VAL_BATCH = 64  # no outcome: the logits of a crop do not depend on its neighbours


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train; see the `train` section of params.yaml."""

    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float
    place_weight: float
    paste_probability: float
    balance: str
    precision: str
    seed: int
    window_px: tuple[int, int] | None = None


class CropDataset(Dataset[Batch]):
    """Crops as training examples: image (C, H, W) uint8, class number, the defect's place."""

    def __init__(
        self,
        crops: Crops,
        classes: tuple[str, ...],
        augment: Augment | None = None,
        *,
        paste_probability: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.crops = crops
        self.paste_probability = paste_probability
        self.generator = np.random.default_rng(seed)
        self.normals = np.flatnonzero(crops.index["label"] == classes[0])
        self.labels = [classes.index(label) for label in crops.index["label"]]
        self.known = (crops.index["target"] != UNKNOWN).to_numpy()
        self.augment = augment

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> Batch:
        image, target = (
            np.asarray(self.crops.images[row]),
            np.asarray(self.crops.targets[row]),
        )
        if self._pastes(row, target):
            other = self.generator.choice(self.normals)
            image, target = paste(
                image, target, np.asarray(self.crops.images[other]), self.generator
            )
        if self.augment is not None:
            image, target = self.augment(image, target)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1),
            "target": torch.from_numpy(np.array(target)).float() / 255.0,
            "label": torch.tensor(self.labels[row]),
            "known": torch.tensor(bool(self.known[row])),
        }

    def _pastes(self, row: int, target: Any) -> bool:
        drawn = self.generator.random() < self.paste_probability
        return (
            drawn
            and self.labels[row] > 0
            and len(self.normals) > 0
            and bool(target.any())
        )


class ClassifierTraining(L.LightningModule):
    """Trains a DefectClassifier; `history` gets one row of numbers per epoch."""

    class_weights: Tensor

    def __init__(
        self,
        model: DefectClassifier | EvidenceHead,
        schedule: Schedule,
        val: Crops | None,
        class_weights: Tensor,
    ) -> None:
        super().__init__()
        self.model = model
        self.schedule = schedule
        self.val = val
        self.history: list[dict[str, float]] = []
        self._losses: list[float] = []
        self._logits: list[Tensor] = []
        self.register_buffer("class_weights", class_weights)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Classification loss, and the loss of the evidence's place where it is known."""
        evidence = self.model.evidence_maps(batch["image"])
        loss = F.cross_entropy(
            pooled(evidence),
            batch["label"],
            weight=self.class_weights,
            label_smoothing=self.schedule.label_smoothing,
        )
        if self.schedule.place_weight > 0:
            wanted = fit_target(
                batch["target"], self.model.architecture, evidence.shape[-2:]
            )
            loss = loss + self.schedule.place_weight * place_loss(
                evidence, wanted, batch["label"], batch["known"]
            )
        self._losses.append(float(loss.detach()))
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Keep the logits of the val crops."""
        self._logits.append(self.model(batch["image"]).float().cpu())

    def on_validation_epoch_end(self) -> None:
        """Score the epoch by part: macro-F1, ties broken by the lower loss.

        Where val holds one class alone it tells nothing, and the last epoch counts as the best.
        """
        logits = torch.cat(self._logits)
        self._logits.clear()
        if self.val is None or len(logits) < len(self.val):
            return
        if not logits.isfinite().all():
            raise InspectionError(
                f"train: diverged in epoch {self.current_epoch}, where the classifier says what is "
                "no number; lower train.learning_rate"
            )
        classes = self.model.architecture.classes
        labels = torch.tensor(
            [classes.index(label) for label in self.val.index["label"]]
        )
        loss = float(F.cross_entropy(logits, labels))
        parts = by_part(self.val.index, logits.softmax(1).numpy(), classes)
        f1 = macro_f1(list(parts["label"]), list(parts["predicted"]), classes)
        score = f1 - TIE_BREAK * loss
        if len(labels.unique()) < 2:
            score = float(self.current_epoch)
        train_loss = float(np.mean(self._losses)) if self._losses else float("nan")
        self._losses.clear()
        if self.trainer.world_size > 1:
            # each has seen other crops, and their batch statistics: the first one's numbers count
            train_loss, loss, f1, score = self.trainer.strategy.broadcast(
                (train_loss, loss, f1, score)
            )
        row = {
            "train_loss": train_loss,
            "val_loss": loss,
            "val_macro_f1": f1,
            "val_score": score,
        }
        self.history.append(row)
        self.log_dict({"val_macro_f1": f1, "val_score": score}, prog_bar=True)

    def end_epoch_without_val(self) -> None:
        """Where nothing is held out, an epoch is its loss alone."""
        self.history.append({"train_loss": float(np.mean(self._losses))})
        self._losses.clear()

    def configure_optimizers(self) -> Any:
        """AdamW under one cycle of the learning rate, which takes some steps to be one."""
        optimiser = torch.optim.AdamW(
            self.model.parameters(),
            lr=self.schedule.learning_rate,
            weight_decay=self.schedule.weight_decay,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        if steps < MIN_STEPS:
            return optimiser
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            self.schedule.learning_rate,
            total_steps=steps,
            pct_start=RISING_FRACTION,
        )
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": cycle, "interval": "step"},
        }


class EachEpoch(Callback):
    """Reports the numbers of every epoch."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        self.on_epoch = on_epoch

    def on_validation_end(
        self, trainer: L.Trainer, training: L.LightningModule
    ) -> None:
        """Report the epoch."""
        if isinstance(training, ClassifierTraining) and training.history:
            self.on_epoch(trainer.current_epoch, training.history[-1])

    def on_train_epoch_end(
        self, trainer: L.Trainer, training: L.LightningModule
    ) -> None:
        """Report an epoch after which nothing is validated."""
        if isinstance(training, ClassifierTraining) and training.val is None:
            training.end_epoch_without_val()
            self.on_epoch(trainer.current_epoch, training.history[-1])


class BestWeights(EachEpoch):
    """Keeps the weights of the best epoch in memory, and reports every epoch."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        super().__init__(on_epoch)
        self.best_score = float("-inf")
        self.best_epoch = -1
        self.weights: dict[str, Tensor] = {}

    def on_validation_end(
        self, trainer: L.Trainer, training: L.LightningModule
    ) -> None:
        """Copy the weights when the epoch is the best so far."""
        if trainer.sanity_checking or not isinstance(training, ClassifierTraining):
            return
        row = training.history[-1]
        if row["val_score"] > self.best_score:
            self.best_score = row["val_score"]
            self.best_epoch = trainer.current_epoch
            state = training.model.state_dict()
            self.weights = {name: value.cpu().clone() for name, value in state.items()}
        super().on_validation_end(trainer, training)


class KeepsEpochs(Callback):
    """Hands on the weights of every epoch."""

    def __init__(self, keep: KeepEpoch) -> None:
        self.keep = keep

    def on_train_epoch_end(
        self, trainer: L.Trainer, training: L.LightningModule
    ) -> None:
        """Hand on the weights, after the epoch was validated."""
        if isinstance(training, ClassifierTraining):
            self.keep(trainer.current_epoch, weights_of_epoch(training.model))


def fit_classifier(
    model: DefectClassifier,
    train: Crops,
    val: Crops,
    schedule: Schedule,
    *,
    augment: Augment,
    on_epoch: OnEpoch,
    show_progress: bool,
    keep: KeepEpoch | None = None,
    rank: Rank = ALONE,
) -> tuple[DefectClassifier, list[dict[str, float]], int]:
    """Train `model`; returns it with its best weights, the epochs' numbers, and the best epoch.

    `keep` gets the weights of every epoch, where it is given. `rank` is that of this process among
    several that train the network together.
    """
    classes = model.architecture.classes
    train_set = CropDataset(
        train,
        classes,
        augment,
        paste_probability=schedule.paste_probability,
        seed=rank.seed(schedule.seed),
    )
    training = ClassifierTraining(
        model.to(memory_format=torch.channels_last),
        schedule,
        val,
        _class_weights(train_set.labels, len(classes), schedule.balance),
    )
    best = BestWeights(on_epoch)
    stop = EarlyStopping("val_score", patience=schedule.patience, mode="max")
    callbacks = [best, stop, *_keepers(keep)]
    trainer = _trainer(schedule, callbacks, show_progress=show_progress, rank=rank)
    _fit(
        trainer,
        training,
        training_batches(train_set, schedule, rank),
        _in_order(CropDataset(val, classes)),
    )
    model.load_state_dict(best.weights)
    return model.eval().cpu(), training.history, best.best_epoch


def fit_head(
    head: EvidenceHead,
    train: FeatureDataset,
    held_out: FeatureDataset | None,
    schedule: Schedule,
    *,
    on_epoch: OnEpoch,
    keep: KeepEpoch | None = None,
) -> list[dict[str, float]]:
    """Train a head on a frozen backbone's features, for all epochs; returns the epochs' numbers.

    No epoch is chosen: a choice would rest on what is held out, which is kept for the evidence.
    `keep` gets the head's weights of every epoch, where it is given.
    """
    training = ClassifierTraining(
        head.train().to(memory_format=torch.channels_last),
        schedule,
        held_out.crops if held_out else None,
        _class_weights(train.labels, len(head.architecture.classes), schedule.balance),
    )
    callbacks = [EachEpoch(on_epoch), *_keepers(keep)]
    trainer = _trainer(schedule, callbacks, show_progress=False)
    val_loader = _in_order(held_out) if held_out else None
    _fit(trainer, training, training_batches(train, schedule), val_loader)
    head.eval().cpu().to(memory_format=torch.contiguous_format)
    return training.history


def _keepers(keep: KeepEpoch | None) -> list[Callback]:
    return [] if keep is None else [KeepsEpochs(keep)]


def _fit(
    trainer: L.Trainer,
    training: ClassifierTraining,
    batches: DataLoader[Any],
    held_out: DataLoader[Any] | None,
) -> None:
    """Train. Told to end by SIGTERM, this process ends with the status that a shell gives that.

    Lightning would end it with 0, as if the training were done.
    """
    try:
        trainer.fit(training, batches, held_out)
    except SIGTERMException as error:
        raise SystemExit(ENDED_BY_SIGTERM) from error


def quiet_lightning() -> None:
    """No advice about other products among the numbers; warnings and errors stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    known = (
        "`isinstance.treespec, LeafSpec.` is deprecated",
        # so it is meant: the head that is deployed learns from all parts but test
        "You defined a `validation_step` but have no `val_dataloader`",
        # of several processes all log the same numbers, the first one's
        "It is recommended to use `self.log",
    )
    for message in known:
        warnings.filterwarnings("ignore", message=message)


def _in_order(held_out: CropDataset | FeatureDataset) -> DataLoader[Batch]:
    """Batches of crops that are held out."""
    return DataLoader(held_out, batch_size=VAL_BATCH, collate_fn=_collate_of(held_out))


def _collate_of(examples: CropDataset | FeatureDataset) -> Any:
    """How examples become a batch; None is PyTorch's own way."""
    return _as_it_is if isinstance(examples, FeatureDataset) else None


def _as_it_is(batch: Batch) -> Batch:
    """A batch that was read as one."""
    return batch


def training_batches(
    train: CropDataset | FeatureDataset, schedule: Schedule, rank: Rank = ALONE
) -> DataLoader[Batch]:
    """Batches drawn at random, each class as often where the schedule balances so.

    Of several processes all draw the same rows, of which each takes its share.
    """
    labels = np.asarray(train.labels)
    balanced = schedule.balance == "sampler"
    weights = 1.0 / np.bincount(labels)[labels] if balanced else np.ones(len(labels))
    sampler = WeightedRandomSampler(
        weights.tolist(),
        len(labels),
        replacement=balanced,
        generator=torch.Generator().manual_seed(schedule.seed),
    )
    return DataLoader(
        train,
        batch_size=rank.batch(min(schedule.batch_size, len(train))),
        sampler=rank.share(sampler),
        drop_last=True,
        collate_fn=_collate_of(train),
    )


def _class_weights(labels: list[int], n_classes: int, balance: str) -> Tensor:
    if balance != "weights":
        return torch.ones(n_classes)
    counts = np.bincount(labels, minlength=n_classes)
    return torch.tensor(
        len(labels) / (n_classes * np.maximum(counts, 1)), dtype=torch.float32
    )


def _trainer(
    schedule: Schedule,
    callbacks: list[Callback],
    *,
    show_progress: bool,
    rank: Rank = ALONE,
) -> L.Trainer:
    if show_progress:
        callbacks = [*callbacks, TQDMProgressBar()]
    return L.Trainer(
        max_epochs=schedule.epochs,
        callbacks=callbacks,
        precision=schedule.precision,  # type: ignore[arg-type]
        gradient_clip_val=MAX_GRADIENT_NORM,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=show_progress,
        log_every_n_steps=1,
        **rank.trainer_settings(),
    )
