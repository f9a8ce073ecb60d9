"""Which views show one part: as the user says, or by one of four rules, the first that fits."""

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from pathlib import PurePosixPath

from inspection.adoption.folders import CAMERA, folders_of, is_general
from inspection.adoption.names import (
    EXPORTED,
    MIN_ALIKE,
    Column,
    Shape,
    compiled,
    shape_of,
    start_of_time,
    without_export,
)
from inspection.adoption.proposal import Proposal
from inspection.adoption.questions import asks
from inspection.adoption.runs import Runs, runs_of
from inspection.adoption.views import (
    MAX_SHOTS,
    MIN_PURITY,
    PartRule,
    Views,
    is_camera,
    named_columns,
    plain_pattern,
    purity,
    whole_name,
)
from inspection.dataset.names import PartFrom, ViewName, moment, nfc, take_apart
from inspection.errors import InspectionError

# Views of a part in the mean: with fewer hardly any has two, with more it is a lot or a camera.
VIEWS_A_PART = (1.3, 30.0)
# Runs: so many at least, and so much of the spread of steps explained by two kinds of them.
# Numbers drawn at random come to about 0.64.
MIN_RUNS = 8
MIN_SEPARATION = 0.75
# A break or a night between two parts says no more than an hour between them.
PAUSE_S = 3600


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
    cores = without_export(stems)
    labels = [proposal.labels.get(path, "") for path in photos]
    if proposal.by_view:
        labels = ["" if label in normal else label for label in labels]
    views = Views(photos, cores, labels, proposal.label_column)

    # what Roboflow puts behind a name is no part of it
    tail = f"(?:{EXPORTED})?" if cores != stems else ""
    rule = _said(said, views, tail) if said else _found(views, proposal)
    pattern = rule.pattern + tail
    if proposal.layout == "flat" and "(?P<label>" not in pattern:
        raise InspectionError(
            f"PART={said}: the class stands in the file names, and the pattern does not say where; "
            "write <label> there, as in <part>_<label>_<shot>"
        )
    return PartRule(pattern, rule.part_from, rule.evidence)


def _found(views: Views, proposal: Proposal) -> PartRule:
    """The rule where nothing is said."""
    if proposal.parts:
        column = proposal.columns["part"]
        return PartRule(".+", PartFrom(), f"the column {column!r} of the table")

    if _are_copies(views):
        evidence = "copies of one image have its name but for `.rf.` and a hash"
        return PartRule(whole_name(views), PartFrom(), evidence)

    shape = shape_of(views.stems)
    rule = _by_key(views, shape) if shape else None
    rule = rule or _by_folder(views) or _by_runs(views, shape)
    if rule is not None and _fits_each_class(rule, views):
        return rule
    single = PartFrom(rule="file")
    return PartRule(plain_pattern(views), single, _why_each_image(views))


def _why_each_image(views: Views) -> str:
    """What speaks for each image being a part: no groups, or too few of them without a defect."""
    folders = views.folders
    if not _may_be_parts(views) or purity(folders, views.labels) < MIN_PURITY:
        return "nothing groups the images"

    pairs = zip(folders, views.labels, strict=True)
    n_normal = len(set(folders) - {folder for folder, label in pairs if label})
    return (
        f"{_folders_of_images(views)}, and {n_normal} of them without a defect: too few to judge "
        "by, so each image counts as a part, and shots of one folder may leak from train to test"
    )


def _fits_each_class(rule: PartRule, views: Views) -> bool:
    """Whether hardly an image of any class has a name that the rule cannot read: one in twenty, or
    a single one. Stage validate sets such images aside."""
    whole = re.compile(rule.pattern)
    n_views = Counter(views.labels)
    n_strange = Counter(
        label
        for path, label in zip(views.paths, views.labels, strict=True)
        if take_apart(path, whole) is None
    )
    return all(
        n <= max(1, (1 - MIN_ALIKE) * n_views[label]) for label, n in n_strange.items()
    )


def _are_copies(views: Views) -> bool:
    exported = any(".rf." in path for path in views.paths)
    return exported and len(set(views.stems)) < len(views.stems)


def _said(said: str, views: Views, tail: str) -> PartRule:
    """The rule of `PART=`; raises InspectionError where it cannot be."""
    if said in ("file", "folder"):
        rule = PartFrom.model_validate({"rule": said})
        return PartRule(plain_pattern(views), rule, f"as said by PART={said}")
    kind, _, step = said.partition(":")
    if kind != "runs":
        return _by_pattern(said, views, tail)

    found = _by_runs(views, shape_of(views.stems), step or "found")
    if found is None:
        raise InspectionError(
            f"PART={said}: no token of the names is a number that hardly repeats, or a time; "
            f"{asks('part', 'file', 'folder', '<part>_<shot>')}"
        )
    return found


def _by_pattern(said: str, views: Views, tail: str) -> PartRule:
    """The rule of a pattern of names: of the part, or of a number or time that comes in runs."""
    per_folder = said.startswith(("<folder>/", "{folder}/"))
    of_name = said[len("<folder>/") :] if per_folder else said
    regex = compiled(of_name)
    whole = re.compile(regex + tail)
    fitting = _fitting(whole, views, said)

    evidence = f"as said by PART={said}"
    if "part" in whole.groupindex:
        return PartRule(regex, PartFrom(per_folder=per_folder), evidence)
    if "number" in whole.groupindex:
        numbers = [int(name["number"]) for name in fitting]
        gap = runs_of(numbers).max_gap
        rule = PartFrom(rule="consecutive", group="number", max_gap=gap)
    else:
        seconds = _seconds(fitting, said)
        gap = runs_of(seconds, pause=PAUSE_S).max_gap
        rule = PartFrom(rule="consecutive", group="time", max_gap=gap, in_seconds=True)
    return PartRule(regex, rule, f"{evidence}, steps up to {gap} within a part")


def _fitting(whole: re.Pattern[str], views: Views, said: str) -> list[ViewName]:
    """The names that a pattern fits, if these are most."""
    names = [take_apart(path, whole) for path in views.paths]
    fitting = [name for name in names if name is not None]
    if len(fitting) < len(names) / 2:
        raise InspectionError(
            f"PART={said}: fits {len(fitting)} of {len(names)} file names, such as "
            f"{PurePosixPath(views.paths[0]).name!r}; write the pattern as the names are built"
        )
    return fitting


def _seconds(names: Sequence[ViewName], said: str) -> list[int]:
    """The times of names that a pattern fits, if most hold one; others are set aside later."""
    moments = [moment(name["time"]) for name in names]
    seconds = [one for one in moments if one is not None]
    if len(seconds) < len(names) / 2:
        raise InspectionError(
            f"PART={said}: {names[0]['time']!r} is no date with a time of day; <time> spans both, "
            "year first, as in IMG_<time>"
        )
    return seconds


def _by_key(views: Views, shape: Shape) -> PartRule | None:
    """What stands before the shot: tokens in a row without camera and label, one a count."""
    span = _key_columns(views, shape)
    if not any(_counts(shape.columns[i]) for i in span):
        return None

    columns = [shape.columns[i].values for i in span]
    tokens = list(zip(*columns, strict=True))
    for per_folder, groups in _groupings(tokens, views):
        if not _is_of_parts(groups) or not views.agree(groups):
            continue

        named = named_columns(views, shape, {(span[0], span[-1]): "part"})
        example = " ".join(tokens[0])
        one_label = purity(groups, views.labels)
        evidence = (
            f"{len(groups)} images share {len(set(groups))} values such as {example!r} in their "
            f"names; {one_label:.0%} of these groups have one label"
        )
        rule = PartFrom(per_folder=per_folder)
        return PartRule(shape.pattern(named), rule, evidence)
    return None


def _groupings(
    tokens: Sequence[tuple[str, ...]], views: Views
) -> Iterator[tuple[bool, list[tuple[str, tuple[str, ...]]]]]:
    """The views by their tokens, across folders where these say no more, then within each folder.

    Each with whether it is within folders.
    """
    elsewhere = {_elsewhere(path, set(views.labels)) for path in views.paths}
    if len(elsewhere) == 1:
        yield False, [("", token) for token in tokens]
    yield True, list(zip(views.folders, tokens, strict=True))


def _key_columns(views: Views, shape: Shape) -> list[int]:
    """The first columns in a row that are neither the shot, nor a camera, nor the label."""
    n_columns = len(shape.columns)
    if shape.columns[-1].n_distinct <= MAX_SHOTS:
        n_columns -= 1
    free = [i for i in range(n_columns) if not _is_known(i, views, shape)]
    return [i for n, i in enumerate(free) if i == free[0] + n]


def _is_known(i: int, views: Views, shape: Shape) -> bool:
    return i == views.label_column or is_camera(shape.columns[i])


def _counts(column: Column) -> bool:
    """Whether a column holds different values with digits."""
    letters = "".join(column.given)
    return column.n_distinct > 1 and any(map(str.isdecimal, letters))


def _elsewhere(path: str, classes: set[str]) -> tuple[str, ...]:
    """The folders of a view that are neither a class, nor a camera, nor a general word."""
    known = {"images", "imgs"} | classes
    unknown = [folder for folder in folders_of(path) if folder not in known]
    return tuple(folder for folder in unknown if not CAMERA.fullmatch(folder))


def _is_of_parts(groups: Sequence[Hashable]) -> bool:
    """Whether groups have as many views as parts have."""
    fewest, most = VIEWS_A_PART
    views_a_group = len(groups) / len(set(groups))
    return fewest <= views_a_group <= most


def _by_folder(views: Views) -> PartRule | None:
    """Small folders whose views have one label."""
    if not _may_be_parts(views) or not views.agree(views.folders):
        return None
    rule = PartFrom(rule="folder")
    return PartRule(plain_pattern(views), rule, _folders_of_images(views))


def _may_be_parts(views: Views) -> bool:
    """Whether folders are small and some, none a class, a split or called by a general word."""
    folders = views.folders
    names = {PurePosixPath(folder).name for folder in folders}
    if any(map(is_general, names)) or names & set(views.labels):
        return False
    return len(set(folders)) >= MIN_RUNS and _is_of_parts(folders)


def _folders_of_images(views: Views) -> str:
    n_folders = len(set(views.folders))
    return f"{n_folders} folders of {len(views.folders) / n_folders:.1f} images each"


def _by_runs(views: Views, shape: Shape | None, said: str = "") -> PartRule | None:
    """Times or numbers that cluster: shots of one part were taken one after the other.

    Where runs are `said`, they need not be clear, and a number there is the largest step. Names
    that hold a time are not grouped by its digits as numbers.
    """
    found = ((stem, start_of_time(stem)) for stem in views.stems)
    starts = [(stem, start) for stem, start in found if start is not None]
    if len(starts) >= MIN_ALIKE * len(views.stems):
        return _by_times(views, starts, said)
    if shape is None:
        return None
    for i, column in enumerate(shape.columns):
        # numbers that repeat are shots or lots, not a count of images
        numbers = _numbers(column)
        n_distinct = len(set(numbers))
        if n_distinct < max(MIN_RUNS, MIN_PURITY * len(numbers)):
            continue
        runs = runs_of(numbers)
        if not said and not _are_clear(runs, views):
            continue

        max_gap = int(said) if said.isdecimal() else runs.max_gap
        rule = PartFrom(rule="consecutive", group="number", max_gap=max_gap)
        pattern = shape.pattern(named_columns(views, shape, {(i, i): "number"}))
        one_label = purity(runs.keys, views.labels)
        evidence = (
            f"the numbers come in {len(set(runs.keys))} runs with steps up to {max_gap} within and "
            f"larger ones between ({runs.separation:.0%} of the spread of steps explained); "
            f"{one_label:.0%} of the runs have one label"
        )
        return PartRule(pattern, rule, evidence)
    return None


def _by_times(
    views: Views, starts: Sequence[tuple[str, int]], said: str
) -> PartRule | None:
    """Times that cluster, where the same stands before all of them.

    `starts` are the names that hold a time, each with where that begins.
    """
    if views.label_column is not None:
        return None
    before = {stem[:start] for stem, start in starts}
    if len(before) > 1:
        return None

    pattern = f"{re.escape(before.pop())}(?P<time>.+)"
    moments = [moment(stem[start:]) for stem, start in starts]
    runs = runs_of([one or 0 for one in moments], pause=PAUSE_S)
    all_are_timed = len(moments) == len(views.stems)
    if not said and not (all_are_timed and _are_clear(runs, views)):
        return None

    max_gap = int(said) if said.isdecimal() else runs.max_gap
    rule = PartFrom(rule="consecutive", group="time", max_gap=max_gap, in_seconds=True)
    evidence = (
        f"the times come in {len(set(runs.keys))} runs with pauses up to {max_gap} s within and "
        f"longer ones between ({runs.separation:.0%} of their spread explained)"
    )
    return PartRule(pattern, rule, evidence)


def _numbers(column: Column) -> list[int]:
    if not column.is_number:
        return []
    return [int(value or 0) for value in column.values]


def _are_clear(runs: Runs, views: Views) -> bool:
    """Whether the steps are of two kinds, and the runs look like parts."""
    if len(set(runs.keys)) < MIN_RUNS or runs.separation < MIN_SEPARATION:
        return False
    return _is_of_parts(runs.keys) and views.agree(runs.keys)
