"""Which defect the classifier names, against the label: confusion and macro-F1 by part."""

from typing import Any

import numpy as np
import pandas as pd

from inspection.errors import InspectionError
from inspection.evaluation.rates import CONFIDENCE
from inspection.line import Line
from inspection.parts import confusion, f1_by_class, macro_f1
from inspection.runtime.detectors import CLASSIFIER
from inspection.runtime.verdict import NOT_FOUND, PartVerdict

# Tables drawn for the bound of macro-F1: its 5 % quantile is then steady to about 0.005.
# no outcome: one draw more or less moves it by less than that.
N_DRAWS = 4000


def classified(part: PartVerdict) -> str:
    """The class that the classifier gives a part: the likeliest one of its worst view.

    `not_found` where its region was found in no view.
    """
    views = [view for view in part.views if view.probabilities]
    if not views:
        return NOT_FOUND

    worst = max(views, key=lambda view: view.scores[CLASSIFIER])
    return max(worst.probabilities, key=lambda name: worst.probabilities[name])


def classification(table: pd.DataFrame, line: Line) -> dict[str, Any]:
    """Macro-F1 and confusion of the classifier by part, on labels as they show in its region.

    A part whose region was not found was not classified: it is counted as `n_not_found` and left
    out of both. The lower bound of macro-F1 is one-sided 95 %. Raises InspectionError where none
    was classified.
    """
    classes = line.classifier_classes
    rows = confusion_rows(table, line)
    if rows.empty:
        raise InspectionError(
            f"line.regions.{line.classify}: found in none of {len(table)} test parts, so nothing "
            "can be said of the classifier; box it in more frames, or raise crop.locator_epochs"
        )

    labels, predicted = rows["actual"].tolist(), rows["predicted"].tolist()
    counts = confusion(labels, predicted, classes)
    found = macro_f1(labels, predicted, classes)
    return {
        "classes": list(classes),
        "macro_f1": found,
        # the prior lifts that of a table without a hit above what was found
        "macro_f1_lower_bound": min(found, macro_f1_bound(counts)),
        "n_parts": len(rows),
        "n_not_found": len(table) - len(rows),
        "confusion": counts.tolist(),
    }


def confusion_rows(table: pd.DataFrame, line: Line) -> pd.DataFrame:
    """One row per classified part: columns `actual` and `predicted`, as `dvc plots` reads them."""
    table = table[table["classified"] != NOT_FOUND]
    actual = [line.label_in(line.classify, label) for label in table["label"]]
    return pd.DataFrame({"actual": actual, "predicted": table["classified"].tolist()})


def macro_f1_bound(
    table: Any, confidence: float = CONFIDENCE, *, seed: int = 0
) -> float:
    """The one-sided lower bound of the macro-F1 of a confusion table (classes, classes).

    What each class is taken for is drawn from its posterior, under a prior that weighs as much as
    one part a class (Perks 1947), for as many parts as there were; so a perfect table is bounded
    too. Nothing is drawn for a class without parts and predictions.

    >>> [round(macro_f1_bound(np.diag([n, n])), 2) for n in (5, 50)]
    [0.76, 0.97]
    """
    occurs = (table.sum(axis=0) + table.sum(axis=1)) > 0
    table = table[np.ix_(occurs, occurs)]
    sizes = table.sum(axis=1)

    generator = np.random.default_rng(seed)
    shares = [generator.dirichlet(row + 1 / len(table), N_DRAWS) for row in table]
    drawn = np.stack(shares, axis=1) * sizes[:, None]
    scores = f1_by_class(drawn).mean(axis=-1)
    return float(np.quantile(scores, 1 - confidence))
