"""Heat of one crop by the deployed graph and by every recipe that stage evaluate_cam has tried.

The deployed graph needs no torch; the other recipes load the classifier of the last run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from dashboard.pictures import ORANGE, rgb
from inspection.errors import InspectionError
from inspection.geometry import Floats, Image
from inspection.runtime.bundle import Card
from inspection.runtime.detectors import CLASSIFIER
from inspection.runtime.heat import hot_boxes, overlay, scaled
from inspection.runtime.views import DetectorOutput

LIKELIEST = "likeliest defect"


@dataclass(frozen=True)
class Recipe:
    """A CAM method on a layer, with the absolute scale that it was given on val."""

    method: str
    layer: str
    cold: float
    hot: float
    score: float

    @property
    def name(self) -> str:
        """What the choice and the address say."""
        return f"{self.method} on {self.layer}"


@dataclass(frozen=True)
class Shown:
    """Heat (h, w) 0..1 over a crop, drawn with boxes around what is hot, and what it comes to."""

    picture: Image
    heat: Floats
    n_boxes: int

    @property
    def peak(self) -> float:
        """The hottest place, 0..1."""
        return float(self.heat.max())


def recipes_of(table: Path) -> list[Recipe]:
    """The recipes of stage evaluate_cam, the best first; none where it has not run."""
    if not table.is_file():
        return []
    columns = ["method", "layer", "cold", "hot", "score"]
    rows = pd.read_csv(table)[columns].to_dict("records")
    return [
        Recipe(
            str(row["method"]),
            str(row["layer"]),
            row["cold"],
            row["hot"],
            row["score"],
        )
        for row in rows
    ]


def deployed_heat(output: DetectorOutput, card: Card, label: str) -> Floats:
    """The heat of a class, or of the likeliest defect, by the graph that serves."""
    scale = card.detectors[CLASSIFIER].heat
    return scaled(output.heat[_map_of(output, card, label)], scale.cold, scale.hot)


def recipe_heats(
    classifier: Path, crop: Image, output: DetectorOutput, card: Card, label: str
) -> dict[tuple[str, str], Floats]:
    """Raw heat by (method, layer) for a class of one crop; one pass serves all recipes."""
    from inspection.models.cam import raw_cams
    from inspection.models.classifier import load_classifier

    model = load_classifier(classifier)
    if list(model.architecture.classes) != list(card.classifier.classes):
        raise InspectionError(
            f"{classifier}: tells {model.architecture.classes} apart, the model that is shown "
            f"{card.classifier.classes}; choose the model that was assembled last"
        )
    number = 1 + _map_of(output, card, label)
    batch = crop[None]
    return {recipe: heats[0] for recipe, heats in raw_cams(model, batch, [number])}


def shown(crop: Image, heat: Floats, threshold: float) -> Shown:
    """The crop (H, W, C) with heat laid over it and boxes around what reaches the threshold."""
    height_px, width_px = crop.shape[:2]
    picture: Any = rgb(overlay(crop, heat)).copy()
    boxes = hot_boxes(heat, (width_px, height_px), threshold)
    for box, _ in boxes:
        corner = (round(box.x_px), round(box.y_px))
        # OpenCV draws the last row and column as well
        opposite = (round(box.right_px) - 1, round(box.bottom_px) - 1)
        cv2.rectangle(picture, corner, opposite, ORANGE, 1)
    return Shown(picture, heat, len(boxes))


def moved_px(first: Floats, second: Floats, size_px: Sequence[int]) -> float:
    """How far apart the hottest places of two heatmaps lie, in pixels of the crop."""
    x, y = _peak_px(first, size_px)
    other_x, other_y = _peak_px(second, size_px)
    return float(np.hypot(x - other_x, y - other_y))


def _peak_px(heat: Floats, size_px: Sequence[int]) -> tuple[float, float]:
    width_px, height_px = size_px
    n_rows, n_columns = heat.shape
    row, column = np.unravel_index(int(np.argmax(heat)), heat.shape)
    # the middle of the hottest cell
    x = (column + 0.5) * width_px / n_columns
    y = (row + 0.5) * height_px / n_rows
    return x, y


def _map_of(output: DetectorOutput, card: Card, label: str) -> int:
    """The number of the heatmap of a class; that of the likeliest defect where none is named."""
    defects = list(card.classifier.classes[1:])
    return defects.index(label) if label in defects else output.likeliest_map
