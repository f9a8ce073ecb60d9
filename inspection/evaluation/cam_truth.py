"""The deployed heatmap held against the labelled place of the defect."""

from typing import Any

import numpy as np
import pandas as pd

from inspection.evaluation.cam_scores import measures
from inspection.evaluation.part_scores import Parts
from inspection.evaluation.rates import upper_bound
from inspection.models.crops import Crops
from inspection.runtime.bundle import Settings
from inspection.runtime.detectors import CLASSIFIER
from inspection.runtime.views import ViewOutputs


def cam_truth(parts: Parts, settings: Settings, crops: Crops) -> dict[str, Any]:
    """The deployed heatmap against the labelled place, on views whose defect is truly predicted.

    Means of the measures of `cam_scores.measures` over such views, `n` and `n_parts`; the bound of
    `pointing` is one-sided 95 % by part, of which one misses when one of its views does.
    `pointing_of_centre` is what a heatmap would reach that always points at the middle of the crop.
    """
    row_of = {path: row for row, path in enumerate(crops.index["path"])}
    measured = [
        {"part_id": part_id, **found}
        for part_id, views in parts.items()
        for view in views
        if view.name in row_of
        and (found := _heat_measures(view, settings, crops, row_of[view.name]))
        is not None
    ]
    if not measured:
        return {"n": 0, "n_parts": 0}
    table = pd.DataFrame(measured).set_index("part_id")
    worst = table["pointing"].groupby(level=0).min()
    bound = 1 - upper_bound(int((worst < 1).sum()), len(worst))
    means = {str(name): float(value) for name, value in table.mean().items()}
    return {
        "n": len(table),
        "n_parts": len(worst),
        "pointing_lower_bound": bound,
        **means,
    }


def _heat_measures(
    view: ViewOutputs, settings: Settings, crops: Crops, row: int
) -> dict[str, float] | None:
    facts = crops.index.iloc[row]
    number = settings.classifier.classes.index(facts["label"])
    output = view.detectors.get(CLASSIFIER)
    if number == 0 or facts["target"] == "unknown" or output is None:
        return None

    if int(output.values.argmax()) != number:
        return None

    target = np.array(crops.targets[row])
    centre = np.zeros(target.shape, np.float32)
    centre[target.shape[0] // 2, target.shape[1] // 2] = 1.0
    by_chance = {"pointing_of_centre": measures(centre, target)["pointing"]}
    return measures(output.heat[number - 1], target) | by_chance
