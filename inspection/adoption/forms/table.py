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
# A column of more different values is no label but a serial number, a date or the like.
MAX_CLASSES = 40
# So many rows show what a column holds.
N_ROWS_TRIED = 200
# So many values of a column are listed, to choose the normal one from; of more the first three.
N_VALUES_SHOWN = 8
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
# Columns of masks as Kaggle writes them, pairs of start and length.
RUN_LENGTHS = ("encodedpixels", "rle")


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

    def values(self, name: str) -> list[str]:
        """The different values of a column, in their order."""
        return list(dict.fromkeys(row.get(name, "") for row in self.rows))

    def n_values(self, name: str) -> int:
        """How many different values a column holds."""
        return len(self.values(name))


def recognise(listing: Listing, contents: Contents) -> Proposal | Lacks:
    """One table with a column of images, and one of labels: called so, or the only one of 2 to 40
    values."""
    wanted, _, column = listing.answers.label.rpartition(":")
    naming, unread = _tables(wanted, listing, contents)
    if not naming and unread:
        return Lacks(unread[0], is_near=True)
    if not naming:
        return Lacks("there is no table with a column that names images of the folder")

    labelled = [_labelled(one, column, listing.answers.normal) for one in naming]
    ready = [one for one in labelled if isinstance(one, Found)]
    lacking = [one for one in labelled if isinstance(one, Lacks)]
    if not ready:
        return lacking[0]
    if len(ready) > 1:
        # the one that tells most classes is meant more often than a template or a list
        ready.sort(key=_n_labels, reverse=True)
        choices = [f"{one.path}:{one.columns.get('label', '')}" for one in ready]
        question = f"{len(ready)} tables name images; {asks('label', *choices)}"
        told = any(_tells_normal(one, one.columns.get("label", "")) for one in ready)
        if not told and not listing.answers.normal:
            question += f", and at once {_asks_normal_too()}"
        return Lacks(question, is_near=True)
    return _proposal(ready[0], listing, contents)


def _n_labels(table: Found) -> int:
    label = table.columns.get("label")
    return table.n_values(label) if isinstance(label, str) else 0


def _tables(
    wanted: str, listing: Listing, contents: Contents
) -> tuple[list[Found], list[str]]:
    """The tables that name images, of those whose path ends as is `wanted`, and why others cannot
    be read."""
    finder = ImageFinder(listing.images)
    found = []
    unread = []
    for path, content in sorted(contents.texts.items()):
        if suffix(path) not in TABLES or not path.endswith(wanted):
            continue
        try:
            table = _found(path, content, finder)
        except InspectionError as error:
            unread.append(str(error))
            continue
        if table is not None:
            found.append(table)
    return found, unread


def _found(path: str, content: bytes, finder: ImageFinder) -> Found | None:
    """The table with the first column of which most cells name images; None without one.

    Raises InspectionError where it cannot be read.
    """
    rows = read_rows(path, content)
    tried = rows[:N_ROWS_TRIED]
    if not tried:
        return None

    for name in tried[0]:
        images = [finder.find(row.get(name, "")) for row in tried]
        n_found = sum(image is not None for image in images)
        if n_found > len(tried) / 2:
            return Found(path, rows, {"image": name})
    return None


def _labelled(table: Found, said: str, normal: str) -> Found | Lacks:
    """The table with all its columns by what they hold; `said` names that of the labels, `normal`
    the normal one of these."""
    columns = {**_called(table), **table.columns}
    if said and said not in table.names:
        known = ", ".join(table.names)
        return Lacks(f"{table.path} has no column {said!r}, only {known}", is_near=True)
    if said:
        return Found(table.path, table.rows, {**columns, "label": said})

    if not columns.keys() & {"label", "boxes"}:
        left, few = _unnamed(table, columns)
        # of several the one in which something means normal
        telling = [name for name in few if _tells_normal(table, name)]
        clear = few if len(few) == 1 else telling
        if len(clear) != 1:
            return _unclear(table, left, few, asks_normal=not (telling or normal))
        columns["label"] = clear[0]

    if "label" in columns and table.n_values(columns["label"]) < 2:
        alike = f"{table.path}: all of column {columns['label']!r} is alike"
        return Lacks(alike, is_near=True)
    return Found(table.path, table.rows, columns)


def _unnamed(table: Found, columns: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The columns whose name says nothing, and those of them that may hold labels."""
    left = [name for name in table.names if name not in columns.values()]
    few = [name for name in left if _are_classes(table.n_values(name))]
    return left, few


def _tells_normal(table: Found, name: str) -> bool:
    return bool(normal_among(set(table.values(name))).names)


def _unclear(
    table: Found,
    left: Sequence[str],
    few: Sequence[str],
    *,
    asks_normal: bool,
) -> Lacks:
    """What is asked of the columns that are `left`, of which `few` may hold labels.

    Where no value of these means normal, that would be asked next: it is asked at once.
    """
    columns = ", ".join(f"{name} ({_shown(table.values(name))})" for name in left)
    question = asks("label", *few or ["<column>"])
    if asks_normal:
        question += f", and at once {_asks_normal_too()}"
    return Lacks(
        f"{table.path} names images, and which of its columns is the label is not clear: "
        f"{columns}; {question}",
        is_near=True,
    )


def _asks_normal_too() -> str:
    """The question for the normal class where the column of labels is not known yet."""
    return (
        f"which of its values is the normal one, for none says so: {asks('normal', '<value>')}, or "
        f"NORMAL={UNLISTED} if the images that no row names are the normal ones"
    )


def _shown(values: Sequence[str]) -> str:
    """The values of a column to choose from; of many the first, to know it by."""
    if len(values) <= N_VALUES_SHOWN:
        return ", ".join(map(repr, values))
    return first_three(values)


def _are_classes(n_values: int) -> bool:
    return 2 <= n_values <= MAX_CLASSES


def _called(table: Found) -> dict[str, Any]:
    """The columns that are called as what they hold."""
    columns: dict[str, Any] = {}
    for name in table.names:
        plain = _plain(name)
        for role, called in CALLED.items():
            if plain in called:
                columns.setdefault(role, name)

    by_plain_name = {_plain(name): name for name in reversed(table.names)}
    edges = [by_plain_name[edge] for edge in EDGES if edge in by_plain_name]
    if len(edges) == len(EDGES):
        columns["box"] = tuple(edges)
    return columns


def _proposal(table: Found, listing: Listing, contents: Contents) -> Proposal | Lacks:
    columns = Columns.model_validate(table.columns)
    content = contents.texts[table.path]
    read = read_table(table.path, content, columns=columns, images=listing.images)
    masks = set(read.masks.values())
    photos = _photos(listing, read)

    said = listing.answers.normal
    normal, labels = _labels(photos, read, columns, said)
    if not normal.names and "" not in labels.values():
        return _none_normal(table, labels, len(photos) - len(labels))

    used = dict(table.columns)
    parts = {} if listing.answers.part else _parts(photos, read)
    if not parts:
        used.pop("part", None)
    settings = {"table": table.path, "columns": used, **_place(columns, listing)}
    if said == UNLISTED:
        settings["unlabelled"] = "normal"
    return Proposal(
        NAME,
        "table",
        f"the table {table.path} says the class ({columns.label or 'by its boxes'})",
        labels,
        normal,
        by_view=not columns.label,
        settings=settings,
        columns=used,
        parts=parts,
        boxes=Boxes({}, (), read.annotations),
        files=(table.path, *sorted(masks)),
        notes=_notes(table, listing, labels, masks),
    )


def _photos(listing: Listing, read: Table) -> list[str]:
    """The images of the folders in which rows name some, without the masks that rows name."""
    masks = set(read.masks.values())
    folders = {_folder(path) for path in read.labels}
    return [p for p in listing.photos if p not in masks and _folder(p) in folders]


def _none_normal(table: Found, labels: Mapping[str, str], n_unlisted: int) -> Lacks:
    values = ", ".join(sorted(set(labels.values()))[:N_VALUES_SHOWN])
    also = ""
    if n_unlisted:
        also = f", or NORMAL={UNLISTED} if the {n_unlisted} that no row names are the normal ones"
    return Lacks(
        f"{table.path} gives the labels {values}, and none means normal; "
        f"{asks('normal', '<label>')}{also}",
        is_near=True,
        none_normal=not n_unlisted,
    )


def _parts(photos: Sequence[str], read: Table) -> dict[str, str]:
    """The part of each image, if the table gives that of all of them."""
    parts = {path: read.groups.get(path, {}).get("part", "") for path in photos}
    return parts if all(parts.values()) else {}


def _labels(
    photos: Sequence[str], read: Table, columns: Columns, said: str
) -> tuple[Normal, dict[str, str]]:
    """The normal class and the raw label of each image: of several the first defect, by rows."""
    if not columns.label:
        is_unlisted = said == UNLISTED
        category = "" if is_unlisted else said
        return _labels_by_boxes(photos, read, category, with_unlisted=is_unlisted)

    if said == UNLISTED:
        normal = Normal(frozenset())
        labels = dict.fromkeys(photos, "")
    else:
        given: set[str] = set()
        given.update(*read.labels.values())
        normal = normal_among(given, said)
        labels = {}

    for path in photos:
        raws = read.labels.get(path, ())
        defects = [label for label in raws if label not in normal.names]
        if raws:
            first, *_ = [*defects, *raws]
            labels[path] = first
    return normal, labels


def _labels_by_boxes(
    photos: Sequence[str], read: Table, said: str, *, with_unlisted: bool
) -> tuple[Normal, dict[str, str]]:
    """The same where the table has no column of labels: its boxes say them."""
    boxes = Boxes({}, (), read.annotations)
    normal = normal_among(boxes.categories, said)
    listed = [path for path in photos if path in read.labels]
    shown = photos if with_unlisted else listed
    return normal, labels_by_boxes(shown, boxes, normal.names)


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
    unused = _unused(table, folds)
    runs = [name for name in unused if _plain(name) in RUN_LENGTHS]
    others = [name for name in unused if name not in runs]
    if runs and not listing.masks.template:
        notes.append(
            f"{table.path} marks defects in {runs[0]!r}, which is not read: its run "
            "lengths become masks as README, Your own parts, shows"
        )
    if others:
        notes.append(
            f"what {table.path} says in {first_three(others)} is not used (README, Your own parts, "
            "names the columns that are)"
        )
    if folds:
        notes.append(
            f"the column {folds[0]!r} of {table.path} is not used: stage split makes folds of its "
            "own, by part"
        )
    aside = [
        path for path in listing.photos if path not in labels and path not in masks
    ]
    if aside:
        remedy = "add rows for them if they are to count"
        if listing.answers.normal != UNLISTED:
            remedy += (
                ", or, if they are the normal ones and lie beside others, "
                f"{asks('normal', UNLISTED)}"
            )
        notes.append(
            f"{len(aside)} images that no row of {table.path} names are left out "
            f"({first_three(aside)}); {remedy}"
        )
    return tuple(notes)


def _unused(table: Found, folds: Sequence[str]) -> list[str]:
    """The columns that hold something and are not read."""
    used = set(folds)
    for column in table.columns.values():
        used |= set(column) if isinstance(column, tuple) else {column}
    return [
        name
        for name in table.names
        if name not in used and any(r.get(name) for r in table.rows)
    ]


def _plain(name: str) -> str:
    """The last key of a column, in lower case and without separators."""
    last_key = name.rpartition(".")[2]
    return "".join(filter(str.isalnum, last_key.casefold()))


def _folder(path: str) -> str:
    return nfc(path).rpartition("/")[0]


FORM = Form(
    NAME,
    "CSV, TSV, JSON lines or parquet with a column of image paths and one of labels",
    recognise,
)
