"""The files of a data folder by what they are: images, masks, annotations, and the rest."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from inspection.dataset.layouts import Layout
from inspection.dataset.names import nfc, spelled_twice
from inspection.images import SUFFIXES

VOC_SUFFIXES = frozenset({".xml"})
COCO_SUFFIXES = frozenset({".json"})
YOLO_SUFFIXES = frozenset({".txt"})


@dataclass(frozen=True)
class SortedFiles:
    """The files of a data folder by what they are; paths as on disk, sorted."""

    images: tuple[str, ...]
    masks: tuple[str, ...]
    yolo: tuple[str, ...]
    coco: tuple[str, ...]
    yolo_names: str
    ignored: tuple[str, ...]
    voc: tuple[str, ...] = ()
    table: str = ""

    def with_masks(self, named: Collection[str]) -> "SortedFiles":
        """The files with those that are `named` as masks, by a table say, among the masks."""
        images = tuple(path for path in self.images if path not in named)
        ignored = tuple(path for path in self.ignored if path not in named)
        masks = tuple(sorted({*self.masks, *named}))
        return replace(
            self,
            images=images,
            masks=masks,
            ignored=ignored,
        )


def sort_files(paths: Iterable[str], layout: Layout) -> SortedFiles:
    """Separate images, masks, annotations and the rest, by name alone."""
    left = sorted(paths)
    names = _named(left, layout.yolo_names)
    table = _named(left, layout.table)
    left = [path for path in left if path not in (names, table)]

    # the order decides where globs overlap: an annotation is no image, and a mask is none either
    voc, left = _take(left, _globs(layout.voc), VOC_SUFFIXES)
    coco, left = _take(left, _globs(layout.coco), COCO_SUFFIXES)
    yolo, left = _take(left, _globs(layout.yolo), YOLO_SUFFIXES)
    masks, left = _take(left, _mask_regexes(layout.masks), SUFFIXES)
    images, left = _take(left, _globs(layout.images), SUFFIXES)
    return SortedFiles(
        images=tuple(images),
        masks=tuple(masks),
        yolo=tuple(yolo),
        coco=tuple(coco),
        yolo_names=names,
        ignored=tuple(left),
        voc=tuple(voc),
        table=table,
    )


def missing_annotations(paths: Iterable[str], layout: Layout) -> list[str]:
    """A problem for each annotation file or glob of the layout that no file fits."""
    found = list(paths)
    names = _named(found, layout.yolo_names)
    files = [path for path in found if path != names]

    problems = [
        *_unfitted("coco", layout.coco, COCO_SUFFIXES, files),
        *_unfitted("yolo", layout.yolo, YOLO_SUFFIXES, files),
        *_unfitted("voc", layout.voc, VOC_SUFFIXES, files),
    ]
    if layout.yolo_names and not names:
        problems.append(f"{layout.yolo_names!r} of validate.yolo_names is not there")
    if layout.table and not _named(found, layout.table):
        problems.append(f"{layout.table!r} of validate.table is not there")
    return [f"{problem}; put it there, or correct params.yaml" for problem in problems]


def spelled_in_two_forms(paths: Sequence[str]) -> list[str]:
    """What to say of files that differ only in how their Hangul is composed; nothing of others."""
    twice = spelled_twice(paths)
    if not twice:
        return []
    shown = "; ".join(" and ".join(ascii(path) for path in group) for group in twice)
    return [
        f"{len(twice)} names are spelled in two Unicode forms (NFC and NFD): {shown}; rename or "
        "remove one of each"
    ]


def glob_regex(glob: str) -> re.Pattern[str]:
    """A glob on composed posix paths as a regular expression, in which case does not count.

    >>> bool(glob_regex("**/images/*").fullmatch("train/images/a.JPG"))
    True
    >>> bool(glob_regex("images/*").fullmatch("images/old/a.jpg"))
    False
    """
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", nfc(glob))
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return _compiled(tokens, meaning)


def _mask_regexes(template: str) -> list[re.Pattern[str]]:
    """The pattern of the masks' paths; none where the layout has no masks.

    >>> [regex] = _mask_regexes("{folder}/masks/{stem}.png")
    >>> bool(regex.fullmatch("crack/masks/17.png")), bool(regex.fullmatch("crack/17.png"))
    (True, False)
    """
    if not template:
        return []
    meaning = {"{class}": "[^/]+", "{stem}": "[^/]+"}
    tokens = re.split(r"(\{folder\}(?:/\.\.)*/|\{class\}|\{stem\})", nfc(template))
    meaning |= {token: "(?:.*/)?" for token in tokens if token.startswith("{folder}")}
    return [_compiled(tokens, meaning)]


def _compiled(tokens: Sequence[str], meaning: Mapping[str, str]) -> re.Pattern[str]:
    """The regular expression of tokens: those without a meaning stand for themselves."""
    # case does not count: cameras and Windows write .JPG and Images as they like
    pattern = "".join(meaning.get(token, re.escape(token)) for token in tokens)
    return re.compile(pattern, re.IGNORECASE)


def _globs(globs: Iterable[str]) -> list[re.Pattern[str]]:
    return [glob_regex(glob) for glob in globs]


def _named(paths: Iterable[str], name: str) -> str:
    """The path, as on disk, that `name` spells in any Unicode form; '' where there is none."""
    for path in paths:
        if nfc(path) == nfc(name):
            return path
    return ""


def _unfitted(
    key: str,
    globs: Iterable[str],
    suffixes: frozenset[str],
    files: Sequence[str],
) -> list[str]:
    """A problem for each glob that no file with such a suffix fits."""
    problems = []
    for glob in globs:
        taken, _ = _take(files, [glob_regex(glob)], suffixes)
        if not taken:
            suffix = ", ".join(sorted(suffixes))
            problems.append(f"no {suffix} file fits validate.{key} {glob!r}")
    return problems


def _take(
    paths: Sequence[str],
    patterns: Sequence[re.Pattern[str]],
    suffixes: frozenset[str],
) -> tuple[list[str], list[str]]:
    """Those of `paths` that have a suffix of `suffixes` and match a pattern, and the rest."""

    taken: list[str] = []
    left: list[str] = []
    for path in paths:
        fits = PurePosixPath(path).suffix.lower() in suffixes
        matches = fits and any(pattern.fullmatch(nfc(path)) for pattern in patterns)
        (taken if matches else left).append(path)
    return taken, left
