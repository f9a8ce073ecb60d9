"""From what the models see to a verdict: scores, thresholds, the defect's name and its boxes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inspection.geometry import Box, CropWindow, Floats
from inspection.runtime.bundle import Card, HeatScale, Thresholds
from inspection.runtime.heat import hot_boxes, scaled
from inspection.runtime.views import ViewOutputs

VERDICTS = ("pass", "review", "reject")
DETECTORS = ("classifier", "anomaly")
UNKNOWN_DEFECT = "anomaly"
NOT_SEEN = "not_seen"
PEAK_SHARES = (0.9, 0.8, 0.7, 0.6, 0.5)


Levels = np.ndarray[Any, np.dtype[np.int64]]
Scores = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class DefectBox:
    """Where a defect is, in pixels of the original frame, and how hot it is there (0..1)."""

    box: Box
    region: str
    found_by: str
    heat: float


@dataclass(frozen=True)
class ViewVerdict:
    """The verdict on one view. `scores` is per channel, higher = more suspicious.

    `heat` holds, per channel, the heatmap (h, w) on the absolute scale over the region's window.
    """

    name: str
    sha256: str
    verdict: str
    label: str
    scores: dict[str, float]
    verdicts: dict[str, str]
    probabilities: dict[str, float]
    boxes: list[DefectBox]
    reasons: list[str]
    windows: dict[str, CropWindow] = field(default_factory=dict)
    heat: dict[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class PartVerdict:
    """The verdict on a part: that of its worst view, which names the defect and its cause.

    `label` is a class of the line, `anomaly` for a defect without a name, or `not_seen` where a
    region was not found and nothing else is wrong.
    """

    verdict: str
    label: str
    cause: str
    worst_view: str
    views: list[ViewVerdict]


def probabilities_of(logits: Any, temperature: float) -> Floats:
    """Calibrated class probabilities of logits (..., classes)."""
    cooled = np.asarray(logits, np.float64) / temperature
    cooled -= cooled.max(axis=-1, keepdims=True)
    odds = np.exp(cooled)
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True), np.float32)


def scores_of(seen: ViewOutputs, card: Card) -> dict[str, float]:
    """The score of each channel that saw its region: P(defect), and the anomaly in normals' std."""
    scores = {}
    if seen.logits is not None:
        scores["classifier"] = 1.0 - float(
            probabilities_of(seen.logits, card.classifier.temperature)[0]
        )
    if seen.raw_anomaly is not None:
        scores["anomaly"] = (seen.raw_anomaly - card.anomaly.mean) / card.anomaly.std
    return scores


def judge_part(views: Sequence[ViewOutputs], card: Card) -> PartVerdict:
    """The verdict on a part from what was seen in its views."""
    judged = [judge_view(seen, card) for seen in views]
    verdict = worst([view.verdict for view in judged])
    guilty = max((view for view in judged if view.verdict == verdict), key=_guilt)
    cause = card.line.causes.get(guilty.label, "")
    return PartVerdict(verdict, guilty.label, cause, guilty.name, judged)


def judge_view(seen: ViewOutputs, card: Card) -> ViewVerdict:
    """The verdict on one view: the worst of its channels; an unseen region goes to review."""
    scores = scores_of(seen, card)
    limits = {
        "classifier": card.classifier.thresholds,
        "anomaly": card.anomaly.thresholds,
    }
    verdicts = {name: limits[name].verdict(score) for name, score in scores.items()}
    reasons = [
        f"{name}: score {scores[name]:.3f} calls for {verdict}"
        for name, verdict in verdicts.items()
        if verdict != "pass"
    ]
    for region in sorted(
        {card.line.classify, card.line.detect_anomalies} - set(seen.windows)
    ):
        verdicts[f"no {region}"] = "review"
        reasons.append(
            f"{region}: not found in the frame; look at it, or photograph it again"
        )
    probabilities = _probabilities(seen, card)
    heat = _heat(seen, card, probabilities)
    return ViewVerdict(
        name=seen.name,
        sha256=seen.sha256,
        verdict=worst(list(verdicts.values())),
        label=_label(verdicts, probabilities, card),
        scores=scores,
        verdicts=verdicts,
        probabilities=probabilities,
        boxes=_boxes(seen, card, heat, verdicts),
        reasons=reasons,
        windows=seen.windows,
        heat=heat,
    )


def _decisive(verdicts: dict[str, str]) -> str | None:
    """The channel that calls for the worst verdict; the classifier where both do: it knows names.

    None where every channel passes, or where only a region that was not found calls for review.
    """
    severity = worst(list(verdicts.values()))
    calls = (name for name in DETECTORS if verdicts.get(name) == severity)
    return next(calls, None) if severity != "pass" else None


def _guilt(view: ViewVerdict) -> tuple[int, float]:
    """Orders views of one verdict: by the channel that decides, then by that channel's score."""
    channel = _decisive(view.verdicts)
    if channel is None:
        return 0, 0.0
    return len(DETECTORS) - DETECTORS.index(channel), view.scores[channel]


def _probabilities(seen: ViewOutputs, card: Card) -> dict[str, float]:
    if seen.logits is None:
        return {}
    values = probabilities_of(seen.logits, card.classifier.temperature)
    return dict(zip(card.classifier.classes, (float(v) for v in values), strict=True))


def _label(
    verdicts: dict[str, str], probabilities: dict[str, float], card: Card
) -> str:
    decisive = _decisive(verdicts)
    if decisive == "classifier":
        defects = {
            name: p for name, p in probabilities.items() if name != card.line.normal
        }
        return max(defects, key=lambda name: defects[name])
    if decisive == "anomaly":
        shown = card.line.regions[card.line.detect_anomalies].shows
        return shown[0] if len(shown) == 1 else UNKNOWN_DEFECT
    return card.line.normal if worst(list(verdicts.values())) == "pass" else NOT_SEEN


def _heat(
    seen: ViewOutputs, card: Card, probabilities: dict[str, float]
) -> dict[str, Floats]:
    heat = {}
    if seen.raw_heat is not None:
        defects = [name for name in card.classifier.classes if name != card.line.normal]
        likeliest = max(range(len(defects)), key=lambda i: probabilities[defects[i]])
        heat["classifier"] = _scaled(seen.raw_heat[likeliest], card.classifier.heat)
    if seen.raw_map is not None:
        heat["anomaly"] = _scaled(seen.raw_map, card.anomaly.heat)
    return heat


def _scaled(raw: Floats, scale: HeatScale) -> Floats:
    return scaled(raw, scale.cold, scale.hot)


def _boxes(
    seen: ViewOutputs, card: Card, heat: dict[str, Floats], verdicts: dict[str, str]
) -> list[DefectBox]:
    regions = {"classifier": card.line.classify, "anomaly": card.line.detect_anomalies}
    limits = {"classifier": card.classifier.heat, "anomaly": card.anomaly.heat}
    boxes = []
    for channel, values in heat.items():
        if verdicts[channel] == "pass":
            continue
        window = seen.windows[regions[channel]]
        found = hot_boxes(values, window.size_px, limits[channel].box_threshold)
        for box, peak in found or _hottest(seen, channel, values, window.size_px):
            placed = window.to_frame(box).clipped(*seen.frame_size_px)
            if min(placed.width_px, placed.height_px) >= 1:
                boxes.append(
                    DefectBox(placed, regions[channel], channel, round(peak, 4))
                )
    return boxes


def _hottest(
    seen: ViewOutputs, channel: str, values: Floats, size_px: tuple[int, int]
) -> list[tuple[Box, float]]:
    """The place that a channel finds worst where nothing is hot on the absolute scale.

    A verdict that is no pass says where to look; its heat tells that there is little to see.
    """
    raw = (
        seen.raw_map
        if channel == "anomaly"
        else np.max(np.asarray(seen.raw_heat), axis=0)
    )
    if raw is None or not np.max(raw) > 0:
        return []
    for share in PEAK_SHARES:
        found = hot_boxes(np.asarray(raw / np.max(raw), np.float32), size_px, share)
        if found:
            return [(found[0][0], float(values.max()))]
    return []


def worst(verdicts: Sequence[str]) -> str:
    """The most severe of some verdicts.

    >>> worst(["pass", "reject", "review"])
    'reject'
    """
    return max(verdicts, key=VERDICTS.index)


def decide(scores: Scores, thresholds: Sequence[Thresholds]) -> list[str]:
    """The verdict on each part (parts, channels): the worst of its channels.

    A channel that did not see a part has a NaN score, and calls for review.
    """
    levels = np.zeros(len(scores), np.int64)
    for column, limits in zip(scores.T, thresholds, strict=True):
        levels = np.maximum(levels, _levels(column, limits))
    return [VERDICTS[level] for level in levels]


def _levels(scores: Scores, limits: Thresholds) -> Levels:
    passes, rejects = scores < limits.accept_below, scores > limits.reject_above
    return np.where(passes, 0, np.where(rejects, 2, 1))
