"""Views that belong together: near-duplicates, copies, and the parts that they join."""

import json
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from inspection.curation.duplicates import Pair
from inspection.errors import InspectionError

# a group of near-duplicates joins 10 parts, or 30 % of all, at most: else no fold of 15 to 25 % can
# be drawn without it
LARGEST_GROUP = 10
LARGEST_SHARE = 0.3
# digits of a correlation in the list
DECIMALS = 4


def check_spread(table: pd.DataFrame) -> None:
    """Raise InspectionError where near-duplicates join so many parts that no split is left."""
    sizes = table.groupby("group_id")["part_id"].nunique()
    largest = int(sizes.max())
    n_parts = int(table["part_id"].nunique())

    if largest > max(LARGEST_GROUP, LARGEST_SHARE * n_parts):
        raise InspectionError(
            f"data: duplicates join {largest} of {n_parts} parts (group {sizes.idxmax()!r}), so "
            "they cannot be split; exclude frames that show no part in reviews/labels.csv, raise "
            "clean_labels.min_correlation, or correct validate.part_from"
        )


def components(n: int, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    """For each of `n` items the number of its connected component, counted by first item."""
    root = list(range(n))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for i, j in pairs:
        low, high = sorted((find(i), find(j)))
        root[high] = low
    return np.array([find(i) for i in range(n)], dtype=np.int64)


def with_groups(table: pd.DataFrame, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Columns `near_duplicate_group` ('' if alone) and `group_id`, the unit of splitting.

    A group of near-duplicates is named by its first view; a `group_id` joins parts that share
    near-duplicates or, by the column `copies`, a file of the same bytes. It is named by the first
    of them.
    """
    roots = components(len(table), [(i, j) for i, j, _ in pairs])
    sizes = np.bincount(roots, minlength=len(table))
    names = table["view_id"].to_numpy()[roots]
    groups = np.where(sizes[roots] > 1, names, "")

    joined = _joined_parts(
        part_ids=list(table["part_id"]),
        of_copies=[_parts_of_copies(cell) for cell in table["copies"]],
        groups=list(groups),
    )
    return table.assign(
        near_duplicate_group=groups,
        group_id=joined,
    )


def as_table(table: pd.DataFrame, pairs: Sequence[Pair]) -> pd.DataFrame:
    """One row per view that has a near-duplicate, with its highest correlation."""
    best = np.zeros(len(table))
    for i, j, correlation in pairs:
        best[i] = max(best[i], correlation)
        best[j] = max(best[j], correlation)

    grouped = table["near_duplicate_group"] != ""
    listed = table.assign(correlation=best.round(DECIMALS))[grouped]
    ordered = listed.sort_values(["near_duplicate_group", "path"], kind="stable")
    columns = ["near_duplicate_group", "view_id", "path", "part_id", "label"]
    return ordered[[*columns, "correlation"]].reset_index(drop=True)


def _parts_of_copies(cell: str) -> list[str]:
    return [copy["part_id"] for copy in json.loads(cell)]


def _joined_parts(
    *,
    part_ids: Sequence[str],
    of_copies: Sequence[Sequence[str]],
    groups: Sequence[str],
) -> list[str]:
    """For each view the first of all the parts that its own part is joined with."""
    first_with: dict[tuple[str, str], int] = {}
    pairs = []
    for i, part in enumerate(part_ids):
        keys = [("part", one) for one in (part, *of_copies[i])]
        if groups[i]:
            keys.append(("group", groups[i]))
        for key in keys:
            first = first_with.setdefault(key, i)
            pairs.append((first, i))

    roots = components(len(part_ids), pairs)
    first_part: dict[int, str] = {}
    for root, part in zip(roots, part_ids, strict=True):
        first_part[root] = min(first_part.get(root, part), part)
    return [first_part[root] for root in roots]
