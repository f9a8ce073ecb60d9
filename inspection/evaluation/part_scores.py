"""What was measured, gathered by part: a part is as suspicious as its worst view."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from inspection.runtime.bundle import Settings
from inspection.runtime.detectors import FUSED, Calibration, Scores, score_names
from inspection.runtime.verdict import scores_of
from inspection.runtime.views import DetectorOutput, ViewOutputs
from inspection.storage import read_table

Parts = dict[str, list[ViewOutputs]]

# The table, beside a detector's model, of what models without a part say of it.
OUT_OF_FOLD = "out_of_fold.parquet"
VALUE = "value_"  # begins the names of its columns that hold what the detector gives


def group_by_part(outputs: Sequence[ViewOutputs], part_ids: Sequence[str]) -> Parts:
    """What was measured, by part, parts in the order of their first view."""
    parts: Parts = {}
    for view, part_id in zip(outputs, part_ids, strict=True):
        parts.setdefault(part_id, []).append(view)
    return parts


def part_scores(parts: Parts, settings: Settings) -> Scores:
    """Scores (parts, scores) of the worst view; NaN where a view lacks a region that it takes.

    The columns are those of `score_names`. What was not found in a view may be defective there, so
    such a part cannot pass, here and in the service alike: it goes to review.
    """
    names = score_names(settings.line)
    by_part = [
        [_complete_scores(view, settings) for view in views] for views in parts.values()
    ]
    # NaN is the largest of all to numpy: one view without a score leaves the part without
    rows = [
        [np.max([view.get(name, np.nan) for view in views]) for name in names]
        for views in by_part
    ]
    return np.array(rows, np.float64).reshape(-1, len(names))


def _complete_scores(view: ViewOutputs, settings: Settings) -> dict[str, float]:
    """The scores of a view, the fused one only where no region is missing."""
    scores = scores_of(view, settings)
    if len(scores) < len(score_names(settings.line)):
        scores.pop(FUSED, None)
    return scores


def view_scores(
    views: Sequence[ViewOutputs], calibrations: Mapping[str, Calibration]
) -> Scores:
    """Scores (views, detectors); NaN where a view lacks the detector's region."""
    table = np.full((len(views), len(calibrations)), np.nan)
    for row, view in enumerate(views):
        for column, (name, calibration) in enumerate(calibrations.items()):
            if name in view.detectors:
                values = view.detectors[name].values
                table[row, column] = float(calibration.scores(values))
    return table


def out_of_fold_table(index: pd.DataFrame, values: Any) -> pd.DataFrame:
    """One row per crop of the index: its view, and the values (N, K) that a detector gives."""
    columns = {f"{VALUE}{number}": column for number, column in enumerate(values.T)}
    return index[["view_id", "path", "part_id"]].assign(**columns)


def read_out_of_fold(folder: Path) -> pd.DataFrame | None:
    """The table of a detector, or None where its model was trained without such scores."""
    file = folder / OUT_OF_FOLD
    return read_table(file) if file.exists() else None


def out_of_fold_parts(views: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> Parts:
    """What was said of the parts of these views, in the form in which a service measures them.

    `tables` is by detector. A view without a row had no such region to be judged.
    """
    values = {name: _values_by_view(table) for name, table in tables.items()}
    outputs = [_outputs(row, values) for row in views.itertuples()]
    return group_by_part(outputs, views["part_id"].tolist())


def _outputs(view: Any, values: Mapping[str, dict[str, Any]]) -> ViewOutputs:
    """What the detectors said of a view, without heat, which out of fold nobody looks at."""
    no_heat = np.zeros((1, 1), np.float32)
    detectors = {
        name: DetectorOutput.of(of_view[view.view_id], no_heat)
        for name, of_view in values.items()
        if view.view_id in of_view
    }
    return ViewOutputs(
        name=view.path,
        sha256=view.image_sha256,
        frame_size_px=(view.width_px, view.height_px),
        windows={},
        crops={},
        detectors=detectors,
    )


def _values_by_view(table: pd.DataFrame) -> dict[str, Any]:
    columns = [name for name in table if str(name).startswith(VALUE)]
    return dict(zip(table["view_id"], table[columns].to_numpy(), strict=True))
