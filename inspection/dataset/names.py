"""What a file's name says: camera, part, label, view. The one place where `part_id` is made."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Literal, Self

import regex
from pydantic import Field, model_validator

from inspection.errors import InspectionError
from inspection.line import Frozen

# years of a date in a name: since there are digital cameras; other digits in its place are no date
YEARS = range(1990, 2100)
# digits of a date and a time of day: year, month, day, hour, minute, second
MOMENT_DIGITS = 14
GROUPS = ("camera", "part", "label", "view")
# A name takes some 30 us. A pattern that tries every way to cut it, as (a|aa)+ does, doubles its
# time with each letter: what is not done within this will not be within a day.
MAX_MATCH_S = 1.0


@dataclass(frozen=True)
class ViewName:
    """A view's name taken apart; a field that the name does not carry is ''.

    `path` is as on disk; `groups` are the named groups of the pattern, NFC.
    """

    path: str
    groups: Mapping[str, str]

    def __getitem__(self, group: str) -> str:
        return self.groups.get(group, "")


class PartFrom(Frozen):
    """How the name, or where the file lies, says which part a view shows."""

    rule: Literal["pattern", "consecutive", "folder", "file"] = "pattern"
    """`pattern`: views whose `group` is equal show one part. `consecutive`: the group holds a
    number, and views whose sorted numbers follow each other closely show one part. `folder`: the
    images of one folder show one part. `file`: each image is a part of its own; if a part was
    shot several times, its views then leak between folds."""

    group: str = "part"
    """The named group of `pattern` that holds the key."""

    max_gap: int = Field(
        default=0,
        ge=0,
    )
    """Of rule `consecutive`: the largest step within one part, of numbers, or of seconds with
    `in_seconds`."""

    per_folder: bool = False
    """Whether the key counts anew in each folder."""

    in_seconds: bool = False
    """Whether the group holds a date and a time of day."""

    @model_validator(mode="after")
    def _gap_is_given(self) -> Self:
        if self.rule == "consecutive" and self.max_gap < 1:
            raise ValueError(
                "rule consecutive needs max_gap, the largest step within one part"
            )
        return self


def nfc(text: str) -> str:
    """The composed form: the same Hangul may be stored composed (NFC) or decomposed (NFD)."""
    return unicodedata.normalize("NFC", text)


def take_apart(path: str, pattern: re.Pattern[str]) -> ViewName | None:
    """Match the stem of `path` (NFC) as a whole, or None when the name is not understood.

    Raises InspectionError as `fullmatch` does.
    """
    found = fullmatch(pattern, nfc(PurePosixPath(path).stem))
    if found is None:
        return None
    groups = {key: nfc(value or "") for key, value in found.groupdict().items()}
    return ViewName(path, groups)


def fullmatch(pattern: re.Pattern[str], stem: str) -> Any:
    """The match of a stem as a whole, or None; as that of `re`, which knows no limit of time.

    Raises InspectionError where the pattern takes too long.
    """
    try:
        return regex.fullmatch(pattern.pattern, stem, timeout=MAX_MATCH_S)
    except TimeoutError as error:
        raise InspectionError(
            f"validate.pattern: {pattern.pattern!r} is not done with {stem!r} after "
            f"{MAX_MATCH_S:g} s; write it so that a name fits in one way only: no repeat within a "
            "repeat, as in (a+)+, and no choices that begin alike, as in (a|aa)+"
        ) from error


def part_ids(names: Sequence[ViewName], part_from: PartFrom) -> list[str]:
    """The part of each view, in the order given.

    Raises ValueError when a view's name lacks what the rule needs; see `names_without_part`.
    """
    if part_from.rule == "file":
        return [nfc(str(PurePosixPath(name.path).with_suffix(""))) for name in names]
    if part_from.rule == "folder":
        # a part needs a name, and the data folder itself has none
        return [_folder(name) or "." for name in names]

    folders = [_folder(name) if part_from.per_folder else "" for name in names]
    keys = _keys(folders, names, part_from)
    return [_within(*pair) for pair in zip(folders, keys, strict=True)]


def names_without_part(
    names: Sequence[ViewName], part_from: PartFrom
) -> list[ViewName]:
    """The names from which the rule can make no part."""
    if part_from.rule in ("file", "folder"):
        return []
    return [name for name in names if not _has_key(name[part_from.group], part_from)]


def moment(text: str) -> int | None:
    """Seconds since 1970 of a date and a time of day, year first; None for anything else.

    Only the first 14 digits count, whatever stands between them; years are 1990 to 2099.

    >>> moment("2024-03-01 10.15.12"), moment("20240301_101512_337"), moment("20249901_101512")
    (1709288112, 1709288112, None)
    """
    digits = re.sub(r"\D", "", text)[:MOMENT_DIGITS]
    if len(digits) < MOMENT_DIGITS:
        return None
    try:
        # in UTC: differences count alone, and UTC has no hour that comes twice
        taken = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(taken.timestamp()) if taken.year in YEARS else None


def spelled_twice(paths: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups of paths that differ only in how their Hangul is composed (NFC or NFD)."""

    spellings: dict[str, list[str]] = {}
    for path in paths:
        spellings.setdefault(nfc(path), []).append(path)
    return [tuple(sorted(group)) for group in spellings.values() if len(group) > 1]


def _within(folder: str, key: str) -> str:
    return f"{folder}/{key}" if folder else key


def _folder(name: ViewName) -> str:
    parent = str(PurePosixPath(nfc(name.path)).parent)
    return "" if parent == "." else parent


def _has_key(key: str, part_from: PartFrom) -> bool:
    if part_from.rule == "pattern":
        return bool(key)
    return moment(key) is not None if part_from.in_seconds else key.isdecimal()


def _numbers(names: Sequence[ViewName], part_from: PartFrom) -> list[int]:
    keys = [name[part_from.group] for name in names]
    if not part_from.in_seconds:
        return [int(key) for key in keys]
    moments = [moment(key) for key in keys]
    if None in moments:
        raise ValueError(f"no date and time: {keys[moments.index(None)]!r}")
    return [one for one in moments if one is not None]


def _stamp(seconds: int) -> str:
    """Date and time in 14 digits, as `moment` reads them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S")


def _keys(
    folders: Sequence[str],
    names: Sequence[ViewName],
    part_from: PartFrom,
) -> list[str]:
    """The key of each view within its folder: its group, or the first of its run of numbers."""
    if part_from.rule == "pattern":
        return [name[part_from.group] for name in names]

    keys = _runs(folders, _numbers(names, part_from), part_from.max_gap)
    return [_stamp(int(key)) for key in keys] if part_from.in_seconds else keys


def _runs(
    folders: Sequence[str],
    numbers: Sequence[int],
    max_gap: int,
) -> list[str]:
    """Name each run of neighbouring numbers within a folder by its first number."""
    # padded with zeros, so that keys sort as their numbers do
    width = len(str(max(numbers, default=0)))
    views = list(zip(folders, numbers, strict=True))
    keys: dict[tuple[str, int], str] = {}
    start, last_folder, last_number = 0, "", 0

    for folder, number in sorted(set(views)):
        goes_on = folder == last_folder and number - last_number <= max_gap
        if not goes_on or not keys:
            start = number
        keys[folder, number] = f"{start:0{width}}"
        last_folder, last_number = folder, number
    return [keys[view] for view in views]
