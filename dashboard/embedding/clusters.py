"""Clusters of views that are a camera, a day or another circumstance, as the shortcut audit has it.

A cluster is named where nearly all of its views share a circumstance that most others do not have,
and that by the audit of stage split tells a class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dashboard.embedding.atlas import spreads
from dashboard.embedding.plane import Area
from inspection.geometry import Floats

# Clusters that are looked for: more than a line has cameras and classes, and few enough to read.
N_CLUSTERS = 12
# Of numbers, as brightness or the order of parts: quarters of all views.
N_LEVELS = 4
# So many of a cluster's views share what it is named by, and so much more often than all views.
MIN_SHARE, MIN_EXCESS = 0.8, 0.3
# no outcome: the same clusters at every look
SEED = 0
# no outcome: starts of k-means, of which the best counts
N_STARTS = 3


@dataclass(frozen=True)
class Cluster:
    """Views beside each other that share a circumstance: `level` of `name` in `share` of them.

    `overall` is how often it occurs among all views, 0..1, and `area` the box of the cluster on
    the plane.
    """

    n_views: int
    name: str
    level: str
    share: float
    overall: float
    area: Area

    def sentence(self, classes: Mapping[str, str]) -> str:
        """In words; `classes` is the class that each circumstance tells."""
        tells = classes[self.name]
        return (
            f"{self.n_views} views: {self.name} {self.level} in {100 * self.share:.0f} % of them, "
            f"in {100 * self.overall:.0f} % of all; by the audit {self.name} tells {tells}"
        )


def clusters(
    embeddings: Floats, points: pd.DataFrame, circumstances: pd.DataFrame
) -> list[Cluster]:
    """The clusters among points that a circumstance names, the largest first.

    `circumstances` has a row per view: its `path`, and a column for each that tells a class.
    """
    from sklearn.cluster import KMeans

    known = points.merge(circumstances, on="path", suffixes=("", " of the audit"))
    names = [str(name) for name in circumstances if name != "path"]
    if len(known) <= N_CLUSTERS or not names:
        return []

    scaled = embeddings[known["number"].to_numpy()] / spreads(embeddings)
    means = KMeans(N_CLUSTERS, n_init=N_STARTS, random_state=SEED)
    number = means.fit_predict(scaled)
    levels = {name: _levels(circumstances, known, name) for name in names}

    found = []
    for one in range(N_CLUSTERS):
        cluster = _named(known, number == one, levels)
        if cluster is not None:
            found.append(cluster)
    return sorted(found, key=lambda cluster: -cluster.n_views)


def _levels(
    circumstances: pd.DataFrame, known: pd.DataFrame, name: str
) -> Sequence[str]:
    """The circumstance of each view as text; a number by the quarter that it lies in."""
    # the plane has a column of this name where the manifest does
    column = f"{name} of the audit" if f"{name} of the audit" in known else name
    values = known[column]
    if not pd.api.types.is_numeric_dtype(values):
        return list(values.astype(str))

    ends = np.unique(np.quantile(circumstances[name], np.linspace(0, 1, N_LEVELS + 1)))
    inner = ends[1:-1]
    place = np.searchsorted(inner, values, side="right")
    return [f"{ends[at]:.3g} to {ends[at + 1]:.3g}" for at in place]


def _named(
    known: pd.DataFrame, is_inside: Any, levels: Mapping[str, Sequence[str]]
) -> Cluster | None:
    """The cluster by the circumstance that it has most beyond all views; None where by none."""
    best = None
    for name, texts in levels.items():
        values = pd.Series(texts)
        shares = values[is_inside].value_counts(normalize=True)
        level, share = shares.index[0], float(shares.iloc[0])
        overall = float((values == level).mean())
        is_plain = share >= MIN_SHARE and share - overall >= MIN_EXCESS
        if is_plain and (best is None or share - overall > best.share - best.overall):
            inside = known[is_inside]
            area = Area.of(
                (inside["x"].min(), inside["x"].max()),
                (inside["y"].min(), inside["y"].max()),
            )
            best = Cluster(len(inside), name, str(level), share, overall, area)
    return best
