"""The manifest: one row per view, made from what the files, their names and annotations say.

Lists within a row are JSON. `boxes` are the labelled boxes in pixels; `copies` are the other files
with the same bytes, as path, part_id and label: one shot filed twice joins two part numbers, and
may be filed as two classes. A label is '' where a copy has none.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from inspection.boxes import LabelledBox, boxes_cell, parse_boxes
from inspection.dataset.annotations import Annotations
from inspection.dataset.boxes import resolved
from inspection.dataset.image_files import ImageFile, Mask
from inspection.dataset.labelling import (
    Labelled,
    Unknown,
    by_boxes,
    by_masks,
    by_name,
    by_table,
    check_unknown,
)
from inspection.dataset.layouts import ANNOTATED, Layout
from inspection.dataset.masks import contradicting, masks_of_views
from inspection.dataset.names import (
    ViewName,
    names_without_part,
    nfc,
    part_ids,
    take_apart,
)
from inspection.dataset.quarantine import Finding
from inspection.dataset.table import Table
from inspection.line import Line

# hex digits of the hash that name a view: 64 bits, with which a million views hold two alike once
# in some 37 million data sets
VIEW_ID_DIGITS = 16
COLUMNS = {
    "view_id": "str",
    "path": "str",
    "image_sha256": "str",
    "camera": "str",
    "part_id": "str",
    "view": "str",
    "label": "str",
    "label_raw": "str",
    "width_px": "int64",
    "height_px": "int64",
    "channels": "int64",
    "bit_depth": "int64",
    "boxes": "str",
    "mask_path": "str",
    "copies": "str",
}


def assemble(
    examined: Sequence[ImageFile],
    *,
    annotations: Annotations,
    masks: Sequence[Mask],
    layout: Layout,
    line: Line,
    unknown: Unknown,
    listed: Table = Table(),  # noqa: B008  (frozen, and empty)
) -> tuple[pd.DataFrame, list[Finding]]:
    """The manifest, sorted by path, and everything set aside or worth knowing.

    `listed` is what the layout's table says, if it has one. Of files with the same bytes the first
    is kept. Raises InspectionError when too many names or classes are unknown.
    """
    # by composed path: the order is to be the same on every system the files were copied to
    examined = sorted(examined, key=lambda one: nfc(one.path))
    names, strange = _named(examined, layout, listed)
    boxes, odd_boxes = _boxes(examined, annotations, line)
    masked, odd_masks = masks_of_views(examined, names, masks, layout, line)
    labels, unlabelled = _labels(
        names, boxes, masked, annotations, listed, layout, line
    )
    check_unknown(
        [*strange, *unlabelled],
        n_images=len(examined),
        unknown=unknown,
    )

    ids = part_ids(list(names.values()), layout.part_from)
    parts = dict(zip(names, ids, strict=True))
    rows = [
        {
            **_of_file(one),
            "camera": names[one.path]["camera"],
            "part_id": parts[one.path],
            "view": names[one.path]["view"],
            "label": labels[one.path].label,
            "label_raw": labels[one.path].raw,
            "boxes": boxes_cell(boxes[one.path]),
            "mask_path": masked[one.path].path if one.path in masked else "",
            "copies": "[]",
        }
        for one in examined
        if one.path in labels
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)

    findings = [
        *annotations.findings,
        *odd_boxes,
        *odd_masks,
        *contradicting(masked, labels, line),
        *strange,
        *unlabelled,
        *_repeated_files(table),
    ]
    named = [one for one in examined if one.path in names]
    same = _same_bytes(named, parts, labels)
    return _first_of_copies(table, same), findings


def counts(table: pd.DataFrame, quarantine: pd.DataFrame) -> dict[str, object]:
    """The numbers of a manifest, by class and by reason."""
    kept = quarantine["view_kept"].astype(bool)
    categories = [box.category for cell in table["boxes"] for box in parse_boxes(cell)]
    return {
        "n_views": len(table),
        "n_parts": int(table["part_id"].nunique()),
        "n_boxes": len(categories),
        "n_masks": int((table["mask_path"] != "").sum()),
        "n_quarantined": int((~kept).sum()),
        "quarantined": _tally(quarantine.loc[~kept, "reason"]),
        "noted": _tally(quarantine.loc[kept, "reason"]),
        "boxes": _tally(categories),
        "classes": _views_and_parts(table),
    }


def _views_and_parts(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """The number of views and of parts by class."""
    by_class = table.groupby("label")["part_id"]
    return {
        str(label): {"n_views": len(parts), "n_parts": int(parts.nunique())}
        for label, parts in by_class
    }


def _of_file(one: ImageFile) -> dict[str, str | int]:
    """The columns that the file itself gives."""
    return {
        "view_id": one.sha256[:VIEW_ID_DIGITS],
        "path": one.path,
        "image_sha256": one.sha256,
        "width_px": one.facts.width_px,
        "height_px": one.facts.height_px,
        "channels": one.facts.channels,
        "bit_depth": one.facts.bit_depth,
    }


def _named(
    examined: Sequence[ImageFile],
    layout: Layout,
    listed: Table,
) -> tuple[dict[str, ViewName], list[Finding]]:
    taken = {one.path: take_apart(one.path, layout.regex) for one in examined}
    names = {}
    for path, name in taken.items():
        if name is not None:
            mask = {"mask": listed.masks[path]} if path in listed.masks else {}
            in_table = {**listed.groups.get(path, {}), **mask}
            names[path] = replace(name, groups={**name.groups, **in_table})

    for name in names_without_part(list(names.values()), layout.part_from):
        del names[name.path]
    # the folder may hold pictures of other things, so this stops nothing by itself
    detail = "the name does not fit validate.pattern, or names no part"
    strange = [
        Finding(path, "name_not_understood", detail)
        for path in taken
        if path not in names
    ]
    return names, strange


def _boxes(
    examined: Sequence[ImageFile],
    annotations: Annotations,
    line: Line,
) -> tuple[dict[str, list[LabelledBox]], list[Finding]]:
    boxes: dict[str, list[LabelledBox]] = {}
    findings: list[Finding] = []
    for one in examined:
        boxes[one.path], odd = resolved(
            annotations.boxes.get(one.path, []),
            path=one.path,
            size_px=(one.facts.width_px, one.facts.height_px),
            sources=annotations.sources.get(one.path, ()),
            line=line,
        )
        findings += odd
    return boxes, findings


def _labels(
    names: Mapping[str, ViewName],
    boxes: Mapping[str, Sequence[LabelledBox]],
    masked: Mapping[str, Mask],
    annotations: Annotations,
    listed: Table,
    layout: Layout,
    line: Line,
) -> tuple[dict[str, Labelled], list[Finding]]:
    is_normal = layout.unlabelled == "normal"
    if layout.layout == "table" and layout.columns.label:
        return by_table(
            names,
            listed.labels,
            unlabelled_is_normal=is_normal,
            line=line,
        )
    if layout.layout in ANNOTATED:
        return by_boxes(
            names,
            boxes,
            annotations,
            unlabelled_is_normal=is_normal,
            line=line,
        )
    if layout.layout == "masks":
        is_marked = {path: one.is_marked for path, one in masked.items()}
        return by_masks(
            names,
            is_marked,
            unlabelled_is_normal=is_normal,
            line=line,
        )
    return by_name(
        names,
        layout=layout,
        line=line,
    )


def _same_bytes(
    examined: Sequence[ImageFile],
    parts: Mapping[str, str],
    labels: Mapping[str, Labelled],
) -> dict[str, list[dict[str, str]]]:
    """By hash all files of the same bytes: path, part_id and label ('' if it has none)."""
    same: dict[str, list[dict[str, str]]] = {}
    for one in examined:
        label = labels[one.path].label if one.path in labels else ""
        file = {"path": one.path, "part_id": parts[one.path], "label": label}
        same.setdefault(one.sha256, []).append(file)
    return same


def _first_of_copies(
    table: pd.DataFrame, same: Mapping[str, Sequence[Mapping[str, str]]]
) -> pd.DataFrame:
    """The first row of each hash, with the other files of its bytes in `copies`."""
    first = table.drop_duplicates("image_sha256").reset_index(drop=True)
    cells = []
    for sha256, path in zip(first["image_sha256"], first["path"], strict=True):
        copies = [copy for copy in same[sha256] if copy["path"] != path]
        cells.append(json.dumps(copies, ensure_ascii=False))
    return first.assign(copies=cells)


def _repeated_files(table: pd.DataFrame) -> list[Finding]:
    """Every later file with the bytes of an earlier one, and what differs between the two."""
    first = table.drop_duplicates("image_sha256").set_index("image_sha256")
    repeated = table[table.duplicated("image_sha256")]
    return [
        _copy(row, first.loc[row["image_sha256"]]) for _, row in repeated.iterrows()
    ]


def _copy(row: pd.Series, kept: pd.Series) -> Finding:
    detail = f"same bytes as {kept['path']}"
    differ = [column for column in ("label", "part_id") if row[column] != kept[column]]
    for column in differ:
        detail += f"; {column} {row[column]!r}, there {kept[column]!r}"
    reason = "duplicate_conflict" if "label" in differ else "duplicate"
    return Finding(str(row["path"]), reason, detail)


def _tally(reasons: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(reasons).items()))
