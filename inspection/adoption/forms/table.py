"""A table: CSV, TSV, JSON lines or parquet with a column of image paths and one of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inspection.adoption.boxes import Boxes, labels_by_boxes
from inspection.adoption.proposal import (
    Contents,
    Form,
    Lacks,
    Listing,
    Proposal,
    suffix,
)
from inspection.adoption.questions import UNLISTED, asks
from inspection.adoption.words import Normal, normal_among
from inspection.dataset.layouts import Columns
from inspection.dataset.names import nfc
from inspection.dataset.table import (
    TABLES,
    ImageFinder,
    Row,
    Table,
    read_rows,
    read_table,
)
from inspection.errors import InspectionError, first_three

NAME = "table"
MAX_CLASSES = 40
# So many rows show what a column holds.
N_ROWS_TRIED = 200
# What columns are called, without case and separators; in JSON their last key counts.
CALLED = {
    "label": ("label", "class", "classname", "classid", "category", "defect"),
    "part": ("part", "partid"),
    "camera": ("camera",),
    "view": ("view", "shot"),
    "mask": ("mask", "maskpath", "anomalymaskref"),
    "boxes": ("boxes", "annotations"),
}
EDGES = ("xmin", "ymin", "xmax", "ymax")
FOLDS = ("fold", "split", "set")


@dataclass(frozen=True)
class Found:
    """A table among the files: its rows, and its columns by what they hold."""

    path: str
    rows: Sequence[Row]
    columns: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        """All columns, in their order."""
        return list(dict.fromkeys(name for row in self.rows for name in row))


def recognise(listing: Listing, contents: Contents) -> Proposal | Lacks:
    """One table with a column of images, and one of labels: called so, or the only one of 2 to 40
    values."""
    wanted, _, column = listing.answers.label.rpartition(":")
    paths = [p for p in contents.texts if suffix(p) in TABLES and p.endswith(wanted)]
    finder = ImageFinder(listing.images)
    tables = [_found(path, contents.texts[path], finder) for path in sorted(paths)]
    naming = [one for one in tables if one is not None]
    if not naming:
        return Lacks("there is no table with a column that names images of the folder")

    labelled = [_labelled(one, column) for one in naming]
    ready = [one for one in labelled if isinstance(one, Found)]
    if len(ready) > 1:
        choices = (f"{one.path}:{one.columns.get('label', '')}" for one in ready)
        return Lacks(f"{len(ready)} tables name images; {asks('label', *choices)}")
    if not ready:
        return next(one for one in labelled if isinstance(one, Lacks))
    return _proposal(ready[0], listing, contents)


def _found(path: str, content: bytes, finder: ImageFinder) -> Found | None:
    """The table with the first column of which most cells name images; None without one."""
    try:
        rows = read_rows(path, content)
    except InspectionError:
        return None
    tried = rows[:N_ROWS_TRIED]
    for name in tried[0] if tried else ():
        found = sum(finder.find(row.get(name, "")) is not None for row in tried)
        if found > len(tried) / 2:
            return Found(path, rows, {"image": name})
    return None


def _labelled(table: Found, said: str) -> Found | Lacks:
    """The table with the columns that are called as what they hold, and that of the labels."""
    columns = dict(table.columns)
    left = [name for name in table.names if name not in columns.values()]
    for role, called in CALLED.items():
        named = [name for name in left if _plain(name) in called]
        if named:
            columns[role] = named[0]
    edges = [name for edge in EDGES for name in left if _plain(name) == edge]
    if len(edges) == len(EDGES):
        columns["box"] = tuple(edges)

    if said:
        columns["label"] = said
    if said and said not in table.names:
        return Lacks(
            f"{table.path} has no column {said!r}, only {', '.join(table.names)}"
        )
    if "label" not in columns and "boxes" not in columns:
        values = {name: {row.get(name, "") for row in table.rows} for name in left}
        few = [name for name, found in values.items() if 2 <= len(found) <= MAX_CLASSES]
        if len(few) != 1:
            return Lacks(
                f"{table.path} names images, and which of its columns {', '.join(left)} is the "
                f"label is not clear; {asks('label', *few or ['<column>'])}"
            )
        columns["label"] = few[0]

    label = columns.get("label", "")
    if not said and label and len({row.get(label, "") for row in table.rows}) < 2:
        return Lacks(f"{table.path}: all of column {label!r} is alike")
    return Found(table.path, table.rows, columns)


def _proposal(table: Found, listing: Listing, contents: Contents) -> Proposal | Lacks:
    columns = Columns.model_validate(table.columns)
    content = contents.texts[table.path]
    read = read_table(table.path, content, columns=columns, images=listing.images)
    used = dict(table.columns)
    masks = set(read.masks.values())
    folders = {_folder(path) for path in read.labels}
    photos = [p for p in listing.photos if p not in masks and _folder(p) in folders]

    said = listing.answers.normal
    normal, labels = _labels(photos, read, columns, said)
    boxes = Boxes({}, (), read.annotations) if read.annotations.boxes else None
    if not normal.names and "" not in labels.values():
        values = sorted(set(labels.values()))
        unlisted = len(photos) - len(labels)
        also = f", or NORMAL={UNLISTED} if the {unlisted} that no row names are the normal ones"
        return Lacks(
            f"{table.path} gives the labels {', '.join(values[:8])}, and none means normal; "
            f"{asks('normal', '<label>')}{also if unlisted else ''}"
        )

    parts = {} if listing.answers.part else _parts(photos, read)
    if not parts:
        used.pop("part", None)
    settings: dict[str, Any] = {"table": table.path, "columns": used}
    if said == UNLISTED:
        settings["unlabelled"] = "normal"
    return Proposal(
        NAME,
        "table",
        f"the table {table.path} says the class ({table.columns.get('label', 'by its boxes')})",
        labels,
        normal,
        by_view=not columns.label,
        settings=settings | _place(columns, listing),
        columns=used,
        parts=parts,
        boxes=boxes,
        files=(table.path, *sorted(masks)),
        notes=_notes(table, listing, labels, masks),
    )


def _parts(photos: Sequence[str], read: Table) -> dict[str, str]:
    """The part of each image, if the table gives that of all of them."""
    parts = {path: read.groups.get(path, {}).get("part", "") for path in photos}
    return parts if all(parts.values()) else {}


def _labels(
    photos: Sequence[str], read: Table, columns: Columns, said: str
) -> tuple[Normal, dict[str, str]]:
    """The normal class and the raw label of each image: of several the first defect, by rows."""
    unlisted = said == UNLISTED
    if not columns.label:
        boxes = Boxes({}, (), read.annotations)
        normal = normal_among(boxes.categories, "" if unlisted else said)
        listed = [path for path in photos if path in read.labels]
        return normal, labels_by_boxes(listed, boxes, normal.names)

    names = {label for labels in read.labels.values() for label in labels}
    normal = Normal(frozenset()) if unlisted else normal_among(names, said)
    labels = {}
    for path in photos:
        raws = read.labels.get(path, ())
        defects = [label for label in raws if label not in normal.names]
        if raws or unlisted:
            labels[path] = [*defects, *raws, ""][0]
    return normal, labels


def _place(columns: Columns, listing: Listing) -> dict[str, str]:
    """Where masks lie that the table does not name."""
    if columns.mask or not listing.masks.template:
        return {}
    return {"masks": listing.masks.template}


def _notes(
    table: Found, listing: Listing, labels: Mapping[str, str], masks: set[str]
) -> tuple[str, ...]:
    notes = []
    folds = [name for name in table.names if _plain(name) in FOLDS]
    if folds:
        notes.append(
            f"the column {folds[0]!r} of {table.path} is not used: stage split makes folds of its "
            "own, by part"
        )
    aside = [
        path for path in listing.photos if path not in labels and path not in masks
    ]
    if aside:
        notes.append(
            f"{len(aside)} images that no row of {table.path} names are left out "
            f"({first_three(aside)}); add rows for them, or, if they are the normal ones and lie "
            f"beside others, {asks('normal', UNLISTED)}"
        )
    return tuple(notes)


def _plain(name: str) -> str:
    """The last key of a column, in lower case and without separators."""
    return "".join(filter(str.isalnum, name.rpartition(".")[2].casefold()))


def _folder(path: str) -> str:
    return nfc(path).rpartition("/")[0]


FORM = Form(
    NAME,
    "CSV, TSV, JSON lines or parquet with a column of image paths and one of labels",
    recognise,
)
