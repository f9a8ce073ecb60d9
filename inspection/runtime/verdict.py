"""From what was measured to a verdict: scores, thresholds, the defect's name and its boxes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inspection.geometry import CropWindow, Floats
from inspection.runtime.bundle import Settings
from inspection.runtime.defect_boxes import DefectBox, defect_boxes, heat_of
from inspection.runtime.detectors import CLASSIFIER, FUSED, Scores, Thresholds
from inspection.runtime.fusion import as_probability
from inspection.runtime.views import ViewOutputs

# From the mildest to the most severe.
VERDICTS = ("pass", "review", "reject")
# What a defect is called that has no name, and a part of which a region was not found.
UNKNOWN_DEFECT = "anomaly"
NOT_FOUND = "not_found"

Levels = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class ViewVerdict:
    """The verdict on one view. `scores` are the fused one and those of the detectors, higher =
    more suspicious.

    `verdicts` is by score that has thresholds; a region that was not found adds one that calls for
    review.
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
    worst_view = max(deciding, key=_suspicion)
    return PartVerdict(
        verdict=verdict,
        label=worst_view.label,
        cause=settings.line.causes.get(worst_view.label, ""),
        worst_view=worst_view.name,
        views=judged,
    )


def judge_view(outputs: ViewOutputs, settings: Settings) -> ViewVerdict:
    """The verdict on one view: what the fused score calls for, or worse.

    A detector with thresholds of its own may call for a review on its own; so does a region that
    was not found.
    """
    scores = scores_of(outputs, settings)
    verdicts = {
        name: limits.verdict(scores[name])
        for name, limits in settings.thresholds.items()
        if name in scores
    }
    fused_by = _fused_by(scores, verdicts, settings)
    suspects = _suspects(fused_by, verdicts, settings)
    reasons = [
        _reason(name, verdict, scores[name], settings, fused_by)
        for name, verdict in verdicts.items()
        if verdict != "pass"
    ]
    for region in regions_not_found(outputs, settings):
        verdicts[f"no {region}"] = "review"
        reasons.append(
            f"{region}: not found in the frame; look at it, or photograph it again"
        )

    verdict = worst(list(verdicts.values()))
    return ViewVerdict(
        name=outputs.name,
        sha256=outputs.sha256,
        verdict=verdict,
        label=_label(outputs, verdict, suspects, settings),
        scores=scores,
        verdicts=verdicts,
        probabilities=_probabilities(outputs, settings),
        boxes=[
            box
            for name in suspects
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
    """The fused score, and that of each detector whose region was found; none where none was."""
    scores = {
        name: detector.score(outputs.detectors[name])
        for name, detector in settings.detectors.items()
        if name in outputs.detectors
    }
    if not scores:
        return {}

    return {FUSED: settings.fusion.score(_summands(scores, settings))} | scores


def verdict_alone(name: str, score: float, *, settings: Settings) -> str:
    """The verdict that one detector's score calls for where the others say what is usual."""
    summand = settings.detectors[name].calibration.summands(score)
    fused = as_probability(settings.fusion.odds_alone(name, summand))
    verdicts = [settings.fusion.thresholds.verdict(float(fused))]
    own = settings.detectors[name].thresholds
    return worst(verdicts if own is None else [*verdicts, own.verdict(score)])


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
    """The verdict on each part, by scores (parts, thresholds): the worst that one calls for.

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


def _summands(scores: dict[str, float], settings: Settings) -> dict[str, float]:
    """The score of each detector on the scale on which the fused one adds them up."""
    return {
        name: float(detector.calibration.summands(scores[name]))
        for name, detector in settings.detectors.items()
        if name in scores
    }


def _fused_by(
    scores: dict[str, float], verdicts: dict[str, str], settings: Settings
) -> list[str]:
    """The detectors that the fused score's suspicion rests on; none where it has none."""
    if verdicts.get(FUSED, "pass") == "pass":
        return []

    return settings.fusion.suspects(_summands(scores, settings))


def _suspects(
    fused_by: Sequence[str], verdicts: dict[str, str], settings: Settings
) -> list[str]:
    """The detectors that suspect something, the one that names it first."""
    own = [name for name in settings.detectors if verdicts.get(name, "pass") != "pass"]
    return [*fused_by, *(name for name in own if name not in fused_by)]


def _reason(
    name: str, verdict: str, score: float, settings: Settings, fused_by: Sequence[str]
) -> str:
    """Why a score calls for a verdict, in words."""
    limits = settings.thresholds[name]
    side, limit = "not below", limits.accept_below
    if verdict == "reject":
        side, limit = "above", limits.reject_above

    reason = f"{name}: score {score:.3f}, {side} {limit:.3f}: {verdict}"
    if name != FUSED:
        return reason

    return f"{reason}, by what {' and '.join(fused_by)} found"


def _suspicion(view: ViewVerdict) -> float:
    """Orders views of one verdict: by the fused score, those that lack a region last."""
    return view.scores.get(FUSED, -1.0)


def _probabilities(outputs: ViewOutputs, settings: Settings) -> dict[str, float]:
    output = outputs.detectors.get(CLASSIFIER)
    return {} if output is None else settings.classifier.probabilities(output)


def _label(
    outputs: ViewOutputs, verdict: str, suspects: Sequence[str], settings: Settings
) -> str:
    """What a view shows: the defect that is named by the first suspecting detector that can.

    A classifier names one, and an anomaly detector where its region shows only one.
    """
    if not suspects:
        return settings.line.normal if verdict == "pass" else NOT_FOUND

    named = (_named_by(name, outputs, settings) for name in suspects)
    return next((name for name in named if name is not None), UNKNOWN_DEFECT)


def _named_by(name: str, outputs: ViewOutputs, settings: Settings) -> str | None:
    """What a detector calls the defect that it suspects; None where it has no name for it."""
    detector = settings.detectors[name]
    shown = settings.line.regions[detector.region].shows
    only = shown[0] if len(shown) == 1 else None
    return detector.likeliest_defect(outputs.detectors[name]) or only
