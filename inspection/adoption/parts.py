"""Which views show one part: as the user says, or by one of four rules, the first that fits."""

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from inspection.adoption.folders import CAMERA, folders_of, is_general
from inspection.adoption.names import (
    EXPORTED,
    Column,
    Shape,
    compiled,
    shape_of,
    without_export,
)
from inspection.adoption.proposal import Proposal
from inspection.adoption.questions import asks
from inspection.adoption.runs import runs_of
from inspection.dataset.names import PartFrom, moment, nfc, take_apart
from inspection.errors import InspectionError

# Views of a part in the mean: with fewer hardly any has two, with more it is a lot or a camera.
VIEWS_A_PART = (1.3, 30.0)
# Different shots of a part at most: more values are a count of images.
MAX_SHOTS = 24
# Share of the parts of several views that have one label: about 96 % where names say the part,
# fewer than 60 % where groups are made by chance.
MIN_PURITY = 0.85
# So many parts must be normal in all views, else there is nothing to judge overkill by.
MIN_NORMAL_PARTS = 4
# Runs: so many at least, and so much of the spread of steps explained by two kinds of them.
# Numbers drawn at random come to about 0.64.
MIN_RUNS = 8
MIN_SEPARATION = 0.75


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
        bad = {g for g, label in zip(groups, self.labels, strict=True) if label}
        return "" not in self.labels or len(set(groups) - bad) >= MIN_NORMAL_PARTS


def part_rule(
    proposal: Proposal, photos: Sequence[str], normal: Sequence[str], said: str = ""
) -> PartRule:
    """How the part of a view is known.

    As `said` (`PART=`); else by the table's column of parts; else by the first of these that makes
    groups of 1.3 to 30 views with one label: what stands in the name before the shot (equal names
    in different folders are different parts, unless these are classes or cameras); small folders
    of their own; numbers that follow each other. Else each image is a part. Copies that Roboflow
    made of one image are one part always.
    """
    stems = [nfc(PurePosixPath(path).stem) for path in photos]
    raw = [proposal.labels.get(path, "") for path in photos]
    labels = ["" if proposal.by_view and one in normal else one for one in raw]
    views = Views(photos, without_export(stems), labels, proposal.label_column)

    if said:
        return _as_said(said, views, proposal)
    if proposal.parts:
        column = proposal.columns["part"]
        return PartRule(".+", PartFrom(), f"the column {column!r} of the table")

    tail = f"(?:{EXPORTED})?" if views.stems != stems else ""
    if tail and len(set(views.stems)) < len(stems):
        evidence = "copies of one image have its name but for `.rf.` and a hash"
        return PartRule(_whole_name(views) + tail, PartFrom(), evidence)

    shape = shape_of(views.stems)
    rule = (
        (shape and _by_key(views, shape))
        or _by_folder(views)
        or (shape and _by_runs(views, shape))
        or PartRule(
            _plain(views, shape), PartFrom(rule="file"), "nothing groups the images"
        )
    )
    return PartRule(rule.pattern + tail, rule.part_from, rule.evidence)


def purity(groups: Sequence[Hashable], labels: Sequence[str]) -> float:
    """Share of the groups of several views that have one label; 1 where no group has several."""
    members: dict[Hashable, list[str]] = {}
    for group, label in zip(groups, labels, strict=True):
        members.setdefault(group, []).append(label)
    several = [set(found) - {""} for found in members.values() if len(found) > 1]
    return float(np.mean([len(one) <= 1 for one in several])) if several else 1.0


def _as_said(said: str, views: Views, proposal: Proposal) -> PartRule:
    """The rule of `PART=`; raises InspectionError where it cannot be."""
    shape = shape_of(views.stems)
    evidence = f"as said by PART={said}"
    if said in ("file", "folder"):
        return PartRule(
            _plain(views, shape), PartFrom.model_validate({"rule": said}), evidence
        )
    if said.partition(":")[0] == "runs":
        rule = _by_runs(views, shape, said.partition(":")[2]) if shape else None
        if rule is None:
            raise InspectionError(
                f"PART={said}: no token of the names is a number that hardly repeats; "
                f"{asks('part', 'file', 'folder', '<part>_<shot>')}"
            )
        return rule

    per_folder = said.startswith(("<folder>/", "{folder}/"))
    regex = compiled(said[len("<folder>/") :] if per_folder else said)
    names = [take_apart(path, re.compile(regex)) for path in views.paths]
    fitting = [name for name in names if name is not None]
    if len(fitting) < len(names) / 2:
        raise InspectionError(
            f"PART={said}: fits {len(fitting)} of {len(names)} file names, such as "
            f"{PurePosixPath(views.paths[0]).name!r}; write the pattern as the names are built"
        )
    groups = set(re.compile(regex).groupindex)
    if "part" in groups:
        return PartRule(regex, PartFrom(per_folder=per_folder), evidence)

    group = "time" if "time" in groups else "number"
    values = [name[group] for name in fitting]
    numbers = (
        [moment(value) or 0 for value in values]
        if group == "time"
        else map(int, values)
    )
    gap = runs_of(list(numbers)).max_gap
    found = PartFrom(
        rule="consecutive", group=group, max_gap=gap, in_seconds=group == "time"
    )
    return PartRule(regex, found, f"{evidence}, steps up to {gap} within a part")


def _by_key(views: Views, shape: Shape) -> PartRule | None:
    """What stands before the shot: tokens in a row without camera and label, one a count."""
    *rest, last = range(len(shape.columns))
    is_shot = shape.columns[last].n_distinct <= MAX_SHOTS
    free = [
        i
        for i in (rest if is_shot else [*rest, last])
        if not _is_known(i, views, shape)
    ]
    span = _first_row(free)
    if not any(_counts(shape.columns[i]) for i in span):
        return None

    tokens = list(zip(*(shape.columns[i].values for i in span), strict=True))
    elsewhere = {_elsewhere(path, set(views.labels)) for path in views.paths}
    for per_folder in (False, True) if len(elsewhere) == 1 else (True,):
        folders = views.folders if per_folder else [""] * len(tokens)
        groups = list(zip(folders, tokens, strict=True))
        n_parts = len(set(groups))
        if _is_of_parts(groups) and views.agree(groups):
            named = _named(views, shape, {(span[0], span[-1]): "part"})
            evidence = (
                f"{len(groups)} images share {n_parts} values such as {' '.join(tokens[0])!r} in "
                f"their names; {purity(groups, views.labels):.0%} of these groups have one label"
            )
            rule = PartFrom(per_folder=per_folder)
            return PartRule(shape.pattern(named), rule, evidence)
    return None


def _is_known(i: int, views: Views, shape: Shape) -> bool:
    return i == views.label_column or is_camera(shape.columns[i])


def _first_row(free: Sequence[int]) -> list[int]:
    """The first of the numbers that follow each other without a gap."""
    return [i for n, i in enumerate(free) if i == free[0] + n]


def _counts(column: Column) -> bool:
    """Whether a column holds different values with digits."""
    return column.n_distinct > 1 and any(map(str.isdecimal, "".join(column.given)))


def is_camera(column: Column) -> bool:
    """Whether all values of a column are called after cameras."""
    return all(map(CAMERA.fullmatch, column.given))


def _elsewhere(path: str, classes: set[str]) -> tuple[str, ...]:
    """The folders of a view that are neither a class, nor a camera, nor a general word."""
    known = {"images", "imgs"} | classes
    folders = folders_of(path)
    return tuple(
        one for one in folders if one not in known and not CAMERA.fullmatch(one)
    )


def _is_of_parts(groups: Sequence[Hashable]) -> bool:
    few, many = VIEWS_A_PART
    return few <= len(groups) / len(set(groups)) <= many


def _by_folder(views: Views) -> PartRule | None:
    """Small folders, none of which is a class, a split or called by a general word."""
    folders = views.folders
    names = {PurePosixPath(folder).name for folder in folders}
    is_no_part = any(map(is_general, names)) or names & set(views.labels)
    if is_no_part or len(set(folders)) < MIN_RUNS:
        return None
    if not _is_of_parts(folders) or not views.agree(folders):
        return None
    n = len(set(folders))
    evidence = f"{n} folders of {len(folders) / n:.1f} images each"
    shape = shape_of(views.stems)
    return PartRule(_plain(views, shape), PartFrom(rule="folder"), evidence)


def _by_runs(views: Views, shape: Shape, gap: str = "") -> PartRule | None:
    """Numbers that cluster: shots of one part were numbered close together.

    With a `gap` that the user says, that is the largest step, and nothing else is asked.
    """
    for i, column in enumerate(shape.columns):
        numbers = (
            [int(value or 0) for value in column.values] if column.is_number else []
        )
        if len(set(numbers)) < max(MIN_RUNS, MIN_PURITY * len(numbers)):
            continue
        runs = runs_of(numbers)
        sizes = Counter(runs.keys)
        is_clear = len(sizes) >= MIN_RUNS and runs.separation >= MIN_SEPARATION
        if not gap and not (
            is_clear and _is_of_parts(runs.keys) and views.agree(runs.keys)
        ):
            continue
        max_gap = int(gap) if gap.isdecimal() else runs.max_gap
        rule = PartFrom(rule="consecutive", group="number", max_gap=max_gap)
        pattern = shape.pattern(_named(views, shape, {(i, i): "number"}))
        evidence = (
            f"the numbers come in {len(sizes)} runs with steps up to {max_gap} within and larger "
            f"ones between ({runs.separation:.0%} of the spread of steps explained); "
            f"{purity(runs.keys, views.labels):.0%} of the runs have one label"
        )
        return PartRule(pattern, rule, evidence)
    return None


def _named(
    views: Views, shape: Shape, part: dict[tuple[int, int], str]
) -> dict[tuple[int, int], str]:
    """The columns that become groups of the pattern: part, label, the first camera and shot."""
    named = dict(part)
    taken = {i for first, last in part for i in range(first, last + 1)}
    if views.label_column is not None:
        named[views.label_column, views.label_column] = "label"
        taken.add(views.label_column)

    for i, column in enumerate(shape.columns):
        role = "camera" if is_camera(column) else "view"
        is_free = i not in taken and role not in named.values()
        if is_free and 2 <= column.n_distinct <= MAX_SHOTS:
            named[i, i] = role
    return named


def _plain(views: Views, shape: Shape | None) -> str:
    """The pattern where names say no part: all that is needed is the label, if it stands there."""
    if shape is None or views.label_column is None:
        return ".+"
    return shape.pattern(_named(views, shape, {}))


def _whole_name(views: Views) -> str:
    """The pattern by which the whole name is the part, with the label in it if it stands there."""
    shape = shape_of(views.stems)
    if shape is None or views.label_column is None:
        return "(?P<part>.+?)"
    label = (views.label_column, views.label_column)
    return shape.pattern({(0, len(shape.columns) - 1): "part", label: "label"})
