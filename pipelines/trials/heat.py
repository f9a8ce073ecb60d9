"""Where heat lies on parts that a trial held back: on the defect, on the crop's edge, elsewhere.

It is measured in the project's folder as the trial has left it, by the bundle that was assembled.
"""

import os
from pathlib import Path

import pandas as pd

from inspection.curation.folds import HELD_BACK
from inspection.evaluation.cam_truth import cam_truth
from inspection.models.crops import Crops, load_crops
from inspection.runtime.bundle import Card
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View

DATA, CROPS, BUNDLE = Path("data"), Path("artifacts/crops"), Path("models/bundle")
# Shares of the heat, which sum to one. What lies elsewhere is the noise of a heatmap.
SHARES = ("energy", "edge", "elsewhere")
COLUMNS = ("part_id", "n_views", *SHARES)


def heat_by_part() -> pd.DataFrame:
    """A row per part of which a view shows a defect that the classifier names: COLUMNS.

    Shares, 0..1, are means over these views, `n_views` in number, of the measures of
    `cam_scores.measures`; `elsewhere` is what is left of one.
    """
    inspector = Inspector(BUNDLE, threads=os.cpu_count() or 1)
    card = inspector.card
    crops = load_crops(CROPS, card.line.classify).without_images()

    rows = []
    for part_id, of_part in _defective(crops, card).groupby("part_id", sort=False):
        views = [View(path, (DATA / path).read_bytes()) for path in of_part["path"]]
        outputs = [inspector.measure(view) for view in views]
        found = cam_truth({str(part_id): outputs}, card, crops)
        if not found["n"]:
            continue

        energy, edge = found["energy"], found["edge"]
        rows.append((part_id, found["n"], energy, edge, 1 - energy - edge))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _defective(crops: Crops, card: Card) -> pd.DataFrame:
    """The crops of parts held back that show a defect whose place is known."""
    index = crops.index
    normal, *_ = card.classifier.classes
    is_held_back = index["fold"].isin(HELD_BACK)
    is_told = (index["label"] != normal) & (index["target"] != "unknown")
    return index[is_held_back & is_told]
