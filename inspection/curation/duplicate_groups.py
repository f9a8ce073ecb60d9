"""Views that belong together: near-duplicates, copies, and the parts that they join."""

import json
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from inspection.curation.duplicates import Pair
from inspection.errors import InspectionError

# a group of near-duplicates joins 10 parts, or 30 % of all, at most: else no fold of 15 to 25 % can
# be drawn without it
LARGEST_GROUP = 10
LARGEST_SHARE = 0.3
# correlation that copies have and more: re-encoded, brightened, shifted by some pixels
COPIES_FROM = 0.8
# digits of a correlation in the list
DECIMALS = 4


def check_spread(table: pd.DataFrame, pairs: Sequence[Pair]) -> None:
    """Raise InspectionError where near-duplicates join so many parts that no split is left.

    `pairs` are those by which the table has its groups.
    """
    if _can_be_split(table):
        return

    sizes = _parts_by_group(table)
    found = (
        f"data: duplicates join {sizes.max()} of {sizes.sum()} parts (group {sizes.idxmax()!r}), "
        f"so they cannot be split: {_largest_of(sizes)} at most"
    )
    remedies = [
        "correct validate.part_from where they are shots of one part",
        "exclude the frames in reviews/labels.csv where they show no part",
    ]
    enough = splitting_correlation(table, pairs)
    if enough is not None:
        remedies.insert(0, _raised(enough, table, pairs))
    raise InspectionError(f"{found}; {', or '.join(remedies)}")


def splitting_correlation(table: pd.DataFrame, pairs: Sequence[Pair]) -> float | None:
    """The lowest clean_labels.min_correlation, in hundredths, by which the parts can be split.

    None where no such value parts them, as where files of the same bytes join them.
    """
    if not pairs:
        return None

    lowest = min(correlation for *_, correlation in pairs)
    for hundredths in range(math.ceil(100 * lowest), 101):
        enough = hundredths / 100
        if _can_be_split(_with_groups_from(table, pairs, enough)):
            return enough
    return None


def _raised(enough: float, table: pd.DataFrame, pairs: Sequence[Pair]) -> str:
    """The remedy for parts that merely look alike, and what it costs."""
    joined = _parts_by_group(_with_groups_from(table, pairs, enough)).max()
    text = (
        f"set clean_labels.min_correlation to {enough} in params.yaml where they are parts of one "
        f"design that look alike (it joins {joined} at most"
    )
    if enough > COPIES_FROM:
        text += ", and may take a copy that was stored anew for another part"
    return f"{text})"


def _with_groups_from(
    table: pd.DataFrame, pairs: Sequence[Pair], min_correlation: float
) -> pd.DataFrame:
    """The table with the groups that a higher `min_correlation` gives."""
    # a pair is found by a higher one as well, as long as its correlation reaches it
    kept = [pair for pair in pairs if pair[2] >= min_correlation]
    return with_groups(table, kept)


def _can_be_split(table: pd.DataFrame) -> bool:
    sizes = _parts_by_group(table)
    return int(sizes.max()) <= _largest_of(sizes)


def _parts_by_group(table: pd.DataFrame) -> pd.Series:
    """How many parts each group joins; a part is in one group."""
    return table.groupby("group_id")["part_id"].nunique()


def _largest_of(sizes: pd.Series) -> int:
    """The most parts that a group may join where groups are of these sizes."""
    return max(LARGEST_GROUP, int(LARGEST_SHARE * sizes.sum()))


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
