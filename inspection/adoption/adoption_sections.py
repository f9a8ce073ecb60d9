"""The sections of params.yaml that adoption writes: `line` and `validate`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from inspection.adoption import folder_guesses, region_guesses
from inspection.adoption.class_guesses import Labels
from inspection.adoption.label_guesses import Boxes, region_categories
from inspection.adoption.name_guesses import Names
from inspection.adoption.region_guesses import FolderContents
from inspection.adoption.vocabulary import canonical_names
from inspection.dataset.expectations import Expected
from inspection.dataset.labelling import Unknown
from inspection.line import fold_name

SLACK = 0.02


def line_section(
    name: str,
    classes: Mapping[str, Sequence[str]],
    boxes: Boxes | None,
    looked: Sequence[FolderContents],
) -> dict[str, Any]:
    normal, *defects = classes
    bits = region_guesses.bits_used(looked)
    regions = (
        canonical_names(region_categories(boxes, known_names(classes))) if boxes else {}
    )
    if boxes and regions:
        boxed = {one: _categories_of(one, classes, boxes) for one in defects}
        placed = region_guesses.boxed_regions(regions, boxes, boxed)
    else:
        placed = region_guesses.whole_frame(looked, defects)
    return {
        "name": name,
        "channels": 3 if region_guesses.has_colour(looked) else 1,
        **({"bit_depth": bits} if bits < 16 else {}),
        "normal": normal,
        "classes": {one: _aliases(one, raw) for one, raw in classes.items()},
        **placed,
    }


def known_names(classes: Mapping[str, Sequence[str]]) -> set[str]:
    """The canonical and the raw names of all classes."""
    return {name for one, raw in classes.items() for name in (one, *raw)}


def _categories_of(
    name: str, classes: Mapping[str, Sequence[str]], boxes: Boxes
) -> list[str]:
    folded = {fold_name(one) for one in (name, *classes[name])}
    return [category for category in boxes.categories if fold_name(category) in folded]


def _aliases(name: str, raw: Sequence[str]) -> dict[str, list[str]]:
    aliases = [alias for alias in raw if fold_name(alias) != name]
    return {"aliases": aliases} if aliases else {}


def validate_section(
    photos: Sequence[str],
    masks: Collection[str],
    template: str,
    labels: Labels,
    names: Names,
    boxes: Boxes | None,
    looked: Mapping[str, FolderContents],
    left_out: float,
    masked: Mapping[str, bool],
) -> dict[str, Any]:
    """The `validate` section; `left_out` is the share of views whose class is not in the line."""
    with_masks = bool(template) and labels.layout == "class_folders"
    sizes = np.array(
        [(one.facts.width_px, one.facts.height_px) for one in looked.values()]
    )
    low, high = np.maximum(16, sizes.min(axis=0) // 2), sizes.max(axis=0) * 2
    part_from = names.guess.part_from.model_dump(exclude_defaults=True)
    section: dict[str, Any] = {
        "layout": "class_folders_with_masks" if with_masks else labels.layout,
        "images": folder_guesses.glob_of(photos, apart_from=masks),
        "pattern": names.pattern,
        "part_from": {"rule": names.guess.part_from.rule, **part_from},
    }
    if template:
        section["masks"] = template
    if boxes and boxes.yolo:
        section |= {"yolo": list(boxes.yolo), "yolo_names": boxes.yolo_names}
    if boxes and boxes.coco:
        section["coco"] = list(boxes.coco)
    if labels.layout == "yolo" and boxes and not boxes.tells_empty:
        section["unlabelled"] = "normal"
    if labels.layout == "masks" and len(masked) < len(photos) and all(masked.values()):
        section["unlabelled"] = "normal"
    strange = round(left_out + SLACK, 2)
    if strange > Unknown().max_fraction:
        section["unknown"] = {"max_fraction": strange}
    section["expected"] = {
        "width_px": [int(low[0]), int(high[0])],
        "height_px": [int(low[1]), int(high[1])],
        "max_quarantined_fraction": max(strange, Expected().max_quarantined_fraction),
    }
    return section
