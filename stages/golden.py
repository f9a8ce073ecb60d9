"""Golden crops: val crops on which every runtime must agree with torch."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inspection.evaluation.parity import Parity, compare
from inspection.geometry import Floats, Image, box_from_mask, locator_input
from inspection.line import Line
from inspection.models.anomaly import anomalies
from inspection.models.crops import load_crops
from inspection.models.locator import locate
from inspection.runtime.bundle import Card
from inspection.runtime.heat import scaled
from inspection.runtime.verdict import probabilities_of
from stages.graphs import Trained

RUNTIMES = ("onnxruntime", "openvino")


def golden_parity(
    trained: Trained, folder: Path, line: Line, card: Card, bundle: Path, n_crops: int
) -> dict[str, Parity]:
    """Parity of each runtime's classifier and anomaly model with torch, on val crops."""
    reports: dict[str, Parity] = {}
    crops = _golden(folder, line.classify, n_crops)
    with torch.inference_mode():
        wanted = [value.numpy() for value in trained.classifier(torch.tensor(crops))]
    for runtime in RUNTIMES:
        got = run(runtime, bundle / card.classifier.file, crops)
        reports[f"classifier on {runtime}"] = _classifier_parity(wanted, got, card)
    crops = _golden(folder, line.detect_anomalies, n_crops)
    wanted = list(anomalies(trained.anomaly, crops))
    for runtime in RUNTIMES:
        got = run(runtime, bundle / card.anomaly.file, crops)
        reports[f"anomaly on {runtime}"] = _anomaly_parity(wanted, got, card)
    return reports


def locator_parity(
    trained: Trained, card: Card, bundle: Path, frames: Iterable[Image]
) -> dict[str, Parity]:
    """Parity of each runtime's locator with torch on val frames: what it finds, and where.

    The score is the probability of a cell; `heat_difference` is how far the edges of a box lie
    apart, as a fraction of the frame; a frame is flipped when a region is found by one alone.
    """
    if trained.locator is None or card.locator is None:
        return {}
    size = card.locator.size_px
    shrunk = np.stack([locator_input(frame, size) for frame in frames])
    wanted = locate(trained.locator, shrunk)
    edges, found = _boxes(wanted)
    reports = {}
    for runtime in RUNTIMES:
        (got,) = run(runtime, bundle / card.locator.file, shrunk)
        got_edges, got_found = _boxes(got)
        reports[f"locator on {runtime}"] = compare(
            wanted, got, edges, got_edges, found, got_found
        )
    return reports


def _boxes(maps: Floats) -> tuple[Any, Any]:
    """Of each region in each frame the edges of its box, as fractions of the frame, and whether
    it was found; the edges are zeros where it was not."""
    boxes = [[box_from_mask(one, (1, 1)) for one in regions] for regions in maps]
    edges = [
        [tuple(vars(one[0]).values()) if one else (0.0,) * 4 for one in regions]
        for regions in boxes
    ]
    return edges, [[one is not None for one in regions] for regions in boxes]


def run(runtime: str, graph: Path, crops: Image) -> list[Any]:
    """The outputs of a graph on images (N, ...), one at a time as the service does."""
    if runtime == "openvino":
        import openvino

        compiled = openvino.Core().compile_model(
            graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )
        rows = [list(compiled(crop[None]).values()) for crop in crops]
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(
            graph, providers=["CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
        rows = [session.run(None, {name: crop[None]}) for crop in crops]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def _golden(folder: Path, region: str, n_crops: int) -> Image:
    val = load_crops(folder, region).in_fold("val")
    rows = np.linspace(0, len(val) - 1, min(n_crops, len(val))).round().astype(int)
    return np.array(val.images[rows])


def _classifier_parity(wanted: list[Any], got: list[Any], card: Card) -> Parity:
    settings = card.classifier
    scores = [1 - probabilities_of(logits, settings.temperature)[:, 0] for logits in
              (wanted[0], got[0])]  # fmt: skip
    heat = [
        scaled(raw, settings.heat.cold, settings.heat.hot)
        for raw in (wanted[1], got[1])
    ]
    verdicts = [[settings.thresholds.verdict(score) for score in row] for row in scores]
    return compare(scores[0], scores[1], heat[0], heat[1], verdicts[0], verdicts[1])


def _anomaly_parity(wanted: list[Any], got: list[Any], card: Card) -> Parity:
    settings = card.anomaly
    scores = [(raw - settings.mean) / settings.std for raw in (wanted[0], got[0])]
    heat = [
        scaled(raw, settings.heat.cold, settings.heat.hot)
        for raw in (wanted[1], got[1])
    ]
    verdicts = [[settings.thresholds.verdict(score) for score in row] for row in scores]
    return compare(scores[0], scores[1], heat[0], heat[1], verdicts[0], verdicts[1])
