"""The label of each view, from its name, folder, mask or boxes; and views that have none."""

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

REMEDIES = {
    "name_not_understood": "correct validate.pattern and validate.part_from, or the names",
    "unlabelled": "label them, or set validate.unlabelled to normal if that is what they are",
}


@dataclass(frozen=True)
class Labelled:
    """A view's label: the canonical class, and as the file spells it."""

    label: str
    raw: str


class Unknown(Frozen):
    """What to do with images whose name or class is unknown."""

    action: Literal["error", "quarantine"] = "quarantine"
    """`error` stops at once; `quarantine` lists them and goes on without them."""

    max_fraction: float = Field(
        default=0.05,
        ge=0,
        le=1,
    )
    """Of all images: where more are unknown, it stops. A few stray files are usual; one in twenty
    means a wrong pattern or class list."""


def by_name(
    names: Mapping[str, ViewName],
    *,
    layout: Layout,
    line: Line,
) -> tuple[dict[str, Labelled], list[Finding]]:
    """Labels by path, as the file's name or folder spells them."""

    labels: dict[str, Labelled] = {}
    strange: list[Finding] = []
    for path, name in names.items():
        raw = raw_label(
            name,
            layout=layout,
            line=line,
        )
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
        labelled = _by_rows(rows.get(path, ()), path, unlabelled_is_normal, line)
        if isinstance(labelled, Labelled):
            labels[path] = labelled
        else:
            strange.append(labelled)
    return labels, strange


def _by_rows(
    raws: Sequence[str],
    path: str,
    unlabelled_is_normal: bool,
    line: Line,
) -> Labelled | Finding:
    """The label of one view by its rows, or why it has none."""
    if not raws and unlabelled_is_normal:
        return Labelled(line.normal, "")
    if not raws:
        return Finding(path, "unlabelled", "no row of the table labels it")

    found = []
    for raw in raws:
        known = line.class_by_alias.get(fold_name(raw))
        if known is None:
            return Finding(path, "unknown_class", raw)
        found.append(Labelled(known, raw))
    # one defect makes a defective part, whatever the other rows say
    defects = (one for one in found if one.label != line.normal)
    return next(defects, found[0])


def by_boxes(
    paths: Collection[str],
    boxes: Mapping[str, Sequence[LabelledBox]],
    annotations: Annotations,
    *,
    unlabelled_is_normal: bool,
    line: Line,
) -> tuple[dict[str, Labelled], list[Finding]]:
    """Labels by path, as boxes say them: the defect that covers most, normal without a defect.

    `boxes` are the usable ones. A view has no label where no annotation file knows of it, where
    the only boxes of it were dropped, or where it has no box and a file that might hold one could
    not be read: none of this is evidence of a good part.
    """

    labels: dict[str, Labelled] = {}
    strange: list[Finding] = []
    for path in paths:
        defects = defect_boxes(boxes[path], line)
        doubt = _doubt_of_normal(path, boxes[path], annotations, unlabelled_is_normal)
        if defects:
            label = _largest(defects)
            labels[path] = Labelled(label, label)
        elif doubt:
            strange.append(Finding(path, "unlabelled", doubt))
        else:
            labels[path] = Labelled(line.normal, line.normal)
    return labels, strange


def _doubt_of_normal(
    path: str,
    boxes: Sequence[LabelledBox],
    annotations: Annotations,
    unlabelled_is_normal: bool,
) -> str:
    """Why a view without a defect's box is not known to be normal; '' where it is."""
    if path in annotations.unread:
        return "its label file could not be read"
    if not boxes and annotations.boxes.get(path):
        return "all its boxes were dropped"
    if path not in annotations.sources and not unlabelled_is_normal:
        return "no annotation file names it"
    return ""


def by_masks(
    paths: Collection[str],
    is_marked: Mapping[str, bool],
    *,
    unlabelled_is_normal: bool = False,
    line: Line,
) -> tuple[dict[str, Labelled], list[Finding]]:
    """Labels by path, as masks say them: the line's one defect where anything is marked.

    `is_marked` holds the views that have a mask; one without a mask has no label, or is normal
    where the layout says so. Raises InspectionError when the line has more defects than one.
    """
    if len(line.defects) != 1:
        raise InspectionError(
            f"line.classes: layout masks tells one defect from normal, and there are "
            f"{len(line.defects)}: {first_three(line.defects)}; leave one"
        )
    (defect,) = line.defects

    labels: dict[str, Labelled] = {}
    strange: list[Finding] = []
    for path in paths:
        if path in is_marked or unlabelled_is_normal:
            label = defect if is_marked.get(path, False) else line.normal
            labels[path] = Labelled(label, label)
        else:
            detail = "it has no mask that shows its class"
            strange.append(Finding(path, "unlabelled", detail))
    return labels, strange


def check_unknown(
    strange: Sequence[Finding],
    *,
    n_images: int,
    unknown: Unknown,
) -> None:
    """Raise InspectionError that lists all unknown classes and names, where they are too many."""
    too_many = len(strange) > unknown.max_fraction * n_images
    if not strange or not (too_many or unknown.action == "error"):
        return

    problems = _unknown_classes(strange)
    for reason, remedy in REMEDIES.items():
        paths = [one.path for one in strange if one.reason == reason]
        if paths:
            problems.append(
                f"data: {len(paths)} x {reason}: {first_three(paths)}; {remedy}"
            )
    raise InspectionError("\n".join(problems))


def _unknown_classes(strange: Sequence[Finding]) -> list[str]:
    classes = Counter(one.detail for one in strange if one.reason == "unknown_class")
    return [
        f"data: class {name!r} of {n} images is unknown; add it to line.classes, or to the "
        "aliases of the class it stands for"
        for name, n in sorted(classes.items())
    ]


def _largest(defects: Sequence[LabelledBox]) -> str:
    """The defect whose boxes cover most; of equal ones the last by name, so that it is one."""

    area: Counter[str] = Counter()
    for box in defects:
        # whole pixels: two files of one box differ in the digits behind the point
        area[box.category] += round(box.box.area_px)
    return max(area, key=lambda name: (area[name], name))
