"""From what was measured to a verdict: scores, thresholds, the defect's name and its boxes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inspection.geometry import CropWindow, Floats
from inspection.runtime.bundle import Settings
from inspection.runtime.defect_boxes import DefectBox, defect_boxes, heat_of
from inspection.runtime.detectors import CLASSIFIER, Scores, Thresholds
from inspection.runtime.views import ViewOutputs

# From the mildest to the most severe.
VERDICTS = ("pass", "review", "reject")
# What a defect is called that has no name, and a part of which a region was not found.
UNKNOWN_DEFECT = "anomaly"
NOT_FOUND = "not_found"

Levels = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class ViewVerdict:
    """The verdict on one view. `scores` is by detector, higher = more suspicious.

    `verdicts` is by detector; a region that was not found adds one that calls for review.
    `heat` holds, by detector, the heatmap (h, w), 0..1 on the absolute scale, over the region's
    window.
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

    `label` is a class of the line, `anomaly` for a defect without a name, or `not_found` where a
    region was not found and nothing else is wrong.
    """

    verdict: str
    label: str
    cause: str
    worst_view: str
    views: list[ViewVerdict]


def judge_part(views: Sequence[ViewOutputs], settings: Settings) -> PartVerdict:
    """The verdict on a part from what was measured in its views."""
    judged = [judge_view(outputs, settings) for outputs in views]
    verdict = worst([view.verdict for view in judged])

    deciding = [view for view in judged if view.verdict == verdict]
    worst_view = max(deciding, key=lambda view: _suspicion(view, settings))
    return PartVerdict(
        verdict=verdict,
        label=worst_view.label,
        cause=settings.line.causes.get(worst_view.label, ""),
        worst_view=worst_view.name,
        views=judged,
    )


def judge_view(outputs: ViewOutputs, settings: Settings) -> ViewVerdict:
    """The verdict on one view: the worst of its detectors'; a region not found goes to review."""
    scores = scores_of(outputs, settings)
    verdicts = {
        name: settings.detectors[name].thresholds.verdict(score)
        for name, score in scores.items()
    }
    reasons = [
        f"{name}: score {scores[name]:.3f} calls for {verdict}"
        for name, verdict in verdicts.items()
        if verdict != "pass"
    ]
    for region in regions_not_found(outputs, settings):
        verdicts[f"no {region}"] = "review"
        reasons.append(
            f"{region}: not found in the frame; look at it, or photograph it again"
        )

    suspected = [name for name in scores if verdicts[name] != "pass"]
    return ViewVerdict(
        name=outputs.name,
        sha256=outputs.sha256,
        verdict=worst(list(verdicts.values())),
        label=_label(outputs, verdicts, settings),
        scores=scores,
        verdicts=verdicts,
        probabilities=_probabilities(outputs, settings),
        boxes=[
            box
            for name in suspected
            for box in defect_boxes(outputs, name, settings.detectors[name])
        ],
        reasons=reasons,
        windows=outputs.windows,
        heat={
            name: heat_of(output, settings.detectors[name])
            for name, output in outputs.detectors.items()
        },
    )


def scores_of(outputs: ViewOutputs, settings: Settings) -> dict[str, float]:
    """The score of each detector whose region was found."""
    return {
        name: detector.score(outputs.detectors[name])
        for name, detector in settings.detectors.items()
        if name in outputs.detectors
    }


def regions_not_found(outputs: ViewOutputs, settings: Settings) -> list[str]:
    """The regions that a detector reads and that were not found in the frame, by name."""
    wanted = {detector.region for detector in settings.detectors.values()}
    return sorted(wanted - set(outputs.windows))


def worst(verdicts: Sequence[str]) -> str:
    """The most severe of some verdicts.

    >>> worst(["pass", "reject", "review"])
    'reject'
    """
    return max(verdicts, key=VERDICTS.index)


def decide(scores: Scores, thresholds: Sequence[Thresholds]) -> list[str]:
    """The verdict on each part (parts, detectors): the worst of its detectors'.

    A NaN score, of a part of which a view lacks the region, calls for review.
    """
    levels = np.zeros(len(scores), np.int64)
    for column, limits in zip(scores.T, thresholds, strict=True):
        levels = np.maximum(levels, _levels(column, limits))
    return [VERDICTS[level] for level in levels]


def _levels(scores: Scores, limits: Thresholds) -> Levels:
    """The place in VERDICTS of each score's verdict."""
    passes = scores < limits.accept_below
    rejects = scores > limits.reject_above
    return np.where(passes, 0, np.where(rejects, 2, 1))


def _deciding_detector(verdicts: dict[str, str], settings: Settings) -> str | None:
    """The detector that calls for the worst verdict; the classifier where both do: it knows names.

    None where every detector passes, or where only a region that was not found calls for review.
    """
    severity = worst(list(verdicts.values()))
    if severity == "pass":
        return None

    for name in settings.detectors:
        if verdicts.get(name) == severity:
            return name
    return None


def _suspicion(view: ViewVerdict, settings: Settings) -> tuple[int, float]:
    """Orders views of one verdict: by the detector that decides, then by that detector's score."""
    detector = _deciding_detector(view.verdicts, settings)
    if detector is None:
        return 0, 0.0

    names = list(settings.detectors)
    return len(names) - names.index(detector), view.scores[detector]


def _probabilities(outputs: ViewOutputs, settings: Settings) -> dict[str, float]:
    output = outputs.detectors.get(CLASSIFIER)
    return {} if output is None else settings.classifier.probabilities(output)


def _label(outputs: ViewOutputs, verdicts: dict[str, str], settings: Settings) -> str:
    """What a view shows: the defect that the deciding detector names."""
    name = _deciding_detector(verdicts, settings)
    if name is None:
        is_good = worst(list(verdicts.values())) == "pass"
        return settings.line.normal if is_good else NOT_FOUND

    detector = settings.detectors[name]
    defect = detector.likeliest_defect(outputs.detectors[name])
    if defect is not None:
        return defect

    shown = settings.line.regions[detector.region].shows
    return shown[0] if len(shown) == 1 else UNKNOWN_DEFECT
