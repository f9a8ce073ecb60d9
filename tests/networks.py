"""Tiny networks for drawn crops: they train in seconds on one core."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from inspection.models.augmentations import build_augmentation
from inspection.models.classifier import Architecture, DefectClassifier
from inspection.models.crops import Crops
from inspection.models.training import Schedule, fit_classifier
from tests.squares import CLASSES, SIZE_PX, draw_crops

TINY = {"channels": [8, 8, 16, 16], "stem_width": 8}
SCHEDULE = Schedule(
    epochs=6,
    patience=6,
    batch_size=12,
    learning_rate=0.02,
    weight_decay=0.01,
    label_smoothing=0.0,
    place_weight=1.0,
    paste_probability=0.0,
    balance="sampler",
    precision="32-true",
    seed=0,
)


@dataclass(frozen=True)
class Trained:
    """A classifier that has learned bright and dark squares, and how it came to it."""

    model: DefectClassifier
    val: Crops
    history: list[dict[str, float]]
    best_epoch: int
    reported: list[int]


def tiny_architecture(**changes: Any) -> Architecture:
    """The architecture of a tiny residual network for drawn crops."""
    settings: dict[str, Any] = {
        "backbone": "resnet10t",
        "backbone_args": TINY,
        "classes": CLASSES,
        "size_px": SIZE_PX,
        "mean": (120.0,),
        "std": (30.0,),
        "dim": 16,
    }
    return Architecture(**(settings | changes))


def tiny_classifier(seed: int = 0, **changes: Any) -> DefectClassifier:
    """An untrained classifier, the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return DefectClassifier(tiny_architecture(**changes)).eval()


@cache
def train_on_squares() -> Trained:
    """Fit a tiny classifier on drawn squares, once for all tests."""
    val = draw_crops(6, fold="val", seed=2)
    reported: list[int] = []
    model, history, best_epoch = fit_classifier(
        tiny_classifier().train(),
        draw_crops(20, seed=1),
        val,
        SCHEDULE,
        augment=build_augmentation("flip", seed=0),
        on_epoch=lambda number, row: reported.append(number),
        show_progress=False,
    )
    return Trained(model, val, history, best_epoch, reported)
