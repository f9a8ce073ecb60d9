"""Which tokens of a name may be the key of a part, and which of these are rather its views."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from inspection.adoption.folder_guesses import is_split
from inspection.adoption.name_shapes import Column, Shape
from inspection.adoption.part_evidence import (
    MIN_PARTS,
    agree,
    beside_classes,
    counted_anew,
)
from inspection.dataset.names import moment

CAMERA = re.compile(
    r"(?:cam|camera|ch|c|channel|view|side|light|station|pos|shot|patch|angle|rot)[_\-]?\d{1,2}",
    re.IGNORECASE,
)
LOT = re.compile(
    r"(?:lot|batch|day|date|shift|run|session|week|로트|배치)\d+", re.IGNORECASE
)
VIEWS_A_PART = (1.3, 30.0)
MAX_VIEWS = 24
MAX_CAMERAS = 8
MANY_FOLDERS = 12
MIN_CROSSED = 0.8


@dataclass(frozen=True)
class Views:
    """What is known of all views, in one order: their names, folders and labels ('' if normal
    or not told)."""

    shape: Shape
    folders: Sequence[str]
    labels: Sequence[str]
    stems: Sequence[str]
    label_column: int | None

    @cached_property
    def beside(self) -> list[tuple[str, ...]]:
        """The folders without those that name the label."""
        return beside_classes(self.folders, self.labels)


@dataclass(frozen=True)
class Key:
    """A span of columns whose values may tell the part, in each folder anew or in all alike."""

    views: Views
    first: int
    last: int
    per_folder: bool

    @cached_property
    def tokens(self) -> list[tuple[str, ...]]:
        """The values of the span by view."""
        return list(zip(*(column.values for column in self._columns), strict=True))

    @cached_property
    def groups(self) -> list[tuple[str, ...]]:
        """The part of each view that the key makes."""
        if not self.per_folder:
            return self.tokens
        pairs = zip(self.views.folders, self.tokens, strict=True)
        return [(folder, *token) for folder, token in pairs]

    @cached_property
    def n_parts(self) -> int:
        """How many parts it makes."""
        return len(set(self.groups))

    @property
    def order(self) -> tuple[bool, int, int, int]:
        """The fewest parts first, of these the shortest span: the others make views of them."""
        return self.per_folder, self.n_parts, self.last - self.first, self.first

    @property
    def varying(self) -> list[Column]:
        """The columns of the span that tell more than the label does."""
        return [one for one in self._columns if _varies(one.values, self.views.labels)]

    @property
    def is_only_the_folder(self) -> bool:
        """Whether each of few folders has one value of its own: the key says no more than it."""
        n_folders = len(set(self.views.folders))
        if n_folders >= MANY_FOLDERS:
            return False
        pairs = set(zip(self.views.folders, self.tokens, strict=True))
        return len(pairs) == n_folders == self.n_parts

    @property
    def _columns(self) -> Sequence[Column]:
        return self.views.shape.columns[self.first : self.last + 1]


def best_key(views: Views, *, folders_are_parts: bool) -> Key | None:
    """The key that makes the fewest parts, of those that are no number of a view; or None.

    Names go from what is general to what is particular, so of two keys apart from each other the
    left one is the part and the right one its view; unless the left one is a position.
    """
    keys = [
        key
        for key in _keys(views)
        if _looks_like_parts(key) and (folders_are_parts or not key.is_only_the_folder)
    ]
    parts = [one for one in keys if not any(_is_view_of(one, other) for other in keys)]
    return min(parts, key=lambda key: key.order, default=None)


def _keys(views: Views) -> Iterator[Key]:
    """All spans of columns that cut no date, and do not end in a column that may be missing."""
    n, shape = len(views.shape.columns), views.shape
    for first in range(n):
        for last in range(first, n):
            if _cuts(shape.time_span, first, last):
                continue
            if not (first < last == n - 1 and shape.last_is_optional):
                yield from (Key(views, first, last, one) for one in (False, True))


def _cuts(time: tuple[int, int] | None, first: int, last: int) -> bool:
    if time is None or first > time[1] or last < time[0]:
        return False
    return first > time[0] or last < time[1]


def _looks_like_parts(key: Key) -> bool:
    """Whether the key makes groups as large as parts have views, of one label each."""
    views, (few, many) = key.views, VIEWS_A_PART
    return (
        few <= len(key.groups) / key.n_parts <= many
        and key.n_parts >= max(MIN_PARTS, 2 * len(set(views.labels)))
        and any(
            letter.isdecimal()
            for token in key.tokens[:100]
            for letter in "".join(token)
        )
        and all(_may_be_of_views(column, key) for column in _others(key))
        and not _all_values(key, is_camera)
        and not _all_values(key, _is_lot)
        and agree(key.groups, views.labels)
        and not counted_anew(key.groups, views.beside, views.labels)
    )


def _others(key: Key) -> list[Column]:
    """The columns beside the key, without the label and the time."""
    views = key.views
    time = views.shape.time_span
    known = {
        *range(key.first, key.last + 1),
        *(range(time[0], time[1] + 1) if time else ()),
    }
    columns = enumerate(views.shape.columns)
    return [one for i, one in columns if i not in known and i != views.label_column]


def _may_be_of_views(column: Column, key: Key) -> bool:
    """Whether the values may tell views of a part apart: few, no splits, and no lots.

    Part 3 of one lot is not part 3 of another.
    """
    if column.n_distinct > MAX_VIEWS:
        return False
    if column.n_distinct > 1 and all(map(is_split, column.told)):
        return False
    pairs = set(zip(key.groups, column.values, strict=True))
    return not (_is_lot(column) and len(pairs) > key.n_parts)


def _all_values(key: Key, is_such: Callable[[Column], bool]) -> bool:
    return bool(key.varying) and all(map(is_such, key.varying))


def is_camera(column: Column) -> bool:
    """Whether the values of a column, few of them, are all called after cameras."""
    return column.n_distinct <= MAX_CAMERAS and all(map(CAMERA.fullmatch, column.told))


def _is_lot(column: Column) -> bool:
    return all(LOT.fullmatch(one) or _is_day(one) for one in column.told)


def _is_day(value: str) -> bool:
    return (
        len(value) == 8 and value.isdecimal() and moment(f"{value}000000") is not None
    )


def _is_view_of(one: Key, other: Key) -> bool:
    """Whether `one` counts views of the parts that `other` names."""
    if other.per_folder > one.per_folder:
        return False
    if other.last < one.first:
        return not _is_position(other, one)
    return one.last < other.first and _is_position(one, other)


def _is_position(left: Key, right: Key) -> bool:
    """Whether few numbers, the same under each label, each stand before nearly all others.

    So do bare numbers of cameras, which come first as `cam1` does.
    """
    columns = left.varying
    values, n_right = set(left.tokens), len(set(right.tokens))
    if not all(column.is_number for column in columns) or len(values) > MAX_CAMERAS:
        return False
    under = set(zip(left.tokens, left.views.labels, strict=True))
    crossed = set(zip(left.tokens, right.groups, strict=True))
    return (
        n_right >= 2 * len(values)
        and len(under) == len(values) * len(set(left.views.labels))
        and len(crossed) >= MIN_CROSSED * len(values) * right.n_parts
    )


def _varies(values: Sequence[str], labels: Sequence[str]) -> bool:
    return len(set(zip(values, labels, strict=True))) > len(set(labels))
