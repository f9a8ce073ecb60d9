"""How well scores separate defective parts once a circumstance is matched: like is held against
like, so that a model which reads the camera instead of the defect shows it.
"""

from typing import Any

import numpy as np
import pandas as pd

from inspection.evaluation.auroc import auroc
from inspection.runtime.detectors import FUSED

# Into so many equal shares the parts are divided by a circumstance that is a number: a quarter of
# some fifty defective parts still holds a dozen.
N_SHARES = 4


def matched_measures(
    table: pd.DataFrame, circumstances: pd.DataFrame, normal: str
) -> dict[str, dict[str, Any]]:
    """Per column of `circumstances` the AUROC of the fused score among parts that share its value.

    `table` has a row per part (`outcomes`), and a part's circumstances are those of its worst view,
    which `circumstances` names by `path`. Each comes with the AUROC of the same parts unmatched and
    with n; parts whose view it does not name are left out. A column for which no value has parts of
    both kinds is left out, too.
    """
    found = table.merge(circumstances, left_on="worst_view", right_on="path")
    is_defective = (found["label"] != normal).to_numpy()
    scores = found[FUSED].to_numpy()
    unmatched = auroc(is_defective, scores)

    measures = {}
    for name in circumstances.columns.drop("path"):
        matched = matched_auroc(scores, is_defective, alike(found[name]))
        if matched is None:
            continue
        measures[str(name)] = {
            "auroc": matched,
            "unmatched_auroc": unmatched,
            "n_parts": len(found),
        }
    return measures


def alike(values: pd.Series) -> Any:
    """For each value the number of the group of like ones: itself, or its share of the numbers."""
    is_number = pd.api.types.is_numeric_dtype(values)
    if is_number and values.nunique() > N_SHARES:
        return pd.qcut(values, N_SHARES, labels=False, duplicates="drop").to_numpy()
    codes, _ = pd.factorize(values)
    return codes


def matched_auroc(scores: Any, is_defective: Any, groups: Any) -> float | None:
    """Of all pairs of a defective and a normal part of one group, in how many the defective one
    scores higher; ties count half. None without such a pair.

    It is the AUROC stratified by group (the covariate-adjusted ROC of Janes and Pepe 2009, for
    groups).

    >>> matched_auroc(np.array([1, 2, 3, 4]), np.array([0, 1, 0, 1], bool), np.array([0, 0, 1, 1]))
    1.0
    """
    n_pairs = 0
    n_above = 0.0
    for group in np.unique(groups):
        is_here = groups == group
        defective = scores[is_here & is_defective]
        normal = scores[is_here & ~is_defective]
        difference = defective[:, None] - normal[None, :]
        n_pairs += difference.size
        n_above += (difference > 0).sum() + (difference == 0).sum() / 2

    if n_pairs == 0:
        return None
    return float(n_above / n_pairs)
