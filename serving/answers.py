"""The answers of the service, as JSON."""

import base64
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from pydantic import BaseModel

from inspection.geometry import CropWindow, Image
from inspection.images import ImageError
from inspection.runtime.bundle import Card
from inspection.runtime.detectors import Thresholds
from inspection.runtime.heat import overlay
from inspection.runtime.heat_recipes import heat_recipe
from inspection.runtime.inspector import Inspector
from inspection.runtime.recording import box_fields
from inspection.runtime.verdict import PartVerdict, ViewVerdict, judge_part
from inspection.runtime.views import View, ViewOutputs
from serving.champion import Served
from serving.refusals import RefusedError


class BoxAnswer(BaseModel):
    """Where a defect is, in pixels of the frame; `heat` is its peak on the absolute scale, 0..1."""

    x_px: float
    y_px: float
    width_px: float
    height_px: float
    region: str
    found_by: str
    heat: float


class RegionAnswer(BaseModel):
    """The window of the frame, in pixels, that a region's crop shows; `turned`: upside down."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    turned: bool


class ViewAnswer(BaseModel):
    """The verdict on one view, with all that it rests on.

    `scores` are `fused`, of all detectors together, 0..1, and those of the detectors; a higher one
    is more suspicious. `verdicts` and `thresholds` are of the scores that decide.
    `heatmaps` are PNG pictures of each detector's crop in base64, where asked for, and
    `heat_recipes` how each of them was made.
    """

    name: str
    sha256: str
    width_px: int
    height_px: int
    verdict: str
    label: str
    scores: dict[str, float]
    verdicts: dict[str, str]
    thresholds: dict[str, Thresholds]
    probabilities: dict[str, float]
    regions: dict[str, RegionAnswer]
    boxes: list[BoxAnswer]
    reasons: list[str]
    heatmaps: dict[str, str] | None = None
    heat_recipes: dict[str, str] | None = None


class ModelAnswer(BaseModel):
    """Which model judged."""

    line: str
    version: str
    release: str
    card_sha256: str


class PartAnswer(BaseModel):
    """The verdict on a part: that of its worst view. `request_id` names it in the verdict log."""

    request_id: str
    part_id: str | None = None
    verdict: str
    label: str
    cause: str
    worst_view: str
    views: list[ViewAnswer]
    model: ModelAnswer


class LotAnswer(BaseModel):
    """The verdicts on several parts, in the order in which they were sent."""

    parts: list[PartAnswer]


@dataclass(frozen=True)
class Inspected:
    """A part as it was judged, and what the models saw in each of its views."""

    part: PartVerdict
    seen: list[ViewOutputs]


def inspect(served: Served, views: Sequence[View], *, deadline_s: float) -> Inspected:
    """Inspect the views of a part, one after the other until `deadline_s` (of time.monotonic).

    Raises RefusedError where one of them cannot be decoded, or time is up.
    """
    seen = _see_all(served.inspector, views, deadline_s)
    return Inspected(judge_part(seen, served.inspector.card), seen)


def part_answer(
    served: Served,
    found: Inspected,
    *,
    request_id: str,
    part_id: str | None,
    heatmap: bool,
) -> PartAnswer:
    """The answer on an inspected part."""
    card = served.inspector.card
    views = []
    for seen, view in zip(found.seen, found.part.views, strict=True):
        heatmaps = _heatmaps(seen, view, card) if heatmap else None
        views.append(_view(seen, view, card, heatmaps))

    return PartAnswer(
        request_id=request_id,
        part_id=part_id,
        **_head(found.part),
        views=views,
        model=ModelAnswer(
            line=card.line.name,
            version=card.version,
            release=served.release,
            card_sha256=served.card_sha256,
        ),
    )


def _see_all(
    inspector: Inspector, views: Sequence[View], deadline_s: float
) -> list[ViewOutputs]:
    seen, problems = [], []
    for view in views:
        if time.monotonic() > deadline_s:
            raise RefusedError(
                504, "timeout", "inspecting took too long; send fewer or smaller views"
            )
        try:
            seen.append(inspector.measure(view))
        except ImageError as error:
            problems.append((error.code, f"{view.name}: {error}"))

    if problems:
        status = 413 if problems[0][0] == "too_large" else 422
        raise RefusedError(
            status, problems[0][0], "\n".join(message for _, message in problems)
        )
    return seen


def _head(part: PartVerdict) -> dict[str, str]:
    return {
        key: getattr(part, key) for key in ("verdict", "label", "cause", "worst_view")
    }


def _view(
    seen: ViewOutputs, view: ViewVerdict, card: Card, heatmaps: dict[str, str] | None
) -> ViewAnswer:
    return ViewAnswer(
        name=view.name,
        sha256=view.sha256,
        width_px=seen.frame_size_px[0],
        height_px=seen.frame_size_px[1],
        verdict=view.verdict,
        label=view.label,
        scores=view.scores,
        verdicts=view.verdicts,
        thresholds={
            name: limits
            for name, limits in card.thresholds.items()
            if name in view.scores
        },
        probabilities=view.probabilities,
        regions={name: _region(window) for name, window in seen.windows.items()},
        boxes=[BoxAnswer(**box_fields(found)) for found in view.boxes],
        reasons=view.reasons,
        heatmaps=heatmaps,
        heat_recipes=None if heatmaps is None else _heat_recipes(heatmaps, card),
    )


def _region(window: CropWindow) -> RegionAnswer:
    return RegionAnswer(
        x_px=window.x_px,
        y_px=window.y_px,
        width_px=window.width_px,
        height_px=window.height_px,
        turned=window.turned,
    )


def _heatmaps(outputs: ViewOutputs, view: ViewVerdict, card: Card) -> dict[str, str]:
    return {
        name: _png(overlay(outputs.crops[card.detectors[name].region], heat))
        for name, heat in view.heat.items()
    }


def _heat_recipes(names: Iterable[str], card: Card) -> dict[str, str]:
    return {name: heat_recipe(card.detectors[name]) for name in names}


def _png(rgb: Image) -> str:
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(rgb[:, :, ::-1]))
    return base64.b64encode(encoded.tobytes()).decode("ascii")
