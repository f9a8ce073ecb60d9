"""What larger crops bring where defects are small: AUROC on surfaces that are six crops each.

A surface is three crops wide and two high, all of one fold; one of them shows a defect, or none.
Shrunk to the crop that is usual, its defects are as small as those of a large photograph. Heads on
the frozen backbone learn from it whole, and from windows of a larger crop, and are judged out of
fold. Run it from the root of a project whose defects are marked and whose stages have run, as the
magnetic tiles; the test fold is not used.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from inspection.curation.folds import NEVER_HELD_OUT
from inspection.errors import InspectionError
from inspection.geometry import Image
from inspection.models.augmentations import AUGMENTATIONS
from inspection.models.classifier import (
    DefectClassifier,
    load_classifier,
    new_classifier,
)
from inspection.models.crops import TARGET_STRIDE, UNKNOWN, Crops, load_crops
from inspection.models.cross_validation import FrozenTraining, cross_validate
from inspection.models.frozen import frozen_features
from inspection.models.training import Schedule, quiet_lightning
from inspection.processes import keep_freed_memory
from inspection.runtime.detectors import log_odds, probabilities_of
from stages import sections
from stages.evaluate_cam import PLACED
from stages.params.train import TrainParams
from stages.train import schedule_of

# Features of surfaces lie apart: those of the project's crops would be pushed out by them.
CACHE = Path(".state/surfaces")

COLUMNS, ROWS = 3, 2
# Of a defective part, so that a part of many views is not most of what is judged.
MAX_VIEWS_A_PART = 3
# A side of a crop is a multiple of the coarsest cell.
STEP_PX = 32
# The long side of the usual crop, and the side of a square with the area of the largest one that
# `make adopt` proposes.
USUAL_PX, LARGEST_PX = 256, 512
# Steps of each head, as adopt proposes.
N_STEPS = 1200


@dataclass(frozen=True)
class Trial:
    """Crops of (width, height) pixels, and the windows of them that are learned from, or all."""

    size_px: tuple[int, int]
    window_px: tuple[int, int] | None

    def __str__(self) -> str:
        size = " x ".join(map(str, self.size_px))
        window = " x ".join(map(str, self.window_px or ()))
        return f"{size} px" + (f", windows of {window} px" if window else "")


def main() -> None:
    """Train on small and on large crops of the same surfaces, and print what each is worth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crops", type=Path, default=Path("artifacts/crops"))
    parser.add_argument("--classifier", type=Path, default=Path("artifacts/classifier"))
    parser.add_argument(
        "--leave-out", nargs="*", default=[], help="classes of large defects"
    )
    parser.add_argument("--steps", type=int, default=N_STEPS, help="of each head")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    quiet_lightning()
    keep_freed_memory()
    try:
        line, params = sections.read(
            sections.line("classify"), sections.section("train", TrainParams)
        )
        crops = known(load_crops(given.crops, line.classify), given.leave_out)
        of_parts = load_classifier(given.classifier)
        surfaces = list(
            drawn_surfaces(crops, of_parts.architecture.classes, given.seed)
        )
        for trial in trials_of(crops):
            some = surface_crops(crops, surfaces, trial.size_px)
            auroc = out_of_fold_auroc(of_parts, some, trial, params, given.steps)
            sys.stdout.write(f"{trial}: AUROC {auroc:.3f} ({len(some)} surfaces)\n")
            sys.stdout.flush()
    except InspectionError as error:
        raise SystemExit(f"surfaces: {error}") from error


def known(crops: Crops, left_out: Sequence[str]) -> Crops:
    """The crops that are held out in some fold and say where their defect is."""
    index = crops.index
    is_known = index["cv_fold"] != NEVER_HELD_OUT
    is_known &= index["target"] != UNKNOWN
    is_known &= ~index["label"].isin(left_out)
    found = crops.rows(np.flatnonzero(is_known))
    if not found.index["target"].isin(PLACED).any():
        raise InspectionError(
            "no mask or box marks a defect; choose a project that has them"
        )
    return found


def drawn_surfaces(
    crops: Crops, classes: Sequence[str], seed: int
) -> Iterator[dict[str, Any]]:
    """Surfaces: the rows of their crops, their label and their fold.

    Normal crops stand in one normal surface each, and in defective ones as they are drawn.
    """
    generator = np.random.default_rng(seed)
    n_crops = COLUMNS * ROWS
    for fold, of_fold in crops.index.groupby("cv_fold"):
        is_normal = of_fold["label"] == classes[0]
        normal = generator.permutation(of_fold.index[is_normal])
        for start in range(0, len(normal) - n_crops + 1, n_crops):
            rows = normal[start : start + n_crops]
            yield {"rows": rows, "label": classes[0], "cv_fold": fold}

        for _, of_part in of_fold[~is_normal].groupby("part_id"):
            for row in generator.permutation(of_part.index)[:MAX_VIEWS_A_PART]:
                others = generator.choice(normal, n_crops - 1, replace=False)
                place = generator.integers(n_crops)
                rows = np.insert(others, place, row)
                yield {"rows": rows, "label": of_part["label"][row], "cv_fold": fold}


def surface_crops(
    crops: Crops, surfaces: Sequence[dict[str, Any]], size_px: tuple[int, int]
) -> Crops:
    """The surfaces as crops of this size, each a part of its own."""
    width, height = size_px
    cells = width // TARGET_STRIDE, height // TARGET_STRIDE
    images, targets, rows = [], [], []
    for number, one in enumerate(surfaces):
        image = shrunk(laid_out(crops.images, one["rows"]), size_px)
        images.append(image.reshape(height, width, -1))
        marked = shrunk(laid_out(crops.targets, one["rows"]), cells)
        # as masks are: a cell that a defect touches is one of it
        targets.append(np.where(marked > 0, 255, 0).astype(np.uint8))
        is_marked = bool(marked.any())
        rows.append(
            {
                "view_id": str(number),
                "path": str(number),
                "part_id": str(number),
                "cv_fold": one["cv_fold"],
                "label": one["label"],
                "part_label": one["label"],
                "target": "mask" if is_marked else "normal",
            }
        )
    return Crops(np.stack(images), np.stack(targets), pd.DataFrame(rows))


def laid_out(grids: Image, rows: Sequence[int]) -> Image:
    """Six grids (h, w) or (h, w, C) side by side: (2 h, 3 w) or (2 h, 3 w, C)."""
    some = [np.asarray(grids[row]) for row in rows]
    lines = [
        np.concatenate(some[start : start + COLUMNS], axis=1)
        for start in range(0, len(some), COLUMNS)
    ]
    return np.concatenate(lines, axis=0)


def shrunk(grid: Image, size: tuple[int, int]) -> Image:
    """A grid of this width and height, each of its cells the mean of what it covers."""
    return np.asarray(cv2.resize(grid, size, interpolation=cv2.INTER_AREA))


def trials_of(crops: Crops) -> list[Trial]:
    """The usual crop of a surface, learned from whole; the largest, in windows of the usual."""
    height, width = crops.images.shape[1:3]
    surface = COLUMNS * width, ROWS * height
    longest = max(surface)
    usual = sized(surface, USUAL_PX / longest)
    largest = sized(surface, LARGEST_PX / (surface[0] * surface[1]) ** 0.5)
    return [Trial(usual, None), Trial(largest, (USUAL_PX, USUAL_PX))]


def sized(surface_px: tuple[int, int], scale: float) -> tuple[int, int]:
    """A surface at this scale, to the nearest step; never enlarged."""
    width, height = (
        max(STEP_PX, STEP_PX * round(min(1.0, scale) * side / STEP_PX))
        for side in surface_px
    )
    return width, height


def out_of_fold_auroc(
    of_parts: DefectClassifier,
    surfaces: Crops,
    trial: Trial,
    params: TrainParams,
    n_steps: int,
) -> float:
    """AUROC of defective surfaces against normal ones, each by a head without its fold."""
    from sklearn.metrics import roc_auc_score

    architecture = of_parts.architecture.model_copy(update={"size_px": trial.size_px})
    torch.manual_seed(params.seed)
    model = new_classifier(architecture)
    model.backbone.load_state_dict(of_parts.backbone.state_dict())
    features = frozen_features(
        model,
        surfaces.images,
        CACHE,
        mirrored=AUGMENTATIONS[params.augmentation].mirrors,
        show_progress=sys.stderr.isatty(),
    )
    schedule = _schedule(params, surfaces, n_steps, trial)
    training = FrozenTraining(model, surfaces, features, schedule, seed=params.seed)
    found = cross_validate(
        training, on_epoch=lambda *_: None, show_progress=sys.stderr.isatty()
    )
    scores = log_odds(1 - probabilities_of(found.logits, temperature=1.0)[:, 0])
    return float(
        roc_auc_score(surfaces.index["label"] != architecture.classes[0], scores)
    )


def _schedule(
    params: TrainParams, surfaces: Crops, n_steps: int, trial: Trial
) -> Schedule:
    """So many epochs that each head takes about so many steps, with a fold held out."""
    n_folds = surfaces.index["cv_fold"].nunique()
    n_learned = len(surfaces) * (n_folds - 1) / n_folds
    epochs = max(1, round(n_steps * params.batch_size / n_learned))
    return replace(schedule_of(params), epochs=epochs, window_px=trial.window_px)


if __name__ == "__main__":
    main()
