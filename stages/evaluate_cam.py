"""Try every CAM method on every layer, and choose the recipe that points at the defects."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import pandas as pd

from inspection.evaluation.cam_scores import HALF_COVERED, absolute_scale, score
from inspection.geometry import Floats, Image
from inspection.models.cam import (
    EXPORTABLE,
    FUSED,
    METHODS,
    Recipe,
    as_tensor,
    backbone_maps,
    layer_names,
    raw_cams,
)
from inspection.models.classifier import DefectClassifier, load_classifier_before_val
from inspection.models.compiled import Compute, compiled
from inspection.models.crops import Crops, drawn, evenly_spaced, load_crops
from inspection.processes import keep_freed_memory
from inspection.runtime.heat import overlay, scaled
from inspection.storage import write_bytes, write_json, write_table
from stages import program, sections
from stages.params.evaluate_cam import EvaluateCamParams

# What a defect's place may be known from: only then is there a truth to point at.
PLACED = ("mask", "box")

# Of the recipes that can be exported, the one of the literature (Selvaraju et al. 2017).
DEFAULT_METHOD = "gradcam"
DEFAULT: Recipe = (DEFAULT_METHOD, FUSED)
# Heat on the absolute scale, 0..1, from which a box is drawn where no truth tells a better one:
# halfway from normal parts to defects.
DEFAULT_BOX_THRESHOLD = 0.5

# The classifier's first class is the normal one; defects follow.
NORMAL = 0
FIRST_DEFECT = 1

# Crops that go through the model at once. Of 64 (256 x 256 px, EfficientNet-Lite0) half of the time
# went to the kernel, for memory; 16 took 51 s where 64 took 65.
BATCH = 16

# RGB of the line around the labelled place: a green, which neither metal nor heat shows.
OUTLINE_RGB = (60, 220, 120)

# By recipe: the heat (N, h, w) of crops.
Heats = dict[Recipe, Floats]


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
    keep_freed_memory()
    model = load_classifier_before_val(paths.classifier)
    stages_of = compiled(model, "stages", model.architecture.size_px)
    val = load_crops(paths.crops, line.classify).in_fold("val")
    classes = model.architecture.classes
    labels = np.array([classes.index(label) for label in val.index["label"]])
    is_normal = labels == NORMAL

    # where the classifier is wrong, its heat explains the error and not the defect
    is_true = ~is_normal & (predict(model, val, stages_of) == labels)
    is_placed = is_true & val.index["target"].isin(PLACED).to_numpy()
    can_measure = bool(is_placed.any())
    candidates = np.flatnonzero(is_placed if can_measure else is_true)
    shown = drawn(candidates, params.max_defects, params.seed)
    defects = val.rows(shown)
    cold = drawn(np.flatnonzero(is_normal), params.max_normals, params.seed)
    normals = val.rows(cold)

    # without marks nothing can be compared, and the other recipes need not be tried
    only = None if can_measure else DEFAULT
    heats = _heats(model, defects, labels[shown].tolist(), only, stages_of)
    # as the service does, which never shows heat for "normal"
    likeliest = _likeliest_defects(model, normals, stages_of)
    cold_heats = _heats(model, normals, likeliest, only, stages_of)

    table = pd.DataFrame()
    if can_measure:
        table = _table(model, heats, defects, cold_heats)
    recipe = _choose(table) if can_measure else _default(cold_heats, heats)
    n_measured = len(defects) if can_measure else 0

    write_table(paths.out / "table.csv", table)
    write_json(paths.out / "recipe.json", recipe | {"n_defects": n_measured})
    chosen = heats.get((recipe["method"], recipe["layer"]), _no_heat())
    _save_gallery(paths.out / "gallery", defects, chosen, recipe, params.gallery_size)
    program.save_metrics(
        paths.metrics,
        {"n_defects": n_measured, "n_recipes": len(table), **recipe},
    )


def predict(model: DefectClassifier, crops: Crops, stages_of: Compute) -> Any:
    """Class numbers (N,) of crops; `stages_of` is the compiled backbone."""
    return _logits(model, crops, stages_of).argmax(axis=1)


def _logits(model: DefectClassifier, crops: Crops, stages_of: Compute) -> Any:
    import torch

    batches = []
    with torch.inference_mode():
        for start in range(0, len(crops), BATCH):
            images = model.ways(as_tensor(crops.images[start : start + BATCH]))
            maps = backbone_maps(model, images, stages_of)
            batches.append(model.mean_of_ways(model.head(maps)).numpy())

    if not batches:
        return np.zeros((0, len(model.architecture.classes)))
    return np.concatenate(batches)


def _likeliest_defects(
    model: DefectClassifier, crops: Crops, stages_of: Compute
) -> list[int]:
    defect_logits = _logits(model, crops, stages_of)[:, FIRST_DEFECT:]
    return (FIRST_DEFECT + defect_logits.argmax(axis=1)).tolist()


def _heats(
    model: DefectClassifier,
    crops: Crops,
    classes: list[int],
    only: Recipe | None,
    stages_of: Compute,
) -> Heats:
    batches: dict[Recipe, list[Floats]] = defaultdict(list)
    maps = raw_cams(model, crops.images, classes, only=only, stages_of=stages_of)
    for recipe, heat in maps:
        batches[recipe].append(heat)
    return {recipe: np.concatenate(parts) for recipe, parts in batches.items()}


def _table(
    model: DefectClassifier,
    heats: Heats,
    defects: Crops,
    cold_heats: Heats,
) -> pd.DataFrame:
    rows = []
    for method in METHODS:
        for layer in layer_names(model):
            if (method, layer) not in heats:
                continue
            cold_peaks = _peaks(cold_heats.get((method, layer), _no_heat()))
            measured = score(heats[method, layer], defects.targets, cold_peaks)
            # the exported graph has no gradients, and needs none right before its last layer
            exportable = method in EXPORTABLE and layer == FUSED
            rows.append(
                {"method": method, "layer": layer, "exportable": exportable, **measured}
            )
    table = pd.DataFrame(rows)
    return table.sort_values("score", ascending=False) if len(table) else table


def _no_heat() -> Floats:
    """The heat of no crops."""
    return np.zeros((0, 1, 1), np.float32)


def _peaks(heats: Floats) -> Floats:
    """The hottest value (N,) of each heatmap."""
    return np.asarray(heats.max(axis=(1, 2)))


def _choose(table: pd.DataFrame) -> dict[str, Any]:
    """The best recipe that the deployed graph can compute in one forward pass."""
    best = table[table["exportable"]].iloc[0]
    recipe: dict[str, Any] = {}
    for name in table.columns.drop("exportable"):
        value = best[name]
        recipe[name] = value if isinstance(value, str) else round(float(value), 6)
    recipe["chosen_by"] = (
        "the highest score on val among the recipes that can be exported"
    )
    return recipe


def _default(cold_heats: Heats, heats: Heats) -> dict[str, Any]:
    """The recipe where no defect is marked; its scale rests on defects named rightly, if any."""
    cold_peaks = _peaks(cold_heats.get(DEFAULT, _no_heat()))
    peaks = _peaks(heats.get(DEFAULT, _no_heat()))
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
        "box_threshold": DEFAULT_BOX_THRESHOLD,
        "chosen_by": "default: no val defect is both predicted and marked",
    }


def _save_gallery(
    folder: Path, crops: Crops, heats: Floats, recipe: dict[str, Any], size: int
) -> None:
    """One picture per crop, crop beside heat, the labelled place outlined; and their index."""
    rows = evenly_spaced(len(crops), size)
    entries = []
    for number in dict.fromkeys(rows.tolist()):
        crop = np.asarray(crops.images[number])
        heat = scaled(heats[number], recipe["cold"], recipe["hot"])
        picture = _picture(crop, heat, crops.targets[number])

        row = crops.index.iloc[number]
        name = f"{row['view_id']}.png"
        bgr = picture[:, :, ::-1]
        content = cv2.imencode(".png", bgr)[1].tobytes()
        write_bytes(folder / name, content)
        entries.append({"file": name, "label": row["label"], "path": row["path"]})
    write_json(folder / "index.json", entries)


def _picture(crop: Image, heat: Floats, target: Image) -> Image:
    height, width, _ = crop.shape
    covered = cv2.resize(
        np.array(target), (width, height), interpolation=cv2.INTER_NEAREST
    )
    place = (covered >= HALF_COVERED).astype(np.uint8)
    outlines, _ = cv2.findContours(place, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)

    plain = np.repeat(crop, 3, axis=2) if crop.shape[2] == 1 else crop.copy()
    hot = np.ascontiguousarray(overlay(crop, heat))
    for picture in (plain, hot):
        cv2.drawContours(picture, outlines, -1, OUTLINE_RGB, 1)
    return np.vstack([plain, hot])


if __name__ == "__main__":
    program.run("evaluate_cam", main)
