"""Normals that look least normal to an anomaly model fitted without them: their label may be wrong.

The model's own limit says which are listed: it is set so that a small share of the parts called
normal lies beyond it. So some are always listed, however right the labels are.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from inspection.storage import read_json

# views of a region that are listed at most, the least normal first: about what a person looks at in
# an hour, as of the suspects by clean_labels.n_issues
MAX_LISTED = 100
# what stage fit_anomaly writes of a region: all normal views, ranked, and how scores are read
RANKED = "suspects.csv"
CALIBRATION = "calibration.json"


@dataclass(frozen=True)
class LeastNormal:
    """The views listed of one region, least normal first, and of how many normal ones.

    `views` has columns view_id, path, part_id and score, in spreads of the normal ones; it rises
    beyond `limit` in all of them. `n_beyond` views lie beyond it, of which MAX_LISTED are listed;
    so do `n_parts_beyond` of `n_parts` normal parts, by their worst view.
    """

    views: pd.DataFrame
    n_views: int
    n_beyond: int
    limit: float
    n_parts_beyond: int
    n_parts: int

    def __str__(self) -> str:
        """How many are listed, and why that many."""
        listed = f"{len(self.views)} of {self.n_views} views"
        if self.n_beyond > len(self.views):
            listed += f", the first of {self.n_beyond}"
        return (
            f"{listed} whose score lies beyond {self.limit:.2f} standard deviations, the limit of "
            f"the anomaly model, beyond which {self.n_parts_beyond} of {self.n_parts} normal parts "
            "lie (fit_anomaly.false_reject_rate)"
        )


def least_normal(ranked: pd.DataFrame, evidence: dict[str, float | int]) -> LeastNormal:
    """Those of all normal views, `ranked`, that lie beyond the limit of the model's `evidence`.

    Both are as stage fit_anomaly writes them, in suspects.csv and calibration.json.
    """
    limit = float(evidence["threshold"])
    # the limit is one of the scores, which are of 32 bits and written as short as that allows
    is_beyond = ranked["score"].astype(np.float32) > np.float32(limit)
    beyond = ranked[is_beyond]
    return LeastNormal(
        views=beyond.head(MAX_LISTED).reset_index(drop=True),
        n_views=len(ranked),
        n_beyond=len(beyond),
        limit=limit,
        n_parts_beyond=int(evidence["false_rejects"]),
        n_parts=int(evidence["n_val_normals"]),
    )


def read_least_normal(folder: Path) -> LeastNormal | None:
    """What is listed of the region whose anomaly model lies in the folder; None before it does."""
    if not (folder / RANKED).is_file():
        return None

    ranked = pd.read_csv(
        folder / RANKED,
        # a number of a part keeps its zeros in front
        dtype={"view_id": str, "part_id": str},
        keep_default_na=False,
    )
    evidence = read_json(folder / CALIBRATION)["evidence"]
    return least_normal(ranked, evidence)
