"""What speaks for and against a group of views being one part: their labels and their folders."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from inspection.adoption.folder_guesses import CAMERA, is_split

MIN_PURITY = 0.85
MIN_RARE_PURITY = 0.6
MIN_ACROSS = 2
MIN_PARTS = 4
COUNTED_ANEW = re.compile(
    r"(?:20)?\d{2}([-_. ]?)\d{2}\1\d{2}|"
    r"(?:lot|batch|day|date|shift|run|session|week|box|tray|로트|배치)[-_. ]*\d*"
)


def agree(keys: Sequence[object], labels: Sequence[str]) -> bool:
    """Whether groups of equal keys mostly have one label, those of a rare label among them.

    Where nine of ten views are normal, groups put together by chance agree as well, but hardly one
    of those that hold a defect does. Where views may be normal by themselves (''), some groups
    are normal throughout: without normal parts there is nothing to judge overkill by.
    """
    usual = Counter(labels).most_common(1)[0][0]
    rare = {key for key, label in zip(keys, labels, strict=True) if label != usual}
    among = [pair for pair in zip(keys, labels, strict=True) if pair[0] in rare]
    of_rare = purity([key for key, _ in among], [label for _, label in among])
    pure = purity(keys, labels) >= MIN_PURITY and of_rare >= MIN_RARE_PURITY
    bad = {key for key, label in zip(keys, labels, strict=True) if label}
    return pure and ("" not in labels or len(set(keys) - bad) >= MIN_PARTS)


def purity(keys: Sequence[object], labels: Sequence[str]) -> float:
    """Share of the groups of several views that have one label; 1 where no group has several."""
    told: dict[object, list[str]] = {}
    for key, label in zip(keys, labels, strict=True):
        told.setdefault(key, []).append(label)
    several = [set(labels) - {""} for labels in told.values() if len(labels) > 1]
    return float(np.mean([len(one) <= 1 for one in several])) if several else 1.0


def beside_classes(
    folders: Sequence[str], labels: Sequence[str]
) -> list[tuple[str, ...]]:
    """The folders that views lie in, in lower case, without those that are named by a label."""
    classes = set(labels)
    return [
        tuple(
            part.lower() for part in PurePosixPath(folder).parts if part not in classes
        )
        for folder in folders
    ]


def counted_anew(
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
    differing = {
        part for one in parts for part in one if not all(part in p for p in parts)
    }
    if any(is_split(part) or COUNTED_ANEW.fullmatch(part) for part in differing):
        return True
    told = "" not in labels and len(rare & across.keys()) >= MIN_ACROSS
    return bool(across) and not told and not all(map(CAMERA.fullmatch, differing))
