"""The photographs that are to be grouped into parts, and the patterns that read their names."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from inspection.adoption.folders import CAMERA
from inspection.adoption.names import Column, Shape, shape_of
from inspection.dataset.names import PartFrom, nfc

# Different shots of a part at most: more values are a count of images.
MAX_SHOTS = 24
# Share of the parts of several views that have one label: about 96 % where names say the part,
# fewer than 60 % where groups are made by chance.
MIN_PURITY = 0.85
# So many parts must be normal in all views, else there is nothing to judge overkill by.
MIN_NORMAL_PARTS = 4


@dataclass(frozen=True)
class PartRule:
    """The pattern and the rule by which stage validate makes the part, and what speaks for it."""

    pattern: str
    part_from: PartFrom
    evidence: str


@dataclass(frozen=True)
class Views:
    """All photographs in one order: their paths, names and labels.

    A label '' is a normal view that speaks neither for nor against a part: a view of a bad part may
    show nothing of its defect.
    """

    paths: Sequence[str]
    stems: Sequence[str]
    labels: Sequence[str]
    label_column: int | None = None

    @property
    def folders(self) -> list[str]:
        """The folder of each view, NFC."""
        return [str(PurePosixPath(nfc(path)).parent) for path in self.paths]

    def agree(self, groups: Sequence[Hashable]) -> bool:
        """Whether nearly all groups of several views have one label, and some stay normal."""
        if purity(groups, self.labels) < MIN_PURITY:
            return False
        if "" not in self.labels:
            return True

        pairs = zip(groups, self.labels, strict=True)
        with_defect = {group for group, label in pairs if label}
        n_normal = len(set(groups) - with_defect)
        return n_normal >= MIN_NORMAL_PARTS


def purity(groups: Sequence[Hashable], labels: Sequence[str]) -> float:
    """Share of the groups of several views that have one label; 1 where no group has several."""
    members: dict[Hashable, list[str]] = {}
    for group, label in zip(groups, labels, strict=True):
        members.setdefault(group, []).append(label)

    of_several = [found for found in members.values() if len(found) > 1]
    if not of_several:
        return 1.0
    agree = [len(set(found) - {""}) <= 1 for found in of_several]
    return float(np.mean(agree))


def is_camera(column: Column) -> bool:
    """Whether all values of a column are called after cameras."""
    return all(map(CAMERA.fullmatch, column.given))


def named_columns(
    views: Views, shape: Shape, part: dict[tuple[int, int], str]
) -> dict[tuple[int, int], str]:
    """The columns that become groups of the pattern: part, label, the first camera and shot."""
    named = dict(part)
    taken: set[int] = set()
    for first, last in part:
        taken.update(range(first, last + 1))
    if views.label_column is not None:
        named[views.label_column, views.label_column] = "label"
        taken.add(views.label_column)

    for i, column in enumerate(shape.columns):
        role = "camera" if is_camera(column) else "view"
        is_free = i not in taken and role not in named.values()
        tells_apart = 2 <= column.n_distinct <= MAX_SHOTS
        if is_free and tells_apart:
            named[i, i] = role
    return named


def plain_pattern(views: Views) -> str:
    """The pattern where names say no part: all that is needed is the label, if it stands there."""
    shape = shape_of(views.stems)
    if shape is None or views.label_column is None:
        return ".+"
    return shape.pattern(named_columns(views, shape, {}))


def whole_name(views: Views) -> str:
    """The pattern by which the whole name is the part, with the label in it if it stands there."""
    shape = shape_of(views.stems)
    if shape is None or views.label_column is None:
        return "(?P<part>.+?)"

    whole = (0, len(shape.columns) - 1)
    label = (views.label_column, views.label_column)
    return shape.pattern({whole: "part", label: "label"})
