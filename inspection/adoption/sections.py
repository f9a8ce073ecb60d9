"""The sections of params.yaml that adopt writes: `line` and `validate`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from inspection.adoption.boxes import Boxes, region_categories
from inspection.adoption.folders import glob_of
from inspection.adoption.pictures import Picture, bits_used, has_colour, sizes_px
from inspection.adoption.proposal import Listing, Proposal
from inspection.adoption.regions import boxed_regions, whole_frame
from inspection.adoption.views import PartRule
from inspection.adoption.words import canonical_names
from inspection.dataset.expectations import Expected
from inspection.dataset.labelling import Unknown
from inspection.line import fold_name

# What may be set aside beyond the images whose class is known to be left out.
SLACK = 0.02
# Frames may be half as small and twice as large as those seen, and never below this.
SIZE_FACTOR = 2
MIN_FRAME_PX = 16


def line_section(
    name: str,
    classes: Mapping[str, Sequence[str]],
    boxes: Boxes | None,
    pictures: Sequence[Picture],
    n_images: int,
    *,
    defect_px: float | None,
) -> dict[str, Any]:
    """The `line` section: classes with their aliases, regions, channels, bits.

    `defect_px` is what its smaller defects measure in the frame, None where no place is marked.
    """
    normal, *defects = classes
    bits = bits_used(pictures)
    names = known_names(classes)
    regions = region_categories(boxes, names, n_images) if boxes else []
    if boxes and regions:
        boxed = {one: _categories_of(one, classes, boxes) for one in defects}
        placed = boxed_regions(canonical_names(regions, ()), boxes, boxed)
    else:
        placed = whole_frame(pictures, defects, defect_px=defect_px, n_images=n_images)
    return {
        "name": name,
        "channels": 3 if has_colour(pictures) else 1,
        **({"bit_depth": bits} if bits < 16 else {}),
        "normal": normal,
        "classes": {one: _aliases(one, raw) for one, raw in classes.items()},
        **placed,
    }


def _strange(n_known: int, n_images: int) -> float:
    """The share of images that may be of no class: those that are, and a few more.

    >>> _strange(90, 100)
    0.12
    """
    return round(1 - n_known / n_images + SLACK, 2)


def _expected(sides_px: np.ndarray) -> list[int]:
    """The smallest and the largest side that are not refused, from those that were seen."""
    least = max(MIN_FRAME_PX, int(sides_px.min()) // SIZE_FACTOR)
    most = int(sides_px.max()) * SIZE_FACTOR
    return [least, most]


def with_boxed(
    classes: Mapping[str, Sequence[str]],
    normal: str,
    labels: Mapping[str, str],
    boxes: Boxes,
) -> dict[str, list[str]]:
    """The classes, each defect with the categories that are boxed in its images alone.

    Folders may say `nok` where boxes say `pit`: there a box of `pit` marks the defect.
    """
    class_of = {name: one for one, raw in classes.items() for name in raw}
    boxed_in: dict[str, set[str]] = {}
    for path, of_image in boxes.annotations.boxes.items():
        for box in of_image:
            owner = class_of.get(labels.get(path, ""), normal)
            boxed_in.setdefault(box.category, set()).add(owner)

    known = set(map(fold_name, known_names(classes)))
    found = {one: list(raw) for one, raw in classes.items()}
    for category, owners in sorted(boxed_in.items()):
        if (
            len(owners) == 1
            and normal not in owners
            and fold_name(category) not in known
        ):
            (owner,) = owners
            found[owner].append(category)
    return found


def known_names(classes: Mapping[str, Sequence[str]]) -> set[str]:
    """The canonical and the raw names of all classes."""
    return {name for one, raw in classes.items() for name in (one, *raw)}


def _categories_of(
    name: str, classes: Mapping[str, Sequence[str]], boxes: Boxes
) -> list[str]:
    folded = {fold_name(one) for one in (name, *classes[name])}
    return [category for category in boxes.categories if fold_name(category) in folded]


def _aliases(name: str, raw: Collection[str]) -> dict[str, list[str]]:
    aliases = [alias for alias in raw if fold_name(alias) != name]
    return {"aliases": aliases} if aliases else {}


def validate_section(
    listing: Listing,
    proposal: Proposal,
    part: PartRule,
    boxes: Boxes | None,
    pictures: Sequence[Picture],
    *,
    n_known: int,
) -> dict[str, Any]:
    """The `validate` section; `n_known` of the images are of a class of the line."""
    photos = list(proposal.labels)
    others = set(listing.images) - set(photos)
    part_from = part.part_from.model_dump(exclude_defaults=True)
    section: dict[str, Any] = {
        "layout": proposal.layout,
        "images": glob_of(photos, apart_from=others),
        "pattern": part.pattern,
        "part_from": {"rule": part.part_from.rule, **part_from},
        **proposal.settings,
        **(boxes.settings if boxes else {}),
    }
    strange = _strange(n_known, len(photos))
    if strange > Unknown().max_fraction:
        section["unknown"] = {"max_fraction": strange}

    widths, heights = sizes_px(pictures).T
    section["expected"] = {
        "width_px": _expected(widths),
        "height_px": _expected(heights),
        "max_quarantined_fraction": max(strange, Expected().max_quarantined_fraction),
    }
    return section
