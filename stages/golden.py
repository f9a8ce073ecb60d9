"""Holds the exported models against torch on val crops and frames, in every runtime."""

from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inspection.evaluation.golden.crops import (
    Batch,
    detector_parity,
    evenly_drawn,
    locator_parity,
)
from inspection.evaluation.parity import Parity, require_parity
from inspection.evaluation.runtimes import RUNTIMES, outputs_in
from inspection.geometry import Image, locator_input
from inspection.models.anomaly import anomalies
from inspection.models.crops import Crops
from inspection.models.locator import locate
from inspection.runtime.bundle import Settings
from inspection.runtime.detectors import CLASSIFIER
from inspection.runtime.verdict import verdict_alone
from stages.exported import Trained


def checked_parity(
    trained: Trained,
    settings: Settings,
    bundle: Path,
    val_crops: Mapping[str, Crops],
    frames: Iterable[Image],
    *,
    n_crops: int,
    tolerance: float,
) -> dict[str, Parity]:
    """Parity of every model on val crops, by region, and val frames.

    Raises InspectionError where a model judges otherwise than torch, or is off by more than
    `tolerance`.
    """
    crops = {
        name: evenly_drawn(val_crops[detector.region].images, n_crops)
        for name, detector in settings.detectors.items()
    }
    parity = golden_parity(trained, settings, bundle, crops, tolerance=tolerance)
    if settings.locator is not None:
        size = settings.locator.size_px
        shrunk = np.stack([locator_input(frame, size) for frame in frames])
        parity |= golden_locator_parity(trained, settings, bundle, shrunk)

    require_parity(parity, tolerance=tolerance)
    return parity


def golden_parity(
    trained: Trained,
    settings: Settings,
    bundle: Path,
    crops: dict[str, Image],
    *,
    tolerance: float,
) -> dict[str, Parity]:
    """Parity of each detector with torch in each runtime, on val crops (N, H, W, C) by detector.

    A model that several detectors share, which see the same crops, runs once.
    """

    crops_of = {settings.detectors[name].file: crops[name] for name in crops}

    @cache
    def answered(runtime: str, file: str) -> list[Any]:
        return outputs_in(runtime, bundle / file, crops_of[file])

    reports = {}
    for name, images in crops.items():
        detector = settings.detectors[name]
        wanted = _in_torch(trained, name, images)
        # what is off by a hair may still tip a verdict: both are compared
        judged = partial(verdict_alone, name, settings=settings)
        for runtime in RUNTIMES:
            answers = answered(runtime, detector.file)
            got = Batch(*(answers[place] for place in detector.outputs))
            reports[f"{name} on {runtime}"] = detector_parity(
                wanted,
                got,
                detector,
                judged,
                size_px=settings.line.regions[detector.region].size_px,
                tolerance=tolerance,
            )
    return reports


def golden_locator_parity(
    trained: Trained, settings: Settings, bundle: Path, frames: Image
) -> dict[str, Parity]:
    """Parity of the locator with torch in each runtime, on frames (N, h, w) of its input size."""
    if trained.locator is None or settings.locator is None:
        return {}

    wanted = locate(trained.locator, frames)
    reports = {}
    for runtime in RUNTIMES:
        (got,) = outputs_in(runtime, bundle / settings.locator.file, frames)
        reports[f"locator on {runtime}"] = locator_parity(wanted, got)
    return reports


def _in_torch(trained: Trained, detector: str, images: Image) -> Batch:
    """What the trained model says, which is the reference."""
    if detector == CLASSIFIER:
        with torch.inference_mode():
            outputs = trained.classifier(torch.tensor(images))
        return Batch(*(output.numpy() for output in outputs))

    return Batch(*anomalies(trained.anomalies[detector], images))
