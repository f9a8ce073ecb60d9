"""Which views show one part, guessed from the names, and what speaks for the guess."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from inspection.folder_guesses import CAMERA, GENERIC, SPLITS
from inspection.name_shapes import Shape
from inspection.names import PartFrom

LEAST_PURITY = 0.85
LEAST_RARE_PURITY = 0.6
VIEWS_A_PART = (1.3, 30.0)
MOST_VIEWS = 24
LEAST_PARTS = 4
LEAST_RUNS = 8
LEAST_SEPARATION = 0.75
LEAST_MODAL_SHARE = 0.3
LEAST_NUMBERED = 0.9
LEAST_ACROSS = 2
LEAST_ALIKE = 0.5
GROUP = "part"
COUNTED_ANEW = re.compile(
    r"(?:20)?\d{2}([-_. ]?)\d{2}\1\d{2}|"
    r"(?:lot|batch|day|date|shift|run|session|week|box|tray|로트|배치)[-_. ]*\d*"
)


@dataclass(frozen=True)
class PartGuess:
    """The rule for the part, the span of columns that holds its key, and what speaks for it."""

    part_from: PartFrom
    span: tuple[int, int] | None
    evidence: str


@dataclass(frozen=True)
class Runs:
    """How the numbers of views cluster: the gap that parts the runs, and how clearly."""

    max_gap: int
    separation: float
    keys: tuple[int, ...]


def guess_part(
    shape: Shape, folders: Sequence[str], labels: Sequence[str], *, label_column: int | None
) -> PartGuess | None:
    """The rule that makes parts of several views with one label each, or None.

    `folders` and `labels` are those of the views, in the order of the columns. A label '' speaks
    neither for nor against a part: a view may show nothing of the defect that another shows.
    """
    by_key = _by_key(shape, folders, labels, label_column)
    return by_key or _by_runs(shape, labels)


def guess_folder(folders: Sequence[str], labels: Sequence[str]) -> PartGuess | None:
    """The rule `folder`, where the images lie in many small folders of one label each.

    Where not all views have a label, the folders must be many and mostly of one size. A folder
    that is named by the label, by a split, a day or a lot, or generally, is no part; nor
    is one whose name stands under several labels.
    """
    n_parts = len(set(folders))
    few, many = VIEWS_A_PART
    fits = n_parts >= 2 * len(set(labels)) and few <= len(folders) / n_parts <= many
    names = {PurePosixPath(folder).name for folder in folders}
    named = {one.lower() for one in names}
    general = named & (GENERIC | SPLITS) or any(map(COUNTED_ANEW.fullmatch, named))
    if not fits or names & set(labels) or general:
        return None
    sizes = Counter(Counter(folders).values())
    alike = n_parts >= LEAST_RUNS and max(sizes.values()) >= LEAST_ALIKE * n_parts
    if not _agree(_beside_classes(folders, labels), labels) or ("" in labels and not alike):
        return None
    agree = "" if "" in labels else ", of one label each"
    evidence = f"{n_parts} folders of {len(folders) / n_parts:.1f} images each{agree}"
    return PartGuess(PartFrom(rule="folder"), None, evidence)


def each_file_a_part(folders: Sequence[str], labels: Sequence[str]) -> PartGuess:
    """What is left when nothing groups the images, or no group of them would be normal."""
    told = "nothing in the names groups several images"
    by_folder = guess_folder(folders, [""] * len(folders)) if "" in labels else None
    if by_folder is not None:
        told = (
            f"{by_folder.evidence} look like parts, but hardly one of them is normal in all "
            "images, and overkill could not be judged"
        )
    return PartGuess(PartFrom(rule="file"), None, f"{told}, so each image is a part of its own")


def runs_of(numbers: Sequence[int]) -> Runs:
    """Numbers split where the step to the next is large; the threshold is Otsu's on log steps.

    `separation` 0..1 is the share of the variance of the log steps that the split explains (about
    0.64 for numbers drawn at random). Keys are in the order given.
    """
    values = np.asarray(numbers, np.int64)
    order = np.argsort(values, kind="stable")
    steps = np.diff(values[order])
    threshold, separation = _otsu(np.log(np.maximum(steps, 1)))
    max_gap = max(1, int(np.exp(threshold)))
    keys = np.empty(len(values), np.int64)
    keys[order] = np.concatenate([[0], np.cumsum(steps > max_gap)])
    return Runs(max_gap, separation, tuple(keys.tolist()))


def _by_key(
    shape: Shape, folders: Sequence[str], labels: Sequence[str], label_column: int | None
) -> PartGuess | None:
    """The span of columns that makes the fewest groups which still look like parts."""
    n, beside = len(shape.columns), _beside_classes(folders, labels)
    candidates: list[tuple[bool, int, int, int, int]] = []
    for first in range(n):
        for last in range(first, n):
            if first < last == n - 1 and shape.last_is_optional:
                continue
            for per_folder in (False, True):
                keys = _keys(shape, first, last, folders if per_folder else None)
                if _look_like_parts(
                    shape, keys, labels, first, last, label_column
                ) and not _counted_anew(keys, beside, labels):
                    n_parts = len(set(keys))
                    candidates.append((per_folder, n_parts, last - first, first, last))
    if not candidates:
        return None
    per_folder, n_parts, _, first, last = min(candidates)
    rule = PartFrom(rule="pattern", group=GROUP, per_folder=per_folder)
    keys = _keys(shape, first, last, folders if per_folder else None)
    told = (
        f"{len(keys)} images share {n_parts} values such as {shape.columns[first].told[0]!r} in "
        f"their names, {len(keys) / n_parts:.1f} each; {_purity(keys, labels):.0%} of these groups "
        "have one label"
    )
    return PartGuess(rule, (first, last), told)


def guess_copies(
    cores: Sequence[str], folders: Sequence[str], labels: Sequence[str]
) -> PartGuess | None:
    """The whole name as the part, where augmented copies of an image share it; else None.

    Where equal names have several labels, each folder counts for itself.
    """
    if len(set(cores)) == len(cores):
        return None
    per_folder = not _agree(cores, labels)
    n_parts = len(set(zip(folders, cores, strict=True) if per_folder else cores))
    told = f"{len(cores)} images are copies of {n_parts}, of one name but for `.rf.` and a hash"
    return PartGuess(PartFrom(rule="pattern", group=GROUP, per_folder=per_folder), None, told)


def _keys(
    shape: Shape, first: int, last: int, folders: Sequence[str] | None
) -> list[tuple[str, ...]]:
    columns = [column.values for column in shape.columns[first : last + 1]]
    return list(zip(*([folders] if folders else []), *columns, strict=True))


def _look_like_parts(
    shape: Shape,
    keys: Sequence[tuple[str, ...]],
    labels: Sequence[str],
    first: int,
    last: int,
    label_column: int | None,
) -> bool:
    n_parts = len(set(keys))
    few, many = VIEWS_A_PART
    others = [
        column
        for i, column in enumerate(shape.columns)
        if not first <= i <= last and i != label_column
    ]
    has_number = any(
        c.isdecimal() for key in keys[:100] for c in "".join(key[-(last - first + 1) :])
    )
    return (
        has_number
        and n_parts >= max(LEAST_PARTS, 2 * len(set(labels)))
        and few <= len(keys) / n_parts <= many
        and all(column.n_distinct <= MOST_VIEWS for column in others)
        and not any(set(column.told) <= SPLITS for column in others if column.n_distinct > 1)
        and _agree(keys, labels)
    )


def _by_runs(shape: Shape, labels: Sequence[str]) -> PartGuess | None:
    """A column of numbers that cluster: shots of one part were numbered close together."""
    for i, column in enumerate(shape.columns):
        if not column.is_number or column.n_distinct < LEAST_NUMBERED * len(column.told):
            continue
        runs = runs_of([int(value or 0) for value in column.values])
        sizes = Counter(Counter(runs.keys).values())
        n_parts = sizes.total()
        size, n_usual = max(
            ((s, n) for s, n in sizes.items() if s > 1), key=lambda x: x[1], default=(1, 0)
        )
        mean = len(labels) / n_parts
        purity = _purity(runs.keys, labels)
        if (
            runs.separation >= LEAST_SEPARATION
            and n_parts >= max(LEAST_RUNS, 2 * len(set(labels)))
            and VIEWS_A_PART[0] <= mean <= VIEWS_A_PART[1]
            and n_usual >= LEAST_MODAL_SHARE * n_parts
            and _agree(runs.keys, labels)
        ):
            told = (
                f"the numbers come in {n_parts} runs with steps up to {runs.max_gap} within and "
                f"larger ones between ({runs.separation:.0%} of the spread of steps explained); "
                f"{n_usual / n_parts:.0%} of the runs have {size} images, and {purity:.0%} "
                "have one label"
            )
            rule = PartFrom(rule="consecutive", group="number", max_gap=runs.max_gap)
            return PartGuess(rule, (i, i), told)
    return None


def _agree(keys: Sequence[object], labels: Sequence[str]) -> bool:
    """Whether groups of equal keys mostly have one label, those of a rare label among them.

    Where nine of ten views are normal, groups put together by chance agree as well, but hardly one
    of those that hold a defect does. Where views may be normal by themselves (''), some groups
    are normal throughout: without normal parts there is nothing to judge overkill by.
    """
    usual = Counter(labels).most_common(1)[0][0]
    rare = {key for key, label in zip(keys, labels, strict=True) if label != usual}
    among = [pair for pair in zip(keys, labels, strict=True) if pair[0] in rare]
    of_rare = _purity([key for key, _ in among], [label for _, label in among])
    agree = _purity(keys, labels) >= LEAST_PURITY and of_rare >= LEAST_RARE_PURITY
    bad = {key for key, label in zip(keys, labels, strict=True) if label}
    return agree and ("" not in labels or len(set(keys) - bad) >= LEAST_PARTS)


def _purity(keys: Sequence[object], labels: Sequence[str]) -> float:
    """Share of the groups of several views that have one label; 1 where no group has several."""
    told: dict[object, list[str]] = {}
    for key, label in zip(keys, labels, strict=True):
        told.setdefault(key, []).append(label)
    several = [set(labels) - {""} for labels in told.values() if len(labels) > 1]
    return float(np.mean([len(one) <= 1 for one in several])) if several else 1.0


def _beside_classes(folders: Sequence[str], labels: Sequence[str]) -> list[tuple[str, ...]]:
    """The folders that views lie in, in lower case, without those that are named by a label."""
    classes = set(labels)
    return [
        tuple(part.lower() for part in PurePosixPath(folder).parts if part not in classes)
        for folder in folders
    ]


def _counted_anew(
    keys: Sequence[object], folders: Sequence[tuple[str, ...]], labels: Sequence[str]
) -> bool:
    """Whether numbers begin anew in each folder, so that equal ones do not speak of one part.

    `train/001` is not `test/001`, nor is `2024-03-01/001` the part of `2024-03-02/001`. In other
    folders they are one part where these are called after cameras, or parts with a defect lie in
    several of them.
    """
    usual = Counter(labels).most_common(1)[0][0]
    places: dict[object, set[tuple[str, ...]]] = {}
    rare = set()
    for key, folder, label in zip(keys, folders, labels, strict=True):
        places.setdefault(key, set()).add(folder)
        rare |= {key} if label != usual else set()
    across = {key: lie_in for key, lie_in in places.items() if len(lie_in) > 1}
    parts = {frozenset(folder) for lie_in in across.values() for folder in lie_in}
    differing = {part for one in parts for part in one if not all(part in p for p in parts)}
    if any(part in SPLITS or COUNTED_ANEW.fullmatch(part) for part in differing):
        return True
    agree = "" not in labels and len(rare & across.keys()) >= LEAST_ACROSS
    return bool(across) and not agree and not all(map(CAMERA.fullmatch, differing))


def _otsu(values: np.ndarray) -> tuple[float, float]:
    """The threshold that explains most variance (Otsu 1979), and the share 0..1 it explains."""
    ordered = np.sort(values.astype(np.float64))
    spread = float(ordered.var()) if len(ordered) else 0.0
    if spread < 1e-12:
        return float(ordered[-1]) if len(ordered) else 0.0, 0.0
    counts = np.arange(1, len(ordered))
    sums = np.cumsum(ordered)[:-1]
    low, high = sums / counts, (ordered.sum() - sums) / (len(ordered) - counts)
    share = counts / len(ordered)
    between = share * (1 - share) * (low - high) ** 2
    between[ordered[1:] == ordered[:-1]] = -1.0
    best = int(between.argmax())
    return float((ordered[best] + ordered[best + 1]) / 2), float(between[best]) / spread
