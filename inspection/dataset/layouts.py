"""How a data folder is laid out: which files are images, masks and annotations, and who is who."""

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from inspection.dataset.names import PartFrom, ViewName, nfc
from inspection.images import SUFFIXES
from inspection.line import Frozen, Line, fold_name

# layouts whose labels stand in annotation files, and those whose labels stand in no name
ANNOTATED = frozenset({"coco", "yolo", "voc", "table"})
FROM_FILES = ANNOTATED | {"masks"}
VOC_SUFFIXES = frozenset({".xml"})
COCO_SUFFIXES = frozenset({".json"})
YOLO_SUFFIXES = frozenset({".txt"})


class Columns(Frozen):
    """The columns of a table by what they hold; '' for what it does not hold."""

    image: str = ""
    """The path of the image file, or its name."""

    label: str = ""
    """The class. Without it the labels of the boxes say it."""

    part: str = ""
    """The part that the image shows; views of one part have the same value."""

    camera: str = ""
    """The camera."""

    view: str = ""
    """Which view of the part it is."""

    mask: str = ""
    """The path of the mask."""

    boxes: str = ""
    """All boxes of an image in one column of JSON."""

    box: tuple[()] | tuple[str, str, str, str] = ()
    """The four columns of left, top, right and bottom in pixels; the label names the box."""

    @property
    def names(self) -> list[str]:
        """All columns that are used."""
        single = self.model_dump(exclude={"box"}).values()
        return [name for name in (*single, *self.box) if name]


class Layout(Frozen):
    """Where things are under the data folder; all names are compared composed (NFC)."""

    layout: Literal[
        "flat",
        "class_folders",
        "class_folders_with_masks",
        "masks",
        "coco",
        "yolo",
        "voc",
        "table",
    ]
    """Where the label of a view stands: in the file's name (`flat`), in the name of a folder
    above it (`class_folders`, `class_folders_with_masks`), in its mask (`masks`: normal where
    nothing is marked, else the line's one defect), in its boxes (`coco`, `yolo`, `voc`), or in
    the `columns` of a `table` (CSV, TSV, JSON lines or parquet)."""

    images: tuple[str, ...] = Field(
        default=("**/*",),
        min_length=1,
    )
    """Globs of image files relative to the data folder, `**` for any depth."""

    pattern: str = ".+"
    """A regular expression for the stem of an image's name as a whole. Its named groups are
    camera, part, label, view, or what `part_from` names."""

    part_from: PartFrom = PartFrom(rule="file")
    """What makes two images views of one part."""

    masks: str = ""
    """Where the mask of an image lies: `{folder}` is the image's folder, `{class}` the folder
    that names its class, `{stem}` its name without the suffix."""

    yolo: tuple[str, ...] = ()
    """Globs of YOLO label files."""

    yolo_names: str = ""
    """The file of YOLO's class names, one a line."""

    coco: tuple[str, ...] = ()
    """Globs of COCO annotation files."""

    voc: tuple[str, ...] = ()
    """Globs of Pascal VOC annotation files."""

    table: str = ""
    """The table of a layout `table`."""

    columns: Columns = Columns()
    """The columns of the table."""

    unlabelled: Literal["normal", "quarantine"] = "quarantine"
    """What an image is that nothing labels: `normal` where annotators only marked defects; else
    it is quarantined, since nobody knows."""

    @field_validator("pattern")
    @classmethod
    def _pattern_compiles(cls, pattern: str) -> str:
        try:
            re.compile(nfc(pattern))
        except re.error as error:
            raise ValueError(f"should be a regular expression ({error})") from error
        return pattern

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [
            *_mask_problems(self.masks),
            *_file_problems(self),
            *_group_problems(self),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def regex(self) -> re.Pattern[str]:
        """`pattern`, compiled."""
        return re.compile(nfc(self.pattern))


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


def mask_path(
    name: ViewName,
    *,
    layout: Layout,
    line: Line,
) -> str:
    """Where the mask of a view lies by the table or the layout, composed; '' without masks."""
    if layout.table and name["mask"]:
        return nfc(name["mask"])
    if not layout.masks:
        return ""
    path = PurePosixPath(nfc(name.path))
    known = class_folder(name.path, line)
    fields = {"folder": path.parent, "stem": path.stem, "class": known}
    return posixpath.normpath(layout.masks.format(**fields))


def raw_label(
    name: ViewName,
    *,
    layout: Layout,
    line: Line,
) -> str:
    """The label as the name or the folder spells it, NFC; '' where another file says it."""
    if layout.layout in FROM_FILES:
        return ""
    if layout.layout == "flat" or "label" in layout.regex.groupindex:
        return name["label"]
    return class_folder(name.path, line) or nfc(str(PurePosixPath(name.path).parent))


def class_folder(path: str, line: Line) -> str:
    """The nearest folder above `path` that names a class, NFC, or ''."""
    folders = PurePosixPath(nfc(path)).parent.parts
    # the nearest: a folder further up may bear the name of a class by chance
    for folder in reversed(folders):
        if fold_name(folder) in line.class_by_alias:
            return folder
    return ""


class ImageIndex:
    """Finds the image that an annotation names, without knowing where its paths start."""

    def __init__(
        self,
        images: Iterable[str],
        *,
        suffixes: bool,
    ) -> None:
        self._suffixes = suffixes
        self._by_tail: dict[tuple[str, ...], list[str]] = {}
        for path in images:
            parts = self._parts(path)
            # by every end of the path: annotation files hold paths of another machine
            for start in range(len(parts)):
                self._by_tail.setdefault(parts[start:], []).append(path)

    def find(self, key: str) -> str | None:
        """The image whose path shares the longest end with `key`; None if none or several do.

        >>> index = ImageIndex(["train/images/a.jpg", "val/images/a.jpg"], suffixes=True)
        >>> index.find("C:\\\\shots\\\\train\\\\images\\\\a.jpg")
        'train/images/a.jpg'
        >>> index.find("a.jpg")
        """
        wanted = self._parts(key.replace("\\", "/"))
        for start in range(len(wanted)):
            found = self._by_tail.get(wanted[start:])
            if found is not None:
                return found[0] if len(found) == 1 else None
        return None

    def _parts(self, path: str) -> tuple[str, ...]:
        pure = PurePosixPath(nfc(path))
        return (pure if self._suffixes else pure.with_suffix("")).parts


def _mask_problems(template: str) -> list[str]:
    try:
        template.format(folder="", stem="", **{"class": ""})
    except (KeyError, IndexError, ValueError):
        return [f"masks {template!r} may use {{folder}}, {{class}} and {{stem}} only"]

    if template and "{stem}" not in template:
        return ["masks needs {stem}"]
    return []


def _file_problems(layout: Layout) -> list[str]:
    """What the layout needs of masks and annotation files, and lacks."""
    problems = []
    if layout.layout in ("class_folders_with_masks", "masks") and not layout.masks:
        problems.append(f"layout {layout.layout} needs masks")
    if layout.layout in ANNOTATED and not getattr(layout, layout.layout):
        problems.append(
            f"layout {layout.layout} needs {layout.layout}, the annotation files"
        )
    if layout.yolo and not layout.yolo_names:
        problems.append("yolo needs yolo_names, the file that names the classes")
    if layout.table and not layout.columns.image:
        problems.append("table needs columns.image, the column that names images")
    return problems


def _group_problems(layout: Layout) -> list[str]:
    """What the layout needs of the pattern's named groups, and lacks."""
    groups = set(layout.regex.groupindex)
    problems = []
    if layout.layout == "flat" and "label" not in groups:
        problems.append("layout flat needs a group (?P<label>...) in pattern")

    group = layout.part_from.group
    is_keyed = layout.part_from.rule in ("pattern", "consecutive")
    in_table = bool(layout.columns.part) and group == "part"
    if is_keyed and group not in groups and not in_table:
        problems.append(f"part_from needs a group (?P<{group}>...) in pattern")
    return problems


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
