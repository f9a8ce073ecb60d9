"""Which views show one part, guessed from the names, and what speaks for the guess."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from inspection.adoption.folder_guesses import is_general
from inspection.adoption.name_shapes import Column, Shape
from inspection.adoption.part_evidence import (
    COUNTED_ANEW,
    agree,
    beside_classes,
    purity,
)
from inspection.adoption.part_keys import VIEWS_A_PART, Views, best_key
from inspection.adoption.runs import runs_of
from inspection.dataset.names import PartFrom, moment

MIN_RUNS = 8
MIN_SEPARATION = 0.75
MIN_MODAL_SHARE = 0.3
MIN_NUMBERED = 0.9
MIN_ALIKE = 0.5
GROUP = "part"
MIN_TIMES = 10
PAUSE_S = 600
TIME_OF_DAY = re.compile(r"([01]\d|2[0-3])[0-5]\d[0-5]\d")


@dataclass(frozen=True)
class PartGuess:
    """The rule for the part, the span of columns that holds its key, and what speaks for it."""

    part_from: PartFrom
    span: tuple[int, int] | None
    evidence: str


def guess_part(
    shape: Shape,
    folders: Sequence[str],
    labels: Sequence[str],
    stems: Sequence[str],
    *,
    label_column: int | None,
) -> PartGuess | None:
    """The rule that makes parts of several views with one label each, or None.

    `folders` and `labels` are those of the views, in the order of the columns. A label '' speaks
    neither for nor against a part: a view may show nothing of the defect that another shows.
    """
    by_key = _by_key(Views(shape, folders, labels, stems, label_column))
    return by_key or _by_runs(shape, labels)


def guess_folder(
    folders: Sequence[str], labels: Sequence[str], stems: Sequence[str]
) -> PartGuess | None:
    """The rule `folder`, where the images lie in many small folders of one label each.

    Where not all views have a label, the folders must be many and mostly of one size. A folder
    that is named by the label, by a split, a day or a lot, or generally, is no part; nor is one
    whose name stands under several labels, unless most folders hold images of the same names
    (`Good/Part 1/front`, `Bad/Part 1/front`): then parts are counted anew under each label.
    """
    n_parts = len(set(folders))
    few, many = VIEWS_A_PART
    fits = n_parts >= 2 * len(set(labels)) and few <= len(folders) / n_parts <= many
    names = {_last(folder) for folder in folders}
    no_part = any(
        is_general(one) or COUNTED_ANEW.fullmatch(one.lower()) for one in names
    )
    if not fits or names & set(labels) or no_part or not agree(folders, labels):
        return None
    by_name = agree(beside_classes(folders, labels), labels)
    named_apart = len({*zip(labels, map(_last, folders), strict=True)}) == n_parts
    if not by_name and not (named_apart and _same_names(folders, stems)):
        return None
    if "" in labels and not _of_one_size(folders):
        return None
    alike_labels = "" if "" in labels else ", of one label each"
    evidence = (
        f"{n_parts} folders of {len(folders) / n_parts:.1f} images each{alike_labels}"
    )
    return PartGuess(PartFrom(rule="folder"), None, evidence)


def _last(folder: str) -> str:
    return PurePosixPath(folder).name


def _of_one_size(folders: Sequence[str]) -> bool:
    sizes = Counter(Counter(folders).values())
    return (
        sizes.total() >= MIN_RUNS and max(sizes.values()) >= MIN_ALIKE * sizes.total()
    )


def _same_names(folders: Sequence[str], stems: Sequence[str]) -> bool:
    """Whether most folders hold images of the same several names: the views of a part."""
    held: dict[str, set[str]] = {}
    for folder, stem in zip(folders, stems, strict=True):
        held.setdefault(folder, set()).add(stem)
    alike = Counter(map(frozenset, held.values()))
    names, n = alike.most_common(1)[0]
    return len(names) > 1 and len(held) >= MIN_RUNS and n >= MIN_ALIKE * len(held)


def each_file_a_part(
    folders: Sequence[str], labels: Sequence[str], stems: Sequence[str]
) -> PartGuess:
    """What is left when nothing groups the images, or no group of them would be normal."""
    told = "nothing in the names groups several images"
    by_folder = (
        guess_folder(folders, [""] * len(folders), stems) if "" in labels else None
    )
    if by_folder is not None:
        told = (
            f"{by_folder.evidence} look like parts, but hardly one of them is normal in all "
            "images, and overkill could not be judged"
        )
    return PartGuess(
        PartFrom(rule="file"), None, f"{told}, so each image is a part of its own"
    )


def _by_key(views: Views) -> PartGuess | None:
    """The tokens that several views share, and what speaks for their being the part."""
    folders_are_parts = (
        guess_folder(views.folders, views.labels, views.stems) is not None
    )
    key = best_key(views, folders_are_parts=folders_are_parts)
    if key is None:
        return None
    rule = PartFrom(rule="pattern", group=GROUP, per_folder=key.per_folder)
    n, n_parts = len(key.groups), key.n_parts
    told = (
        f"{n} images share {n_parts} values such as {' '.join(key.tokens[0])!r} in "
        f"their names, {n / n_parts:.1f} each; {purity(key.groups, views.labels):.0%} of these "
        "groups have one label"
    )
    return PartGuess(rule, (key.first, key.last), told)


def guess_copies(
    cores: Sequence[str], folders: Sequence[str], labels: Sequence[str]
) -> PartGuess | None:
    """The whole name as the part, where augmented copies of an image share it; else None.

    Where equal names have several labels, each folder counts for itself.
    """
    if len(set(cores)) == len(cores):
        return None
    per_folder = not agree(cores, labels)
    n_parts = len(set(zip(folders, cores, strict=True) if per_folder else cores))
    told = f"{len(cores)} images are copies of {n_parts}, of one name but for `.rf.` and a hash"
    return PartGuess(
        PartFrom(rule="pattern", group=GROUP, per_folder=per_folder), None, told
    )


def _by_runs(shape: Shape, labels: Sequence[str]) -> PartGuess | None:
    """Numbers or times that cluster: shots of one part were taken close together."""
    time = shape.time_span
    if time is not None:
        columns = (column.values for column in shape.columns[time[0] : time[1] + 1])
        seconds = [
            moment("".join(values)) or 0 for values in zip(*columns, strict=True)
        ]
        rule = PartFrom(rule="consecutive", group="time", max_gap=1, in_seconds=True)
        return _as_runs(seconds, labels, rule, time)
    for i, column in enumerate(shape.columns):
        if column.is_number and not _is_time_of_day(column):
            if column.n_distinct < MIN_NUMBERED * len(column.told):
                continue
            numbers = [int(value or 0) for value in column.values]
            rule = PartFrom(rule="consecutive", group="number", max_gap=1)
            guess = _as_runs(numbers, labels, rule, (i, i))
            if guess is not None:
                return guess
    return None


def _as_runs(
    numbers: Sequence[int], labels: Sequence[str], rule: PartFrom, span: tuple[int, int]
) -> PartGuess | None:
    runs = runs_of(numbers, pause=PAUSE_S if rule.in_seconds else None)
    sizes = Counter(Counter(runs.keys).values())
    n_parts = sizes.total()
    several = ((size, n) for size, n in sizes.items() if size > 1)
    size, n_usual = max(several, key=lambda x: x[1], default=(1, 0))
    few, many = VIEWS_A_PART
    if not (
        runs.separation >= MIN_SEPARATION
        and n_parts >= max(MIN_RUNS, 2 * len(set(labels)))
        and few <= len(labels) / n_parts <= many
        and n_usual >= MIN_MODAL_SHARE * n_parts
        and agree(runs.keys, labels)
    ):
        return None
    what, unit = ("times", " s") if rule.in_seconds else ("numbers", "")
    told = (
        f"the {what} come in {n_parts} runs with steps up to {runs.max_gap}{unit} within and "
        f"larger ones between ({runs.separation:.0%} of the spread of steps explained); "
        f"{n_usual / n_parts:.0%} of the runs have {size} images, and "
        f"{purity(runs.keys, labels):.0%} have one label"
    )
    return PartGuess(rule.model_copy(update={"max_gap": runs.max_gap}), span, told)


def _is_time_of_day(column: Column) -> bool:
    """Whether all values read hhmmss: 095959 and 100000 are neighbours, and not as numbers."""
    valid = all(map(TIME_OF_DAY.fullmatch, column.told))
    return valid and column.n_distinct >= MIN_TIMES and max(column.told) > "000100"
