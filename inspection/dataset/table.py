"""A table that lists images with their labels: CSV, TSV, JSON lines or parquet, read by columns.

It is the form that any other data set can be turned into. A row names an image; several rows of one
image add up (a row per box, or per defect). Manifests of Amazon SageMaker and Lookout are JSON
lines of this kind: nested keys are joined by dots (`class-metadata.class-name`).
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from inspection.boxes import LabelledBox
from inspection.dataset.annotations import Annotations
from inspection.dataset.image_index import ImageIndex
from inspection.dataset.layouts import Columns
from inspection.dataset.names import nfc
from inspection.dataset.quarantine import Finding
from inspection.errors import InspectionError
from inspection.geometry import Box
from inspection.images import SUFFIXES
from inspection.texts import decoded

JSON_LINES = frozenset({".jsonl", ".ndjson", ".manifest"})
TABLES = frozenset({".csv", ".tsv", ".parquet"}) | JSON_LINES
SEPARATORS = "\t,;"
GROUPS = ("part", "camera", "view")

Row = dict[str, str]


@dataclass(frozen=True)
class Table:
    """What the rows say, by image path as on disk.

    `groups` holds part, camera and view, as the pattern of a name would; `labels` are the raw
    labels of an image in the order of its rows; `masks` is where its mask lies.
    """

    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    masks: Mapping[str, str] = field(default_factory=dict)
    annotations: Annotations = field(default_factory=Annotations)


def read_table(
    path: str,
    content: bytes,
    *,
    columns: Columns,
    images: Sequence[str],
) -> Table:
    """The rows of a table, by the image that each names; `images` are all image files.

    A row that names no image is a finding. Raises InspectionError where the file is no table, or
    lacks one of the columns.
    """
    rows = read_rows(path, content)
    _check_columns(path, rows, columns)

    groups: dict[str, Mapping[str, str]] = {}
    labels: dict[str, list[str]] = {}
    masks: dict[str, str] = {}
    annotations = Annotations()
    finder = ImageFinder(images)

    for number, row in enumerate(rows, 1):
        cell = row.get(columns.image, "")
        image = finder.find(cell)
        if image is None:
            detail = f"row {number} names {cell!r}; no image or several have this name"
            finding = Finding(path, "label_without_image", detail, view_kept=True)
            annotations.findings.append(finding)
            continue

        groups.setdefault(image, _groups(row, columns))
        of_image = labels.setdefault(image, [])
        label = row.get(columns.label, "")
        if label:
            of_image.append(label)

        mask = finder.find(row.get(columns.mask, ""))
        if mask is not None:
            masks[image] = mask

        problem = _add_boxes(annotations, image, row, columns)
        if problem:
            detail = f"row {number}: no list of boxes in {columns.boxes!r} ({problem})"
            finding = Finding(path, "box_not_a_number", detail, view_kept=True)
            annotations.findings.append(finding)
    return Table(groups, labels, masks, annotations)


def _add_boxes(annotations: Annotations, image: str, row: Row, columns: Columns) -> str:
    """Add the boxes of a row, where the table has any; or what is wrong with them."""
    if not columns.box and not columns.boxes:
        return ""
    try:
        annotations.add(image, "table", _boxes(row, columns))
    except (ValueError, TypeError, AttributeError) as error:
        annotations.unread.add(image)
        return str(error)
    return ""


class ImageFinder:
    """Finds the image that a cell names, by the longest common end of the path.

    A cell without the suffix of an image (`0002cc93b`) is taken for a name without one.
    """

    def __init__(self, images: Iterable[str]) -> None:
        paths = list(images)
        self._whole = ImageIndex(paths, suffixes=True)
        self._stems = ImageIndex(paths, suffixes=False)

    def find(self, cell: str) -> str | None:
        """The image, or None where none or several fit."""
        if not cell:
            return None
        index = self._whole if names_an_image(cell) else self._stems
        return index.find(cell)


def names_an_image(cell: str) -> bool:
    """True for text that ends as the name of an image file does."""
    return PurePosixPath(cell).suffix.lower() in SUFFIXES


def read_rows(path: str, content: bytes) -> list[Row]:
    """The rows as text by column, NFC; '' for what a row lacks.

    The columns of a CSV file without a header are called 1, 2, 3 ... Raises InspectionError.
    """
    suffix = PurePosixPath(path).suffix.lower()
    try:
        if suffix == ".parquet":
            rows = _parquet_rows(content)
        elif suffix in JSON_LINES:
            lines = decoded(content)[0].splitlines()
            rows = [_flat(json.loads(line)) for line in lines if line.strip()]
        else:
            rows = _csv_rows(decoded(content)[0])
    except (ValueError, AttributeError, csv.Error, OSError) as error:
        raise InspectionError(
            f"{path}: is no table that can be read ({error}); save it as CSV in UTF-8"
        ) from error
    return [{nfc(str(key)): nfc(cell) for key, cell in row.items()} for row in rows]


def _parquet_rows(content: bytes) -> list[Row]:
    table = pd.read_parquet(io.BytesIO(content))
    names = [str(name) for name in table.columns]

    rows = []
    for cells in table.itertuples(index=False, name=None):
        row = dict(zip(names, cells, strict=True))
        rows.append(_flat(row))
    return rows


def _csv_rows(text: str) -> list[Row]:
    """Rows of text; the separator is the most frequent of tab, comma, semicolon in the first line.

    Without any of them blanks separate. The first line is a header unless it names an image.
    """
    first = text.split("\n", 1)[0]
    separator = max(SEPARATORS, key=first.count)
    if separator in first:
        lines = list(csv.reader(io.StringIO(text), delimiter=separator))
    else:
        lines = [line.split() for line in text.splitlines()]

    stripped = [_stripped(line) for line in lines if any(line)]
    if not stripped:
        return []

    header, *rest = stripped
    if any(map(names_an_image, header)):
        rest = stripped
        header = [str(number) for number, _ in enumerate(header, 1)]
    return [dict(zip(header, line, strict=False)) for line in rest]


def _stripped(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _flat(row: Mapping[str, Any], above: str = "") -> Row:
    """Nested keys joined by dots; lists stay JSON."""
    flat: Row = {}
    for key, value in row.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name}.")
        elif isinstance(value, list | np.ndarray):
            flat[name] = json.dumps(np.asarray(value, object).tolist())
        else:
            flat[name] = "" if pd.isna(value) else str(value)
    return flat


def _check_columns(
    path: str,
    rows: Sequence[Row],
    columns: Columns,
) -> None:
    known = {name for row in rows for name in row}
    missing = sorted(set(columns.names) - known)
    if missing:
        raise InspectionError(
            f"{path}: has no column {', '.join(map(repr, missing))}, only "
            f"{', '.join(map(repr, sorted(known)))}; to fix: validate.columns"
        )


def _groups(row: Row, columns: Columns) -> dict[str, str]:
    named = {group: getattr(columns, group) for group in GROUPS}
    return {group: row.get(column, "") for group, column in named.items() if column}


def _boxes(row: Row, columns: Columns) -> list[LabelledBox]:
    """The boxes of a row: of its four columns of edges, or of its column of JSON."""
    if columns.boxes:
        return list(_json_boxes(row, columns))
    cells = [row.get(edge, "") for edge in columns.box]
    if not any(cells):
        return []

    left, top, right, bottom = map(_number, cells)
    box = Box(left, top, right - left, bottom - top)
    label = row.get(columns.label, "")
    return [LabelledBox(label, box, "table")]


def _json_boxes(row: Row, columns: Columns) -> Iterator[LabelledBox]:
    """Boxes of JSON: a list of left (or x), top (or y), width, height, and label or class_id.

    A class_id stands for a name in `<column>-metadata.class-map`, as in Amazon's manifests.
    """
    attribute = columns.boxes.removesuffix(".annotations")
    for entry in json.loads(row.get(columns.boxes) or "[]"):
        number = str(entry.get("class_id", ""))
        mapped = row.get(f"{attribute}-metadata.class-map.{number}", number)
        label = str(entry.get("label", mapped))
        box = Box(
            x_px=_number(entry.get("left", entry.get("x"))),
            y_px=_number(entry.get("top", entry.get("y"))),
            width_px=_number(entry.get("width")),
            height_px=_number(entry.get("height")),
        )
        yield LabelledBox(nfc(label), box, "table")


def _number(cell: Any) -> float:
    """The number in a cell; NaN where it holds none, and the box is then set aside."""
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")
