"""The manifest: one row per view, made from what the files, their names and annotations say."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from inspection.annotations import Annotations
from inspection.boxes import Box, resolved
from inspection.errors import InspectionError, first_three
from inspection.findings import Finding
from inspection.images import ImageError, ImageFacts, decode, describe
from inspection.layouts import Layout, mask_path, raw_label
from inspection.line import Frozen, Line, fold_name
from inspection.names import ViewName, names_without_part, nfc, part_ids, spelled_twice, take_apart

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
}


@dataclass(frozen=True)
class Examined:
    """A readable image file: its hash (hex SHA-256 of the bytes) and facts."""

    path: str
    sha256: str
    facts: ImageFacts


@dataclass(frozen=True)
class Labelled:
    """A view's label: the canonical class, and as the file spells it."""

    label: str
    raw: str


class Unknown(Frozen):
    """What to do with images whose name or class is unknown.

    `error` stops at once; `quarantine` lists them, and stops where they are more than
    `max_fraction` of all images: then it is the configuration that is wrong.
    """

    action: Literal["error", "quarantine"] = "quarantine"
    max_fraction: float = 0.05


def examine(path: str, content: bytes, *, max_pixels: int) -> Examined | Finding:
    """Hash and decode one image file; the pixels are checked, not kept."""
    try:
        facts = describe(content, max_pixels=max_pixels)
        decode(content, channels=1, max_pixels=max_pixels)
    except ImageError as error:
        return Finding(path, error.code, str(error))
    return Examined(path, hashlib.sha256(content).hexdigest(), facts)


def check_spelling(paths: Sequence[str]) -> None:
    """Raise InspectionError when two files differ only in how their Hangul is composed."""
    twice = spelled_twice(paths)
    if twice:
        shown = "; ".join(" and ".join(ascii(path) for path in group) for group in twice)
        raise InspectionError(
            f"data: {len(twice)} names are spelled in two Unicode forms (NFC and NFD): {shown}; "
            "rename or remove one of each"
        )


def assemble(
    examined: Sequence[Examined],
    *,
    annotations: Annotations,
    masks: Sequence[str],
    layout: Layout,
    line: Line,
    unknown: Unknown,
) -> tuple[pd.DataFrame, list[Finding]]:
    """The manifest, sorted by path, and everything set aside or worth knowing.

    Of files with the same bytes the first is kept. Raises InspectionError when too many names or
    classes are unknown.
    """
    examined = sorted(examined, key=lambda one: nfc(one.path))
    names, strange = _named(examined, layout)
    boxes, findings = _boxes(examined, annotations, line)
    labels, unlabelled = _labels(names, boxes, annotations, layout, line)
    strange += unlabelled
    _check_unknown(strange, n_images=len(examined), unknown=unknown)
    parts = dict(zip(names, part_ids(list(names.values()), layout.part_from), strict=True))
    masked = _masked(names, masks, layout, line)
    rows = [
        {
            "view_id": one.sha256[:VIEW_ID_DIGITS],
            "path": one.path,
            "image_sha256": one.sha256,
            "camera": names[one.path]["camera"],
            "part_id": parts[one.path],
            "view": names[one.path]["view"],
            "label": labels[one.path].label,
            "label_raw": labels[one.path].raw,
            "width_px": one.facts.width_px,
            "height_px": one.facts.height_px,
            "channels": one.facts.channels,
            "bit_depth": one.facts.bit_depth,
            "boxes": json.dumps([box.as_row() for box in boxes[one.path]], ensure_ascii=False),
            "mask_path": masked.get(one.path, ""),
        }
        for one in examined
        if one.path in labels
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    orphans = sorted(set(masks) - set(masked.values()))
    findings += [Finding(path, "mask_without_image", "", view_kept=True) for path in orphans]
    return _first_of_copies(table), [*annotations.findings, *findings, *strange, *_copies(table)]


def check_classes(table: pd.DataFrame, line: Line) -> None:
    """Raise InspectionError that lists every class without views, or with one part alone."""
    n_parts = table.groupby("label")["part_id"].nunique()
    found = {name: int(n_parts.get(name, 0)) for name in line.classes}
    problems = [
        f"data: {_role(name, line)} {name!r} has {_few(n, name)}, or remove it from params.yaml"
        for name, n in found.items()
        if n < 2
    ]
    if problems:
        raise InspectionError("\n".join(problems))


def counts(table: pd.DataFrame, quarantine: pd.DataFrame) -> dict[str, object]:
    """The numbers of a manifest, by class and by reason."""
    kept = quarantine["view_kept"].astype(bool)
    categories = Counter(box["category"] for cell in table["boxes"] for box in json.loads(cell))
    classes = table.groupby("label")["part_id"].agg(n_views="size", n_parts="nunique")
    return {
        "n_views": len(table),
        "n_parts": int(table["part_id"].nunique()),
        "n_boxes": categories.total(),
        "n_masks": int((table["mask_path"] != "").sum()),
        "n_quarantined": int((~kept).sum()),
        "quarantined": _tally(quarantine.loc[~kept, "reason"]),
        "noted": _tally(quarantine.loc[kept, "reason"]),
        "boxes": _tally(categories.elements()),
        "classes": {str(k): {n: int(v) for n, v in r.items()} for k, r in classes.iterrows()},
    }


def _named(
    examined: Sequence[Examined], layout: Layout
) -> tuple[dict[str, ViewName], list[Finding]]:
    taken = {one.path: take_apart(one.path, layout.regex) for one in examined}
    names = {path: name for path, name in taken.items() if name is not None}
    for name in names_without_part(list(names.values()), layout.part_from):
        del names[name.path]
    detail = "the name does not fit validate.pattern, or tells no part"
    return names, [Finding(p, "name_not_understood", detail) for p in taken if p not in names]


def _boxes(
    examined: Sequence[Examined], annotations: Annotations, line: Line
) -> tuple[dict[str, list[Box]], list[Finding]]:
    boxes: dict[str, list[Box]] = {}
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
    boxes: Mapping[str, Sequence[Box]],
    annotations: Annotations,
    layout: Layout,
    line: Line,
) -> tuple[dict[str, Labelled], list[Finding]]:
    labels: dict[str, Labelled] = {}
    strange: list[Finding] = []
    for path, name in names.items():
        if layout.layout in ("coco", "yolo"):
            if path in annotations.sources or layout.unlabelled == "normal":
                told = told_by_boxes(boxes[path], line)
                labels[path] = Labelled(told, told)
            else:
                strange.append(Finding(path, "unlabelled", "no annotation file tells of it"))
            continue
        raw = raw_label(name, layout=layout, line=line)
        known = line.class_by_alias.get(fold_name(raw))
        if known:
            labels[path] = Labelled(known, raw)
        else:
            strange.append(Finding(path, "unknown_class", raw))
    return labels, strange


def told_by_boxes(boxes: Sequence[Box], line: Line) -> str:
    """The class that boxes tell: the defect that covers most, or normal where there is none."""
    area: Counter[str] = Counter()
    for box in boxes:
        if box.category in line.defects:
            area[box.category] += round(box.width_px * box.height_px)
    return max(area, key=lambda name: area[name]) if area else line.normal


def _check_unknown(strange: Sequence[Finding], *, n_images: int, unknown: Unknown) -> None:
    too_many = len(strange) > unknown.max_fraction * n_images
    if not strange or not (too_many or unknown.action == "error"):
        return
    classes = Counter(one.detail for one in strange if one.reason == "unknown_class")
    problems = [
        f"data: class {name!r} of {n} images is unknown; add it to line.classes, or to the "
        "aliases of the class it stands for"
        for name, n in sorted(classes.items())
    ]
    remedies = {
        "name_not_understood": "mend validate.pattern and validate.part_from, or the names",
        "unlabelled": "label them, or set validate.unlabelled to normal",
    }
    for reason, remedy in remedies.items():
        paths = [one.path for one in strange if one.reason == reason]
        if paths:
            problems.append(f"data: {len(paths)} x {reason}: {first_three(paths)}; {remedy}")
    raise InspectionError("\n".join(problems))


def _masked(
    names: Mapping[str, ViewName], masks: Sequence[str], layout: Layout, line: Line
) -> dict[str, str]:
    """The mask that lies on disk, by the path of its image."""
    on_disk = {nfc(path): path for path in masks}
    wanted = {path: mask_path(name, layout=layout, line=line) for path, name in names.items()}
    return {path: on_disk[mask] for path, mask in wanted.items() if mask in on_disk}


def _first_of_copies(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop_duplicates("image_sha256").reset_index(drop=True)


def _copies(table: pd.DataFrame) -> list[Finding]:
    """Every later file with the bytes of an earlier one, and what else the two tell apart."""
    first = table.drop_duplicates("image_sha256").set_index("image_sha256")
    return [
        _copy(row, first.loc[row["image_sha256"]])
        for _, row in table[table.duplicated("image_sha256")].iterrows()
    ]


def _copy(row: pd.Series, kept: pd.Series) -> Finding:
    differ = [column for column in ("label", "part_id") if row[column] != kept[column]]
    told = "".join(f"; {column} {row[column]!r}, there {kept[column]!r}" for column in differ)
    reason = "duplicate_conflict" if "label" in differ else "duplicate"
    return Finding(str(row["path"]), reason, f"same bytes as {kept['path']}{told}")


def _role(name: str, line: Line) -> str:
    return "the normal class" if name == line.normal else "class"


def _few(n_parts: int, name: str) -> str:
    if n_parts == 0:
        return f"no views; add some, add what files call it to line.classes.{name}.aliases"
    return "one part, and it takes one to learn from and one to judge by; add parts"


def _tally(reasons: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(reasons).items()))
