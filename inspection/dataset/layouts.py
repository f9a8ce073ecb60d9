"""How a data folder is laid out: which files are images, masks and annotations, and who is who."""

import posixpath
import re
from pathlib import PurePosixPath
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from inspection.dataset.names import PartFrom, ViewName, nfc
from inspection.line import Frozen, Line, fold_name

# layouts whose labels stand in annotation files, and those whose labels stand in no name
ANNOTATED = frozenset({"coco", "yolo", "voc", "table"})
FROM_FILES = ANNOTATED | {"masks"}


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
