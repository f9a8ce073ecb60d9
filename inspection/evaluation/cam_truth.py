"""The deployed heatmap held against the labelled place of the defect."""

from typing import Any

import numpy as np
import pandas as pd

from inspection.evaluation.cam_scores import measures
from inspection.evaluation.part_scores import Parts
from inspection.evaluation.rates import upper_bound
from inspection.geometry import Image
from inspection.models.crops import UNKNOWN, Crops
from inspection.runtime.bundle import Settings
from inspection.runtime.detectors import CLASSIFIER
from inspection.runtime.views import DetectorOutput


def cam_truth(parts: Parts, settings: Settings, crops: Crops) -> dict[str, Any]:
    """The deployed heatmap against the labelled place, on views whose defect is truly predicted.

    Means of the measures of `cam_scores.measures` over such views, `n` and `n_parts`; the bound of
    `pointing` is one-sided 95 % by part, of which one misses when one of its views does.
    `pointing_of_centre` is what a heatmap would reach that always points at the middle of the crop.
    """
    row_of = {path: row for row, path in enumerate(crops.index["path"])}
    measured = []
    for part_id, views in parts.items():
        for view in views:
            output = view.detectors.get(CLASSIFIER)
            row = row_of.get(view.name)
            if output is None or row is None:
                continue

            found = _heat_measures(output, settings, crops, row)
            if found is not None:
                measured.append({"part_id": part_id, **found})

    return _summary(pd.DataFrame(measured)) if measured else {"n": 0, "n_parts": 0}


def _summary(measured: pd.DataFrame) -> dict[str, Any]:
    """Means over views, and the bound of `pointing` over parts."""
    table = measured.set_index("part_id")
    worst = table["pointing"].groupby(level=0).min()
    n_missed = int((worst < 1).sum())
    means = {str(name): float(value) for name, value in table.mean().items()}
    return {
        "n": len(table),
        "n_parts": len(worst),
        "pointing_lower_bound": 1 - upper_bound(n_missed, len(worst)),
        **means,
    }


def _heat_measures(
    output: DetectorOutput, settings: Settings, crops: Crops, row: int
) -> dict[str, float] | None:
    """Measures of one view; None where nothing is to point at, or another class is predicted."""
    facts = crops.index.iloc[row]
    number = settings.classifier.classes.index(facts["label"])
    if number == 0 or facts["target"] == UNKNOWN:
        return None

    if int(output.values.argmax()) != number:
        return None

    target = np.array(crops.targets[row])
    of_centre = measures(_centre(target), target)["pointing"]
    found = measures(output.heat[number - 1], target)
    return found | {"pointing_of_centre": of_centre}


def _centre(target: Image) -> Any:
    """A heatmap that is hot in the middle alone."""
    centre = np.zeros(target.shape, np.float32)
    centre[target.shape[0] // 2, target.shape[1] // 2] = 1.0
    return centre
