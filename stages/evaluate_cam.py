"""Try every CAM method on every layer, and choose the recipe that points at the defects."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import pandas as pd
from pydantic import Field

from inspection.evaluation.cam_scores import absolute_scale, score
from inspection.geometry import Floats, Image
from inspection.models.cam import (
    EXPORTABLE,
    FUSED,
    METHODS,
    as_tensor,
    layer_names,
    raw_cams,
)
from inspection.models.classifier import DefectClassifier, load_classifier_before_val
from inspection.models.crops import Crops, drawn, evenly_spaced, load_crops
from inspection.runtime.heat import overlay, scaled
from inspection.storage import write_bytes, write_json, write_table
from stages import program, sections

PLACED = ("mask", "box")
DEFAULT_METHOD = "gradcam"


class EvaluateCamParams(sections.Params):
    """On what the CAM recipes are compared, and how many crops are shown."""

    max_defects: int = Field(default=150, ge=1)
    """Val crops of defects at most, drawn at random; each recipe is tried on all of them."""

    max_normals: int = Field(default=80, ge=1)
    """Val crops of normals at most: their heat sets the cold end of the scale."""

    gallery_size: int = Field(default=24, ge=0, le=200)
    """Crops with heat that the report shows."""

    seed: int = 0
    """Of what is drawn."""


@dataclass(frozen=True)
class Paths:
    """What the stage reads and writes."""

    crops: Annotated[Path, "folder of the crops"]
    classifier: Annotated[Path, "folder of the classifier"]
    out: Annotated[Path, "folder for the recipe, the table and the gallery"]
    metrics: Annotated[Path, "file for the metrics"]


def main() -> None:
    """Load classifier and val crops, score all recipes, save the table, the recipe, a gallery."""
    paths = program.paths(Paths, __doc__)
    line, params = sections.read(
        sections.line("classify"),
        sections.section("evaluate_cam", EvaluateCamParams),
    )
    model = load_classifier_before_val(paths.classifier)
    val = load_crops(paths.crops, line.classify).in_fold("val")
    predicted = predict(model, val)
    classes = model.architecture.classes
    labels = np.array([classes.index(label) for label in val.index["label"]])
    is_true = (labels > 0) & (predicted == labels)
    is_placed = is_true & val.index["target"].isin(PLACED).to_numpy()
    can_measure = bool(is_placed.any())
    shown = drawn(
        np.flatnonzero(is_placed if can_measure else is_true),
        params.max_defects,
        params.seed,
    )
    defects = val.rows(shown)
    normals = val.rows(
        drawn(np.flatnonzero(labels == 0), params.max_normals, params.seed)
    )

    heats = _all_heats(model, defects, labels[shown].tolist())
    likeliest = _likeliest_defects(model, normals)
    cold_heats = _all_heats(model, normals, likeliest)
    table = pd.DataFrame()
    if can_measure:
        table = _table(model, heats, defects, cold_heats)
    recipe = _choose(table) if can_measure else _default(cold_heats, heats)
    n_measured = len(defects) if can_measure else 0

    write_table(paths.out / "table.csv", table)
    write_json(paths.out / "recipe.json", recipe | {"n_defects": n_measured})
    key = (recipe["method"], recipe["layer"])
    shown = heats.get(key, np.zeros((0, 1, 1), np.float32))
    _save_gallery(paths.out / "gallery", defects, shown, recipe, params.gallery_size)
    program.save_metrics(
        paths.metrics,
        {"n_defects": n_measured, "n_recipes": len(table), **recipe},
    )


def predict(model: DefectClassifier, crops: Crops) -> Any:
    """Class numbers (N,) of crops."""
    return _logits(model, crops).argmax(axis=1)


def _logits(model: DefectClassifier, crops: Crops) -> Any:
    import torch

    with torch.inference_mode():
        batches = [
            model(as_tensor(crops.images[start : start + 64])).numpy()
            for start in range(0, len(crops), 64)
        ]
    return (
        np.concatenate(batches)
        if batches
        else np.zeros((0, len(model.architecture.classes)))
    )


def _likeliest_defects(model: DefectClassifier, crops: Crops) -> list[int]:
    return (1 + _logits(model, crops)[:, 1:].argmax(axis=1)).tolist()


def _all_heats(
    model: DefectClassifier, crops: Crops, classes: list[int]
) -> dict[tuple[str, str], Floats]:
    batches: dict[tuple[str, str], list[Floats]] = defaultdict(list)
    for recipe, heat in raw_cams(model, crops.images, classes):
        batches[recipe].append(heat)
    return {recipe: np.concatenate(parts) for recipe, parts in batches.items()}


def _table(
    model: DefectClassifier,
    heats: dict[tuple[str, str], Floats],
    defects: Crops,
    cold_heats: dict[tuple[str, str], Floats],
) -> pd.DataFrame:
    rows = []
    for method in METHODS:
        for layer in layer_names(model):
            if (method, layer) not in heats:
                continue
            normal = cold_heats.get((method, layer), np.zeros((0, 1, 1), np.float32))
            measured = score(
                heats[method, layer], defects.targets, normal.max(axis=(1, 2))
            )
            exportable = method in EXPORTABLE and layer == FUSED
            rows.append(
                {"method": method, "layer": layer, "exportable": exportable, **measured}
            )
    table = pd.DataFrame(rows)
    return table.sort_values("score", ascending=False) if len(table) else table


def _choose(table: pd.DataFrame) -> dict[str, Any]:
    """The best recipe that the deployed graph can compute in one forward pass."""
    best = table[table["exportable"]].iloc[0]
    recipe = {name: best[name] for name in table.columns if name != "exportable"}
    return {
        name: value if isinstance(value, str) else round(float(value), 6)
        for name, value in recipe.items()
    } | {"chosen_by": "the highest score on val among the recipes that can be exported"}


def _default(
    cold_heats: dict[tuple[str, str], Floats], heats: dict[tuple[str, str], Floats]
) -> dict[str, Any]:
    """The recipe where no defect is marked; its scale rests on defects named rightly, if any."""
    nothing = np.zeros((0, 1, 1), np.float32)
    cold_peaks, peaks = (
        of_kind.get((DEFAULT_METHOD, FUSED), nothing).max(axis=(1, 2))
        for of_kind in (cold_heats, heats)
    )
    cold, hot = absolute_scale(cold_peaks, peaks)
    program.log.warning(
        "no val defect is both predicted and marked with a box or mask; "
        "the recipe is the default and its truth is not measured"
    )
    return {
        "method": DEFAULT_METHOD,
        "layer": FUSED,
        "cold": cold,
        "hot": hot,
        "box_threshold": 0.5,
        "chosen_by": "default: no val defect is both predicted and marked",
    }


def _save_gallery(
    folder: Path, crops: Crops, heats: Floats, recipe: dict[str, Any], size: int
) -> None:
    """One picture per crop, crop beside heat, the labelled place outlined; and their index."""
    rows = evenly_spaced(len(crops), size)
    entries = []
    for number in dict.fromkeys(rows.tolist()):
        heat = scaled(heats[number], recipe["cold"], recipe["hot"])
        picture = _picture(
            np.asarray(crops.images[number]), heat, crops.targets[number]
        )
        row = crops.index.iloc[number]
        name = f"{row['view_id']}.png"
        write_bytes(
            folder / name, cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()
        )
        entries.append({"file": name, "label": row["label"], "path": row["path"]})
    write_json(folder / "index.json", entries)


def _picture(crop: Image, heat: Floats, target: Image) -> Image:
    size = (crop.shape[1], crop.shape[0])
    place = cv2.resize(np.array(target), size, interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(
        (place >= 128).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    plain = np.repeat(crop, 3, axis=2) if crop.shape[2] == 1 else crop.copy()
    hot = np.ascontiguousarray(overlay(crop, heat))
    for picture in (plain, hot):
        cv2.drawContours(picture, outlines, -1, (60, 220, 120), 1)
    return np.vstack([plain, hot])


if __name__ == "__main__":
    program.run("evaluate_cam", main)
