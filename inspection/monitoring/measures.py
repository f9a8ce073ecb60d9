"""What is watched of a part: how its regions look, its scores, its verdict."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inspection.runtime.verdict_log import LoggedPart, LoggedView

NO_CAMERA = "-"
# The usual parts of a release: the values of each measure, by camera.
Usual = Mapping[str, Mapping[str, Sequence[float]]]


@dataclass(frozen=True)
class Seen:
    """One part as the tests see it: when it was answered, its lot if any, and its measures."""

    at: str
    lot: str
    measures: Mapping[str, float]


def seen_of(part: LoggedPart) -> Seen:
    """A logged part as the tests see it."""
    return Seen(part.answered_at, lot_of(part.request_id), measures(part))


def measures(part: LoggedPart) -> dict[str, float]:
    """What of a part is watched: its looks, its scores, and its verdict."""
    rates = {
        "rate of parts not passed": float(part.verdict != "pass"),
        "rate of parts rejected": float(part.verdict == "reject"),
    }
    return looks_of(part.views) | rates


def looks_of(views: Sequence[LoggedView]) -> dict[str, float]:
    """Means over the views of a part, and the highest of each score."""
    found: dict[str, list[float]] = defaultdict(list)
    for view in views:
        for name, value in _looks(view).items():
            found[name].append(value)
    looks = {name: float(np.mean(values)) for name, values in found.items()}

    scores: dict[str, float] = {}
    for view in views:
        for detector, score in view.scores.items():
            name = f"score of {detector}"
            scores[name] = max(score, scores.get(name, score))
    return looks | scores


def lot_of(request_id: str) -> str:
    """The lot of a part: parts that were sent together are numbered `<request>.<number>`.

    >>> lot_of("4711.3"), lot_of("4711")
    ('4711', '')
    """
    return request_id.rpartition(".")[0]


def _looks(view: LoggedView) -> dict[str, float]:
    found: dict[str, float] = {}
    for region, look in view.regions.items():
        found[f"brightness of {region}"] = look.brightness
        found[f"focus of {region}"] = look.focus
        found[f"place of {region} across (px)"] = look.x_px + look.width_px / 2
        found[f"place of {region} down (px)"] = look.y_px + look.height_px / 2
        found[f"size of {region} (px)"] = (look.width_px * look.height_px) ** 0.5
    # the classifier's logits and the mean heat of each defect, in the order of the verdict log
    for number, value in enumerate(view.embedding, start=1):
        found[f"embedding {number}"] = value
    return found
