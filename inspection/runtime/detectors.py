"""A detector of the card: its model's file and region, and how its scores are calibrated.

`classifier` says which defect a crop shows. Beside it a line has one anomaly detector for each
region of `detect_anomalies`, which says how unlike a normal crop it is. What all say together is
the fused score, see inspection/runtime/fusion.py.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from inspection.geometry import Floats
from inspection.line import Frozen, Line
from inspection.runtime.views import DetectorOutput

CLASSIFIER, ANOMALY = "classifier", "anomaly"
# The score of all detectors together.
FUSED = "fused"
# Stands for infinity, which JSON cannot hold: scores are probabilities or standard
# deviations, and none comes near it. no outcome: any number beyond all scores will do.
BEYOND = 1e9
# Log-odds are cut off here: a float32 probability is rounded to about 1e-7, and below
# 1e-6 its logarithm is mostly rounding.
MIN_PROBABILITY = 1e-6
MAX_ODDS = math.log((1 - MIN_PROBABILITY) / MIN_PROBABILITY)

Scores = np.ndarray[Any, np.dtype[np.float64]]


class Thresholds(Frozen):
    """A score below `accept_below` passes, one above `reject_above` is rejected, else review."""

    accept_below: float
    reject_above: float

    def verdict(self, score: float) -> str:
        """The verdict on one score; a score that is not a number goes to review."""
        if score < self.accept_below:
            return "pass"

        return "reject" if score > self.reject_above else "review"


class HeatScale(Frozen):
    """The absolute scale of a heatmap: raw `cold` and below is 0, raw `hot` and above is 1.

    Both are calibrated on val. Heat from `box_threshold` (0..1) on is boxed.
    """

    cold: float
    hot: float
    box_threshold: float


class TemperatureScaling(Frozen):
    """Calibrates logits: the score is the probability of any defect, 0..1 (Guo et al. 2017)."""

    kind: Literal["temperature_scaling"] = "temperature_scaling"
    temperature: float = Field(gt=0)

    def scores(self, values: Any) -> Scores:
        """Scores (...) of logits (..., classes), the normal class first."""
        normal = probabilities_of(values, self.temperature)[..., 0]
        return 1.0 - normal.astype(np.float64)

    def summands(self, scores: Any) -> Scores:
        """Scores (...) on the scale on which the fused score adds them up: log-odds.

        Probabilities crowd at both ends, where a tenth of a per cent may be a part or nothing.
        """
        return log_odds(scores)


class StandardScore(Frozen):
    """Calibrates an anomaly score: in standard deviations above the mean of val normals."""

    kind: Literal["standard_score"] = "standard_score"
    mean: float
    std: float = Field(gt=0)

    def scores(self, values: Any) -> Scores:
        """Scores (...) of raw values (..., 1)."""
        raw = np.asarray(values, np.float64)[..., 0]
        return (raw - self.mean) / self.std

    def summands(self, scores: Any) -> Scores:
        """Scores (...) on the scale on which the fused score adds them up: as they are."""
        return np.asarray(scores, np.float64)


Calibration = Annotated[TemperatureScaling | StandardScore, Field(discriminator="kind")]


class DetectorModel(Frozen):
    """The exported model of a detector: its ONNX file in the bundle, and the region it reads.

    It takes crops (N, H, W, C) uint8, and gives values (N, ...) and raw heat (N, ..., h, w), at the
    two places of its answer that `outputs` names: detectors of one region may share a model.
    `classes` are those of its logits, the normal one first; empty where it names no defect.
    """

    file: str
    region: str
    classes: tuple[str, ...] = ()
    outputs: tuple[int, int] = (0, 1)

    def output(self, answer: Sequence[Any]) -> DetectorOutput:
        """What the detector says of a crop, by the answer of its model."""
        values, heat = (answer[place] for place in self.outputs)
        return DetectorOutput.of(values, heat)


class DetectorCard(DetectorModel):
    """A detector that is ready to judge. `evidence` tells how its model or its heat was chosen.

    `thresholds` are what it decides by on its own, besides the fused score; None where nothing.
    """

    calibration: Calibration
    thresholds: Thresholds | None
    heat: HeatScale
    evidence: dict[str, Any]

    def score(self, output: DetectorOutput) -> float:
        """How suspicious a crop is; higher is more suspicious."""
        return float(self.calibration.scores(output.values))

    def probabilities(self, output: DetectorOutput) -> dict[str, float]:
        """The calibrated probability of each class; none where the detector names no defect."""
        if not isinstance(self.calibration, TemperatureScaling):
            return {}

        values = probabilities_of(output.values, self.calibration.temperature)
        return {
            name: float(value) for name, value in zip(self.classes, values, strict=True)
        }

    def likeliest_defect(self, output: DetectorOutput) -> str | None:
        """The defect that the model takes this for, if anything; None where it names none."""
        return self.classes[1 + output.likeliest_map] if self.classes else None


Detectors = Mapping[str, DetectorCard]


def anomaly_regions(line: Line) -> dict[str, str]:
    """The region of each anomaly detector, by the detector's name.

    One alone is called `anomaly`; several are `anomaly_<region>` each.
    """
    regions = line.detect_anomalies
    if len(regions) == 1:
        return {ANOMALY: regions[0]}

    return {f"{ANOMALY}_{region}": region for region in regions}


def detector_names(line: Line) -> tuple[str, ...]:
    """The detectors of a line in the order in which their scores are shown."""
    return (CLASSIFIER, *anomaly_regions(line))


def detector_folders(line: Line, *, classifier: Path, anomaly: Path) -> dict[str, Path]:
    """Where each detector was fitted: in `classifier`, and by region in a folder of `anomaly`."""
    folders = {CLASSIFIER: classifier}
    for name, region in anomaly_regions(line).items():
        folders[name] = anomaly / region
    return folders


def score_names(line: Line) -> tuple[str, ...]:
    """All scores of a view in the order in which they are shown, the fused one first."""
    return (FUSED, *detector_names(line))


def log_odds(probabilities: Any) -> Scores:
    """Log-odds (...) of probabilities (...), cut off at MAX_ODDS."""
    kept = np.clip(probabilities, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.asarray(np.log(kept / (1 - kept)), np.float64)


def probabilities_of(logits: Any, temperature: float) -> Floats:
    """Calibrated class probabilities of logits (..., classes)."""
    cooled = np.asarray(logits, np.float64) / temperature
    cooled -= cooled.max(axis=-1, keepdims=True)
    odds = np.exp(cooled)
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True), np.float32)
