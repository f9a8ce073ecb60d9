"""Views on a plane, without the screen: places, what lies in a box, and how far clusters agree."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from dashboard.embedding.atlas import Atlas, spreads
from inspection.errors import InspectionError
from inspection.geometry import Floats
from inspection.texts import natural_order

LABEL, VERDICT, CAMERA, FOLD = "label", "verdict", "camera", "fold"
# No column of the manifest holds the time: as for the shortcut audit, the numbers of the parts
# stand for it.
TIME = "time"
COLOURED_BY = (LABEL, VERDICT, CAMERA, TIME, FOLD)
QUARTERS = ("first quarter", "second quarter", "third quarter", "last quarter")
# What a view is called that waits for a decision about its label, and so has no fold.
HELD = "held"
NO_CAMERA = "not named"
# Decimals of a place in the address: a hundredth of a spread is less than a point is wide.
DECIMALS = 2
# Axes of a plane, and the views that span one.
N_AXES, MIN_VIEWS = 2, 3


@dataclass(frozen=True)
class Plane:
    """The two directions in which embeddings (N, D) differ most: the first principal components.

    `places` (N, 2) are in spreads of an embedding's numbers, `shares` how much of all variance
    each axis shows.
    """

    places: Floats
    shares: tuple[float, float]


@dataclass(frozen=True)
class Area:
    """A box on the plane, its borders included."""

    left: float
    right: float
    bottom: float
    top: float

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The box that an address names as four numbers; None where it names none."""
        numbers = text.split(",")
        try:
            left, right, bottom, top = map(float, numbers)
        except ValueError:
            return None
        return cls(left, right, bottom, top)

    @classmethod
    def of(cls, across: Sequence[float], up: Sequence[float]) -> Self:
        """The box between two places on each axis, in any order, rounded outwards."""
        left, right = _rounded_outwards(across)
        bottom, top = _rounded_outwards(up)
        return cls(left, right, bottom, top)

    def __str__(self) -> str:
        ends = (self.left, self.right, self.bottom, self.top)
        return ",".join(f"{end:.{DECIMALS}f}" for end in ends)

    def holds(self, points: pd.DataFrame) -> Any:
        """Which points (`x`, `y`) lie in it."""
        in_width = points["x"].between(self.left, self.right)
        in_height = points["y"].between(self.bottom, self.top)
        return in_width & in_height


def _rounded_outwards(ends: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest place; outwards, so that no point falls out of its own box."""
    steps = 10**DECIMALS
    low = math.floor(min(ends) * steps) / steps
    high = math.ceil(max(ends) * steps) / steps
    return low, high


def plane(embeddings: Floats) -> Plane:
    """The plane of embeddings (N, D), each number in spreads over all views."""
    from sklearn.decomposition import PCA

    if len(embeddings) < MIN_VIEWS:
        raise InspectionError(
            f"embedding map: {len(embeddings)} views show the classified region; it takes "
            f"{MIN_VIEWS}, put more pictures into data/ and run `dvc repro`"
        )

    found = PCA(n_components=N_AXES, svd_solver="full")
    in_spreads = embeddings / spreads(embeddings)
    places = found.fit_transform(in_spreads)
    first, second = found.explained_variance_ratio_
    shares = (float(first), float(second))
    return Plane(places.astype(np.float32), shares)


def points_of(
    atlas: Atlas,
    places: Floats,
    manifest: pd.DataFrame,
    folds: pd.DataFrame,
) -> pd.DataFrame:
    """One row per view of the manifest that the atlas holds, with its place `x`, `y`.

    Beside the manifest's columns stand `verdict` (on its part), `time` (which quarter of the
    manifest's parts its part is in, by their order) and `fold` (`held` without one).
    """
    found = pd.DataFrame({"image_sha256": atlas.images})
    found[VERDICT] = atlas.verdicts
    found["number"] = range(len(found))
    found["x"] = places[:, 0].astype(float)
    found["y"] = places[:, 1].astype(float)
    # a copy of an image would stand once for each of its views, and again for each copy
    found = found.drop_duplicates("image_sha256")

    fold_of_view = folds[["view_id", FOLD]]
    times = quarters(manifest["part_id"].tolist())
    timed = manifest.assign(**{TIME: times})
    views = timed.merge(found, on="image_sha256", how="inner")
    views = views.merge(fold_of_view, on="view_id", how="left")
    views[FOLD] = views[FOLD].fillna(HELD)

    if CAMERA not in views:
        views[CAMERA] = ""
    cameras = views[CAMERA].fillna("")
    views[CAMERA] = cameras.replace("", NO_CAMERA)
    return views.sort_values(["part_id", "path"], ignore_index=True)


def quarters(part_ids: Sequence[str]) -> list[str]:
    """In which quarter of the parts each lies, in the order of the numbers in their names.

    >>> quarters(["9", "10", "9", "11", "12"])
    ['first quarter', 'second quarter', 'first quarter', 'third quarter', 'last quarter']
    """
    places = natural_order(part_ids)
    n_parts = max(places, default=0) + 1
    return [QUARTERS[len(QUARTERS) * place // n_parts] for place in places]


def agreement(embeddings: Floats, points: pd.DataFrame, column: str) -> Any:
    """How often the most similar view of another part has the same value, and how often by chance.

    Returns (share, chance), each 0..1; None where there is no view of another part. By chance is
    what neighbours drawn at random would give: the sum of squared shares of the values.
    """
    from sklearn.neighbors import NearestNeighbors

    parts = points["part_id"].to_numpy()
    values = points[column].to_numpy()
    if len(set(parts)) < 2:
        return None

    # among so many neighbours and itself, one is of another part
    largest_part = int(points["part_id"].value_counts().max())
    n_asked = min(largest_part + 1, len(points))
    chosen = embeddings[points["number"].to_numpy()]
    scaled = chosen / spreads(embeddings)
    neighbours = NearestNeighbors(n_neighbors=n_asked).fit(scaled)
    order = neighbours.kneighbors(scaled, return_distance=False)

    is_other = parts[order] != parts[:, None]
    # argmax finds the first true one, and neighbours come in the order of their distance
    first_other = is_other.argmax(axis=1)
    each_view = np.arange(len(order))
    nearest = order[each_view, first_other]
    agrees = values[nearest] == values

    shares = points[column].value_counts(normalize=True)
    by_chance = (shares**2).sum()
    return float(agrees.mean()), float(by_chance)


def counted(values: Iterable[str]) -> str:
    """How often each value occurs, in words, the most frequent first.

    >>> counted(["dent", "slide", "dent"])
    '2 dent, 1 slide'
    """
    counts = pd.Series(list(values), dtype=str).value_counts()
    words = [f"{n} {name}" for name, n in counts.items()]
    return ", ".join(words)
