"""The label of each view, from its name, folder, mask or boxes; and views that cannot be told."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from inspection.boxes import LabelledBox, defect_boxes
from inspection.dataset.annotations import Annotations
from inspection.dataset.layouts import Layout, raw_label
from inspection.dataset.names import ViewName
from inspection.dataset.quarantine import Finding
from inspection.errors import InspectionError, first_three
from inspection.line import Frozen, Line, fold_name


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
    max_fraction: float = Field(default=0.05, ge=0, le=1)


def by_name(
    names: Mapping[str, ViewName], *, layout: Layout, line: Line
) -> tuple[dict[str, Labelled], list[Finding]]:
    """Labels by path, as the file's name or folder tells them."""
    labels: dict[str, Labelled] = {}
    strange: list[Finding] = []
    for path, name in names.items():
        raw = raw_label(name, layout=layout, line=line)
        known = line.class_by_alias.get(fold_name(raw))
        if known:
            labels[path] = Labelled(known, raw)
        else:
            strange.append(Finding(path, "unknown_class", raw))
    return labels, strange


def by_table(
    paths: Collection[str],
    rows: Mapping[str, Sequence[str]],
    *,
    unlabelled_is_normal: bool,
    line: Line,
) -> tuple[dict[str, Labelled], list[Finding]]:
    """Labels by path, as the rows of a table say them; of several the first defect counts.

    `rows` are the raw labels by path. A view without any is normal where that is so.
    """
    labels: dict[str, Labelled] = {}
    strange: list[Finding] = []

    for path in paths:
        raws = rows.get(path, ())
        known = [line.class_by_alias.get(fold_name(raw), "") for raw in raws]
        found = [Labelled(*pair) for pair in zip(known, raws, strict=True)]
        if unlabelled_is_normal and not found:
            labels[path] = Labelled(line.normal, "")
        elif not found:
            strange.append(Finding(path, "unlabelled", "no row of the table labels it"))
        elif not all(known):
            strange.append(Finding(path, "unknown_class", raws[known.index("")]))
        else:
            defects = (one for one in found if one.label != line.normal)
            labels[path] = next(defects, found[0])
    return labels, strange


def by_boxes(
    paths: Collection[str],
    boxes: Mapping[str, Sequence[LabelledBox]],
    annotations: Annotations,
    *,
    unlabelled_is_normal: bool,
    line: Line,
) -> tuple[dict[str, Labelled], list[Finding]]:
    """Labels by path, as boxes tell them: the defect that covers most, normal without a defect.

    `boxes` are those that can be. A view is not told where no annotation file knows of it, where
    the only boxes of it were dropped, or where it has no box and a file that might tell of one
    could not be read: none of this is evidence of a good part.
    """
    labels: dict[str, Labelled] = {}
    strange: list[Finding] = []
    for path in paths:
        defects = defect_boxes(boxes[path], line)
        dropped = len(boxes[path]) == 0 and bool(annotations.boxes.get(path))
        unread = path in annotations.unread
        known = path in annotations.sources or unlabelled_is_normal
        if defects or (known and not dropped and not unread):
            told = _largest(defects) if defects else line.normal
            labels[path] = Labelled(told, told)
        else:
            detail = _why_untold(dropped=dropped, unread=unread)
            strange.append(Finding(path, "unlabelled", detail))
    return labels, strange


def by_masks(
    paths: Collection[str],
    is_marked: Mapping[str, bool],
    *,
    unlabelled_is_normal: bool = False,
    line: Line,
) -> tuple[dict[str, Labelled], list[Finding]]:
    """Labels by path, as masks tell them: the line's one defect where anything is marked.

    `is_marked` tells of the views that have a mask; without one a view is not told, or normal where
    that is so. Raises InspectionError when the line has more
    defects than one.
    """
    if len(line.defects) != 1:
        raise InspectionError(
            f"line.classes: layout masks tells one defect from normal, and there are "
            f"{len(line.defects)}: {first_three(line.defects)}; leave one"
        )
    told = {True: line.defects[0], False: line.normal}
    marked = {
        p: is_marked.get(p, False)
        for p in paths
        if unlabelled_is_normal or p in is_marked
    }
    labels = {path: Labelled(told[one], told[one]) for path, one in marked.items()}
    detail = "it has no mask to tell its class"
    return labels, [
        Finding(path, "unlabelled", detail) for path in paths if path not in labels
    ]


def check_unknown(
    strange: Sequence[Finding], *, n_images: int, unknown: Unknown
) -> None:
    """Raise InspectionError that lists all unknown classes and names, where they are too many."""
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
        "unlabelled": "label them, or set validate.unlabelled to normal if that is what they are",
    }
    for reason, remedy in remedies.items():
        paths = [one.path for one in strange if one.reason == reason]
        if paths:
            problems.append(
                f"data: {len(paths)} x {reason}: {first_three(paths)}; {remedy}"
            )
    raise InspectionError("\n".join(problems))


def _why_untold(*, dropped: bool, unread: bool) -> str:
    if unread:
        return "its label file could not be read"
    return "all its boxes were dropped" if dropped else "no annotation file tells of it"


def _largest(defects: Sequence[LabelledBox]) -> str:
    area: Counter[str] = Counter()
    for box in defects:
        area[box.category] += round(box.box.area_px)
    return max(area, key=lambda name: (area[name], name))
