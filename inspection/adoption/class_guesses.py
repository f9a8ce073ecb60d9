"""Which source tells the class of an image, guessed: folder, name or boxes; and which is normal."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import PurePosixPath

from inspection.adoption.folder_guesses import class_of_folder
from inspection.adoption.label_guesses import Boxes, label_column, region_categories
from inspection.adoption.name_shapes import shapes_of, without_export
from inspection.adoption.products import (
    alike_tops,
    several_lines,
    split_apart,
    with_own_masks,
)
from inspection.adoption.untold import SAY_NORMAL, Besides, beside_folders, untold
from inspection.adoption.vocabulary import canonical_names, normal_among
from inspection.errors import InspectionError, first_three
from inspection.line import fold_name

NORMAL = "normal"
DEFECT = "defect"


@dataclass(frozen=True)
class Labels:
    """How the class of an image is told: the layout, the raw label by path, the name's column."""

    layout: str
    raw: Mapping[str, str]
    column: int | None = None

    @property
    def by_view(self) -> bool:
        """Whether boxes or masks tell the class: then a view of a bad part may well be normal."""
        return self.layout in ("coco", "yolo", "masks")


def labels_of(
    photos: Sequence[str],
    boxes: Boxes | None,
    is_marked: Mapping[str, bool],
    normal: str,
    besides: Besides,
) -> Labels:
    """The first of folder, name, boxes and masks that tells classes with a normal one among them.

    `is_marked` tells of the photographs that have a mask whether anything is marked in it; what
    lies `besides` is for the error that says why nothing tells a class.
    """
    by_folder = class_of_folder(photos)
    by_folder_alone = bool(_normal(by_folder.values(), normal))
    _check_one_line(photos, by_folder, by_folder_alone, besides.paths)
    if by_folder_alone:
        return Labels("class_folders", by_folder)
    for shape in shapes_of(
        without_export([PurePosixPath(path).stem for path in photos])
    ):
        column = label_column(shape, normal)
        if column is not None:
            told = dict(zip(photos, shape.columns[column].values, strict=True))
            return Labels(
                "flat", {path: raw for path, raw in told.items() if raw}, column
            )
    if boxes is not None:
        return Labels(
            "yolo" if boxes.yolo else "coco", _told_by_boxes(photos, boxes, normal)
        )
    some_lack = bool(is_marked) and len(is_marked) < len(photos)
    if len(set(is_marked.values())) == 2 or (some_lack and all(is_marked.values())):
        return Labels(
            "masks", {path: DEFECT if is_marked.get(path) else "" for path in photos}
        )
    if by_folder:
        found = ", ".join(sorted(set(by_folder.values())))
        no_normal = (
            f"folders name the classes {found}, and none of them means that nothing is wrong; "
            f"{SAY_NORMAL}, or add a folder of normal parts"
        )
        left = [path for path in photos if path not in by_folder]
        more = beside_folders(left, len(photos), len(is_marked), besides)
        raise InspectionError("\n".join([no_normal, *more]))
    raise InspectionError("\n".join(untold(photos, len(is_marked), besides)))


def _check_one_line(
    photos: Sequence[str],
    by_folder: Mapping[str, str],
    by_folder_alone: bool,
    paths: Sequence[str],
) -> None:
    classes = set(by_folder.values()) if by_folder_alone else set()
    alike = alike_tops(by_folder) if by_folder_alone else []
    for lines, own in (
        (several_lines(by_folder), "classes"),
        (split_apart(photos, classes), "splits"),
        (with_own_masks(alike, paths), "masks"),
    ):
        if lines:
            raise InspectionError(
                f"holds {len(lines)} data sets with {own} of their own: {first_three(lines)}; "
                "adopt one of these folders"
            )


def _normal(names: Iterable[str], normal: str) -> set[str]:
    """Those of the raw names that are the normal class: as the user said, or as they mean."""
    if normal:
        return {name for name in names if fold_name(name) == fold_name(normal)}
    return set(normal_among(names))


def _told_by_boxes(photos: Sequence[str], boxes: Boxes, normal: str) -> dict[str, str]:
    """The defect that covers most of each view; without one a normal category, or ''.

    A box of what is good outweighs no defect, as in `labelling.by_boxes`. Where some image is told
    to have no box, those that no file tells of are left out.
    """
    regions = set(region_categories(boxes, ()))
    good = _normal(boxes.categories, normal)
    labels = {}
    for path in photos:
        if path not in boxes.annotations.sources and boxes.tells_empty:
            continue
        area: Counter[str] = Counter()
        for box in boxes.annotations.boxes.get(path, ()):
            if box.category not in regions:
                px = box.box.area_px
                area[box.category] += max(1, round(px)) if isfinite(px) else 1
        labels[path] = max(
            area, key=lambda name: (name not in good, area[name], name), default=""
        )
    return labels


def classes_of(labels: Labels, normal: str) -> dict[str, list[str]]:
    """Raw names by canonical class, normal first."""
    raw = sorted({name for name in labels.raw.values() if name})
    canonical = canonical_names(raw)
    meant = {canonical[name] for name in _normal(raw, normal)}
    if "" in labels.raw.values() and not meant:
        meant.add(NORMAL)
    if len(meant) != 1:
        raise InspectionError(
            f"the classes are {', '.join(raw)}, and "
            + (
                f"{first_three(sorted(meant))} all mean normal"
                if meant
                else "none is normal"
            )
            + f"; {SAY_NORMAL}, or add normal parts"
        )
    ordered = [*meant, *sorted(set(canonical.values()) - meant)]
    return {one: [name for name in raw if canonical[name] == one] for one in ordered}
