"""Heat of one crop by the deployed graph, by every recipe that stage evaluate_cam has tried, and
by the epochs of the last training that were kept.

The deployed graph needs no torch; the others load the classifier of the last run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dashboard.pictures import ORANGE, draw_box, rgb
from inspection.errors import InspectionError
from inspection.geometry import Floats, Image
from inspection.models.epochs import kept_epochs
from inspection.runtime.bundle import Card
from inspection.runtime.detectors import CLASSIFIER
from inspection.runtime.heat import hot_boxes, overlay, scaled
from inspection.runtime.views import DetectorOutput
from inspection.storage import read_json

if TYPE_CHECKING:
    from inspection.models.classifier import DefectClassifier

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
class Epoch:
    """An epoch whose weights were kept, looked at by the CAM method and layer that are deployed."""

    number: int
    method: str
    layer: str

    @property
    def name(self) -> str:
        """What the choice and the address say."""
        return f"epoch {self.number}, {self.method} on {self.layer}"


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
    """The recipes of stage evaluate_cam, the best first.

    None where it has not run, nor where no defect is placed, by which it could judge any.
    """
    # a table of no rows has no columns either, which pandas refuses to read
    if not table.is_file() or not table.read_text(encoding="utf-8").strip():
        return []

    found = []
    for row in pd.read_csv(table).to_dict("records"):
        recipe = Recipe(
            method=str(row["method"]),
            layer=str(row["layer"]),
            cold=row["cold"],
            hot=row["hot"],
            score=row["score"],
        )
        found.append(recipe)
    return found


def epochs_of(classifier: Path, chosen: Path) -> list[Epoch]:
    """The epochs that lie beside a classifier, by the recipe that evaluate_cam has chosen.

    None where that stage has not run.
    """
    if not chosen.is_file():
        return []

    recipe = read_json(chosen)
    return [
        Epoch(number, recipe["method"], recipe["layer"])
        for number in kept_epochs(classifier)
    ]


def deployed_heat(output: DetectorOutput, card: Card, label: str) -> Floats:
    """The heat of a class, or of the likeliest defect, by the graph that serves."""
    scale = card.detectors[CLASSIFIER].heat
    number = _map_of(output, card, label)
    return scaled(output.heat[number], scale.cold, scale.hot)


def recipe_heats(
    classifier: Path, crop: Image, output: DetectorOutput, card: Card, label: str
) -> dict[tuple[str, str], Floats]:
    """Raw heat by (method, layer) for a class of one crop; one pass serves all recipes."""
    from inspection.models.cam import raw_cams
    from inspection.models.classifier import load_classifier

    model = load_classifier(classifier)
    _require_classes(model, classifier, card)
    # the normal class is the first one, and has no map
    number = 1 + _map_of(output, card, label)
    batch_of_one = crop[None]
    found = {}
    for recipe, heats in raw_cams(model, batch_of_one, [number]):
        found[recipe] = heats[0]
    return found


def epoch_output(
    classifier: Path, epoch: Epoch, crop: Image, card: Card
) -> DetectorOutput:
    """What the classifier of an epoch says of one crop: logits, and raw heat of each defect."""
    import torch

    from inspection.models.cam import ClassifierWithHeat
    from inspection.models.classifier import load_classifier_of_epoch

    model = load_classifier_of_epoch(classifier, epoch.number)
    _require_classes(model, classifier, card)
    batch_of_one = torch.tensor(crop[None])
    with torch.inference_mode():
        values, heat = ClassifierWithHeat(model, epoch.method)(batch_of_one)
    return DetectorOutput.of(values[0].numpy(), heat[0].numpy())


def shown(crop: Image, heat: Floats, threshold: float) -> Shown:
    """The crop (H, W, C) with heat laid over it and boxes around what reaches the threshold."""
    height_px, width_px = crop.shape[:2]
    picture: Any = rgb(overlay(crop, heat)).copy()
    boxes = hot_boxes(heat, (width_px, height_px), threshold)
    for box, _ in boxes:
        draw_box(picture, box, ORANGE, thickness=1)
    return Shown(picture, heat, len(boxes))


def hottest_place_px(heat: Floats, size_px: Sequence[int]) -> tuple[float, float]:
    """The middle of the hottest cell of heat (h, w), in pixels of a crop (width, height)."""
    width_px, height_px = size_px
    n_rows, n_columns = heat.shape
    hottest = int(np.argmax(heat))
    row, column = np.unravel_index(hottest, heat.shape)
    # half a cell further than its corner
    x = (column + 0.5) * width_px / n_columns
    y = (row + 0.5) * height_px / n_rows
    return x, y


def _require_classes(model: "DefectClassifier", classifier: Path, card: Card) -> None:
    if list(model.architecture.classes) != list(card.classifier.classes):
        raise InspectionError(
            f"{classifier}: tells {model.architecture.classes} apart, the model that is shown "
            f"{card.classifier.classes}; choose the model that was assembled last"
        )


def _map_of(output: DetectorOutput, card: Card, label: str) -> int:
    """The number of the heatmap of a class; that of the likeliest defect where none is named."""
    _, *defects = card.classifier.classes
    if label in defects:
        return defects.index(label)
    return output.likeliest_map
