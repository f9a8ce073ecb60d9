"""What the search for the best CAM costs, beside the loop that one would write over grad-cam.

The search tries every method on every layer. Here one forward and one backward pass through the
head serve all of them; the loop makes a map at a time, by grad-cam's own call, through the whole
network. Both see the same views of val by the classifier of the last run, without the mirror image
that it may be averaged with. The search is timed with the backbone that it compiles, and with the
scores that stage evaluate_cam gives to each recipe. Run it from the root of a project whose stages
have run.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from inspection.errors import InspectionError
from inspection.evaluation.cam_scores import score
from inspection.geometry import Floats, Image
from inspection.models.cam import (
    METHODS,
    Recipe,
    as_tensor,
    grad_cam_classes,
    layer_names,
    raw_cams,
)
from inspection.models.classifier import (
    DefectClassifier,
    load_classifier_before_val,
)
from inspection.models.compiled import compiled
from inspection.models.crops import load_crops
from inspection.processes import keep_freed_memory
from stages import sections
from stages.evaluate_cam import BATCH

# Views of the loop, which takes as long for each: few tell it.
N_LOOPED = 5


def main() -> None:
    """Time both, and print the seconds of the search and how many times as long the loop takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crops", type=Path, default=Path("artifacts/crops"))
    parser.add_argument("--classifier", type=Path, default=Path("artifacts/classifier"))
    parser.add_argument("--views", type=int, default=200, help="views of the search")
    parser.add_argument(
        "--looped", type=int, default=N_LOOPED, help="views of the loop"
    )
    given = parser.parse_args()
    keep_freed_memory()
    try:
        model = as_it_is(load_classifier_before_val(given.classifier))
        crops, classes, targets = defective(given.crops, model, given.views)
    except InspectionError as error:
        raise SystemExit(f"cam: {error}") from error

    n_recipes = len(METHODS) * len(layer_names(model))
    start = time.perf_counter()
    heats = searched(model, crops, classes)
    searched_s = time.perf_counter() - start
    scored(heats, targets)
    with_scores_s = time.perf_counter() - start
    n_looped = min(given.looped, len(crops))
    looped_s = seconds_of(looped(model, crops[:n_looped], classes[:n_looped]))

    a_view_s, looped_a_view_s = searched_s / len(crops), looped_s / n_looped
    sys.stdout.write(
        f"{n_recipes} recipes on {len(crops)} views: {searched_s:.0f} s, "
        f"{1000 * a_view_s:.0f} ms a view; {with_scores_s:.0f} s with their scores\n"
        f"a loop over grad-cam: {1000 * looped_a_view_s:.0f} ms a view ({n_looped} views), "
        f"{looped_a_view_s / a_view_s:.1f} times as long; {torch.get_num_threads()} threads\n"
    )


def as_it_is(model: DefectClassifier) -> DefectClassifier:
    """The classifier, which looks at a crop as it is and not at its mirror image besides."""
    model.architecture = model.architecture.model_copy(update={"mirror_average": False})
    return model


def searched(
    model: DefectClassifier, crops: Image, classes: Sequence[int]
) -> dict[Recipe, Floats]:
    """The heat (N, h, w) of all crops by each recipe, by a backbone that is compiled for it."""
    stages_of = compiled(model, "stages", model.architecture.size_px)
    batches: dict[Recipe, list[Floats]] = defaultdict(list)
    maps = raw_cams(model, crops, classes, BATCH, stages_of=stages_of)
    for recipe, heat in tqdm(maps, disable=None, desc="maps"):
        batches[recipe].append(heat)
    return {recipe: np.concatenate(parts) for recipe, parts in batches.items()}


def scored(heats: dict[Recipe, Floats], targets: Image) -> None:
    """Score each recipe as the stage does. As many heatmaps as there are stand for normal crops,
    whose peaks set the cold end of the scale: which ones changes no time.
    """
    for of_recipe in heats.values():
        score(of_recipe, targets, of_recipe.max(axis=(1, 2)))


def defective(
    folder: Path, model: DefectClassifier, n_views: int
) -> tuple[Image, list[int], Image]:
    """Crops (N, H, W, C) of defective views of val, their classes' numbers, and their targets.

    They are shown again where there are fewer than asked for: that changes no time.
    """
    line = sections.read(sections.line("classify"))
    val = load_crops(folder, line.classify).in_fold("val")
    classes = model.architecture.classes
    rows = np.flatnonzero(val.index["label"] != classes[0])
    if not len(rows):
        raise InspectionError(f"{folder}: val has no defective crop; add parts")

    chosen = np.resize(rows, n_views)
    labels = val.index["label"].to_numpy()[chosen]
    numbers = [classes.index(name) for name in labels]
    return np.asarray(val.images)[chosen], numbers, np.asarray(val.targets)[chosen]


def looped(
    model: DefectClassifier, crops: Image, classes: Sequence[int]
) -> Iterator[Any]:
    """The map of each view by each method and layer, one after the other, as grad-cam is used."""
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    kinds = grad_cam_classes()
    for method in METHODS:
        kind = kinds[method]
        for layer in model.head.taps:
            with kind(model, [layer]) as cam:
                for crop, number in zip(crops, classes, strict=True):
                    batch_of_one = as_tensor(crop[None])
                    yield cam(batch_of_one, [ClassifierOutputTarget(number)])


def seconds_of(maps: Iterator[Any]) -> float:
    """How long it takes to make all maps."""
    start = time.perf_counter()
    for _ in tqdm(maps, disable=None, desc="maps"):
        pass
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
