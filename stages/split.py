"""Put every part into one fold, and price what a careless split would have claimed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from inspection.curation.baselines import (
    circumstances,
    fit_svm,
    fit_tree,
    hog_features,
    stack,
)
from inspection.curation.folds import (
    FOLDS,
    OuterFold,
    Shortcuts,
    assign_folds,
    cross_validation_folds,
    leakage_price,
    shortcut_audit,
    thin_classes,
)
from inspection.errors import InspectionError, raise_all
from inspection.images import read_frame
from inspection.line import Line
from inspection.storage import read_table, write_table
from inspection.texts import natural_order
from stages import program, sections
from stages.params.split import SplitParams

# Of a class: one to train on and one to test on.
MIN_PARTS = 2


@dataclass(frozen=True)
class Paths:
    """What the stage reads and writes."""

    data: Annotated[Path, "the frames"]
    manifest: Annotated[Path, "the clean manifest"]
    out: Annotated[Path, "file for the folds"]
    shortcuts: Annotated[Path, "file for the circumstances that tell a class, by view"]
    metrics: Annotated[Path, "file for the metrics"]


def main() -> None:
    """Load the clean manifest, assign folds and audit them, save the table."""
    paths = program.paths(Paths, __doc__)
    line, params = sections.read(
        sections.line("bit_depth", "classes", "normal"),
        sections.section("split", SplitParams),
    )
    manifest = read_table(paths.manifest)
    # what is held waits for a review; a fold would use its label
    views = manifest[~manifest["held"]].reset_index(drop=True)

    _require_parts(views, line)
    _require_defect(params.unseen, line)
    outer_fold = None
    if params.outer_fold is not None:
        outer_fold = OuterFold(params.outer_fold, params.outer_folds)
    views["fold"] = assign_folds(
        views,
        val_fraction=params.val_fraction,
        test_fraction=params.test_fraction,
        seed=params.seed,
        outer_fold=outer_fold,
        unseen=params.unseen,
    )
    views["cv_fold"] = cross_validation_folds(
        views, views["fold"], n_folds=params.cv_folds, seed=params.seed
    )

    metrics = _counts(views)
    metrics["n_held"] = int(manifest["held"].sum())
    leakage, shortcuts, circumstances = _audit(
        views, params, paths.data, line.bit_depth
    )
    metrics["leakage"] = leakage
    metrics["shortcuts"] = shortcuts.accuracies
    metrics["shortcut_classes"] = shortcuts.classes

    columns = ["view_id", "part_id", "group_id", "label", "fold", "cv_fold"]
    write_table(paths.out, views[columns])
    write_table(paths.shortcuts, circumstances[["path", *shortcuts.classes]])
    program.save_metrics(paths.metrics, metrics)


def _require_parts(views: pd.DataFrame, line: Line) -> None:
    # by group: near-duplicates go into one fold together, so they count as one part
    n_parts = views.groupby("label")["group_id"].nunique()
    problems = []
    if line.normal not in n_parts:
        problems.append(
            f"label {line.normal!r}: no views are left after cleaning; the line needs normal "
            "parts: see artifacts/labels/changes.csv for what was held and why"
        )
    problems += [
        f"label {name!r}: {n_parts.get(name, 0)} part(s) after cleaning, and at least 2 are "
        "needed to train on one and test on another; add parts, release held ones in "
        "reviews/labels.csv, or take the class out of line.classes"
        for name in line.classes
        if n_parts.get(name, 0) < MIN_PARTS and name != line.normal
    ]
    raise_all(problems)


def _require_defect(unseen: str | None, line: Line) -> None:
    defects = [name for name in line.classes if name != line.normal]
    if unseen is not None and unseen not in defects:
        raise InspectionError(
            f"split.unseen: {unseen!r} is no defect of the line; use one of "
            f"{', '.join(defects)}, or null"
        )


def _counts(views: pd.DataFrame) -> dict[str, Any]:
    by_fold = {fold: views[views["fold"] == fold] for fold in FOLDS}
    return {
        "n_parts": {fold: _n_parts(within) for fold, within in by_fold.items()},
        "n_parts_by_class": {
            fold: within.groupby("label")["part_id"].nunique().to_dict()
            for fold, within in by_fold.items()
        },
        "classes_without_parts": thin_classes(views, views["fold"]),
    }


def _audit(
    views: pd.DataFrame, params: SplitParams, data: Path, bit_depth: int
) -> tuple[dict[str, float], Shortcuts, pd.DataFrame]:
    """The leakage price, the shortcuts, and the circumstances of the views that were looked at."""
    shuffled = np.random.default_rng(params.seed).permutation(len(views))
    keep = shuffled[: params.audit_max_views]
    sample = views.iloc[np.sort(keep)].reset_index(drop=True)

    def look(path: str) -> tuple[Any, dict[str, float]]:
        frame = read_frame(data / path, channels=1, bit_depth=bit_depth)
        return hog_features(frame), circumstances(frame)

    with ThreadPoolExecutor() as pool:
        measured = list(
            tqdm(
                pool.map(look, sample["path"]),
                total=len(sample),
                desc="audit",
                disable=None,
            )
        )

    features = stack(hog for hog, _ in measured)
    columns = pd.DataFrame([facts for _, facts in measured]).assign(
        camera=sample["camera"],
        width=sample["width_px"],
        height=sample["height_px"],
        part_order=natural_order(sample["part_id"].tolist()),
    )
    labels = sample["label"].to_numpy(object)
    groups = sample["group_id"].to_numpy(object)
    cross = {"n_splits": params.audit_folds, "seed": params.seed}
    leakage = leakage_price(features, labels, groups, fit=fit_svm, **cross)
    shortcuts = shortcut_audit(columns, labels, groups, fit=fit_tree, **cross)
    return leakage, shortcuts, columns.assign(path=sample["path"])


def _n_parts(views: pd.DataFrame) -> int:
    return int(views["part_id"].nunique())


if __name__ == "__main__":
    program.run("split", main)
