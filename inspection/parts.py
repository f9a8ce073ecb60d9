"""From views to parts: a part is as bad as its worst view."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd


def part_label(labels: Sequence[str], normal: str) -> str:
    """The label of a part: its most frequent defect, or normal when every view is.

    >>> part_label(["normal", "dent", "normal"], "normal")
    'dent'
    """
    defects = sorted(label for label in labels if label != normal)
    return max(defects, key=defects.count) if defects else normal


def labels_of_parts(views: pd.DataFrame, normal: str) -> dict[str, str]:
    """The label of each part from the columns `part_id` and `label` of its views."""
    grouped = views.groupby("part_id", sort=False)["label"]
    return {str(part): part_label(list(labels), normal) for part, labels in grouped}


def by_part(
    index: pd.DataFrame, probabilities: Any, classes: Sequence[str]
) -> pd.DataFrame:
    """One row per part from the probabilities (views, classes) of its views; class 0 is normal.

    Columns: `part_id`, `label`, `predicted`, `score` (1 - P(normal) of the worst view, 0..1,
    higher is more suspicious) and `row` (the worst view's row in `index`).
    """
    names = np.asarray(classes, dtype=object)
    most_likely = probabilities.argmax(axis=1)
    table = pd.DataFrame(
        {
            "part_id": index["part_id"].to_numpy(),
            "label": index["label"].to_numpy(),
            "score": 1.0 - probabilities[:, 0],
            "predicted": names[most_likely],
            "row": np.arange(len(index)),
        }
    )
    parts = table.groupby("part_id")
    labels = parts["label"].agg(lambda of: part_label(list(of), classes[0]))

    worst = table.loc[parts["score"].idxmax()]
    label_of_part = worst["part_id"].map(labels)
    return worst.assign(label=label_of_part).reset_index(drop=True)


def confusion(
    labels: Sequence[str], predicted: Sequence[str], classes: Sequence[str]
) -> Any:
    """Counts (classes, classes): rows are the labels, columns the predictions."""
    table = np.zeros((len(classes), len(classes)), int)
    number = {name: i for i, name in enumerate(classes)}
    for label, guess in zip(labels, predicted, strict=True):
        row, column = number[label], number[guess]
        table[row, column] += 1
    return table


def f1_by_class(table: Any) -> Any:
    """F1 per class (..., classes), 0..1, from confusion tables (..., classes, classes); NaN for a
    class without parts and predictions."""
    hits = np.diagonal(table, axis1=-2, axis2=-1).astype(float)
    n_predicted = np.sum(table, axis=-2)
    n_labelled = np.sum(table, axis=-1)
    total = n_predicted + n_labelled
    with np.errstate(invalid="ignore"):
        return np.where(total > 0, 2 * hits / total, np.nan)


def macro_f1(
    labels: Sequence[str], predicted: Sequence[str], classes: Sequence[str]
) -> float:
    """Mean F1 over the classes that have parts or predictions, 0..1."""
    table = confusion(labels, predicted, classes)
    return float(np.nanmean(f1_by_class(table)))
