"""The plan for a folder: its form, the configuration that reads it, and the files to copy."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inspection.adoption import training
from inspection.adoption.boxes import Boxes, find_boxes
from inspection.adoption.folders import check_one_product
from inspection.adoption.parts import part_rule
from inspection.adoption.pictures import Picture
from inspection.adoption.proposal import Contents, Listing, Proposal
from inspection.adoption.questions import asks
from inspection.adoption.recognition import recognised
from inspection.adoption.regions import MAX_CROP_PX, small_defect_px
from inspection.adoption.sections import (
    known_names,
    line_section,
    validate_section,
    with_boxed,
)
from inspection.adoption.views import MIN_PURITY, PartRule
from inspection.adoption.words import canonical_names
from inspection.dataset.names import names_without_part, part_ids, take_apart
from inspection.errors import InspectionError
from inspection.geometry import Box
from inspection.line import fold_name

NORMAL = "normal"
# Share of the parts with views of two labels beyond which they are no mistakes of who labelled: as
# where names are taken for parts that are none (see MIN_PURITY).
MAX_MIXED = 1 - MIN_PURITY


@dataclass(frozen=True)
class Plan:
    """The sections `line` and `validate`, the files to copy, and all that was understood.

    `classes` holds the raw names by canonical class, normal first, and `n_parts` counts their
    parts, also of classes that are left out of the line; `photos` are the images of the line.
    """

    line: dict[str, Any]
    validate: dict[str, Any]
    files: list[str]
    proposal: Proposal
    part: PartRule
    classes: Mapping[str, Sequence[str]]
    n_parts: Mapping[str, int]
    n_grouped: int  # parts of all images
    n_mixed: int  # of these, those with views of two labels
    photos: Sequence[str]
    pictures: Sequence[Picture]
    boxes: Boxes | None
    marks_places: bool  # whether masks or boxes say where defects are
    # what the smaller of these measure, in the frame, where it is known
    defect_px: float | None
    listing: Listing

    @property
    def ignored(self) -> list[str]:
        """What is not copied."""
        return sorted(set(self.listing.paths) - set(self.files))

    @property
    def epochs(self) -> int:
        """How long to train: some hundred steps, however many views there are."""
        return training.epochs_for(len(self.proposal.labels))

    @property
    def window_px(self) -> tuple[int, int] | None:
        """What is learned from of a large crop whose defects are measured; None for all of it."""
        width, height = self.line["regions"][self.line["classify"]]["size_px"]
        is_large = width * height > MAX_CROP_PX**2
        is_measured = self.defect_px is not None
        return (MAX_CROP_PX, MAX_CROP_PX) if is_large and is_measured else None

    @property
    def part_disagreement(self) -> str:
        """What to do about a part with two labels.

        Nothing where each view is labelled by what is marked in it, for a view of a bad part may
        show nothing; say so and no more where parts are inferred from numbers, or where so many
        have two labels that it can be no mistake.
        """
        rule = self.part.part_from.rule
        if self.proposal.by_view and rule != "file":
            return "off"
        are_many = self.n_mixed > MAX_MIXED * self.n_grouped
        return "report" if rule == "consecutive" or are_many else "hold"


def plan(listing: Listing, contents: Contents, *, name: str) -> Plan:
    """Recognise the form of a folder, and plan how it becomes the line `name`.

    Raises InspectionError when there is no image, when no form fits or several do, or when there
    is nothing to learn from.
    """
    if not listing.images:
        raise InspectionError(_no_image(listing))
    check_one_product(listing.photos, listing.masks.files)
    boxes = find_boxes(listing.photos, contents.texts, listing.sizes)
    proposal = recognised(listing, replace(contents, boxes=boxes))
    labels = proposal.labels
    photos = [path for path in listing.images if path in labels]

    classes = _classes(proposal)
    normal = next(iter(classes))
    part = part_rule(proposal, photos, classes[normal], listing.answers.part)
    found = _classes_of_parts(photos, part, proposal, classes)
    n_parts = _parts_per_class(found, proposal, classes)

    # of one part nothing could be learned and judged
    kept = {one: raw for one, raw in classes.items() if n_parts[one] > 1}
    _check_enough(normal, kept, n_parts, part)

    pictures = [one for path, one in listing.sample.items() if path in labels]
    places = _places(proposal, boxes.together)
    if places:
        kept = with_boxed(kept, normal, labels, places)
    n_known = _n_known(labels, kept)
    validate = validate_section(
        listing, proposal, part, places, pictures, n_known=n_known
    )
    marks_places = _marks_places(validate, normal, kept, places)
    defect_px = None
    if marks_places:
        defect_px = small_defect_px(
            _marked_areas_px(listing, labels, normal, kept, places)
        )
    line = line_section(name, kept, places, pictures, len(photos), defect_px=defect_px)
    return Plan(
        line,
        validate,
        files=_files(listing, proposal, places),
        proposal=proposal,
        part=part,
        classes={**classes, **kept},
        n_parts=n_parts,
        n_grouped=len(found),
        n_mixed=sum(len(of_part) > 1 for of_part in found.values()),
        photos=photos,
        pictures=pictures,
        boxes=places,
        marks_places=marks_places,
        defect_px=defect_px,
        listing=listing,
    )


def _places(proposal: Proposal, found: Boxes) -> Boxes | None:
    """The boxes that say where defects and regions lie: those of the table, or of other files."""
    boxes = proposal.boxes if proposal.columns else found
    return boxes if boxes and boxes.annotations.boxes else None


def _marks_places(
    validate: Mapping[str, Any],
    normal: str,
    classes: Mapping[str, Sequence[str]],
    boxes: Boxes | None,
) -> bool:
    """Whether masks, or boxes of a defect, say where defects are."""
    if "masks" in validate or "mask" in validate.get("columns", {}):
        return True

    return bool(boxes and _boxes_of_defects(normal, classes, boxes))


def _boxes_of_defects(
    normal: str, classes: Mapping[str, Sequence[str]], boxes: Boxes
) -> list[Box]:
    """The boxes of the categories that name a defect of the line."""
    defects = {one: raw for one, raw in classes.items() if one != normal}
    folded = set(map(fold_name, known_names(defects)))
    found = []
    for category in boxes.categories:
        if fold_name(category) in folded:
            found += boxes.of(category)
    return found


def _marked_areas_px(
    listing: Listing,
    labels: Mapping[str, str],
    normal: str,
    classes: Mapping[str, Sequence[str]],
    boxes: Boxes | None,
) -> list[float]:
    """How much each mask that was looked at marks; without masks, how much each defect's box."""
    marked = [
        float(picture.marked_px)
        for path, picture in listing.sample.items()
        if path not in labels and picture.marked_px
    ]
    if marked or boxes is None:
        return marked

    areas = (box.area_px for box in _boxes_of_defects(normal, classes, boxes))
    return [area for area in areas if area > 0]


def _n_known(labels: Mapping[str, str], kept: Mapping[str, Sequence[str]]) -> int:
    """How many images are of a class of the line."""
    known = {""}
    for names in kept.values():
        known.update(names)
    return sum(label in known for label in labels.values())


def _classes(proposal: Proposal) -> dict[str, list[str]]:
    """Raw names by canonical class, normal first."""
    raw = sorted(set(proposal.labels.values()) - {""})
    canonical = canonical_names(raw, proposal.normal.names)
    of_normal = {canonical[name] for name in raw if name in proposal.normal.names}
    normal = of_normal.pop() if of_normal else NORMAL

    classes: dict[str, list[str]] = {normal: []}
    for one in sorted(set(canonical.values())):
        classes[one] = [name for name in raw if canonical[name] == one]
    return classes


def _classes_of_parts(
    photos: Sequence[str],
    part: PartRule,
    proposal: Proposal,
    classes: Mapping[str, Sequence[str]],
) -> dict[str, set[str]]:
    """Of which classes each part has views."""
    normal = next(iter(classes))
    class_of = {"": normal}
    for one, names in classes.items():
        class_of |= dict.fromkeys(names, one)

    found: dict[str, set[str]] = {}
    for path, part_id in _parts(photos, part, proposal).items():
        of_view = class_of[proposal.labels[path]]
        found.setdefault(part_id, set()).add(of_view)
    return found


def _parts_per_class(
    found: Mapping[str, set[str]],
    proposal: Proposal,
    classes: Mapping[str, Sequence[str]],
) -> dict[str, int]:
    """How many parts have a view of each class; where views are labelled by themselves only a part
    without a defect is normal."""
    normal = next(iter(classes))
    counted: Counter[str] = Counter()
    for of_part in found.values():
        defects = of_part - {normal}
        counted.update(defects if proposal.by_view and defects else of_part)
    return {one: counted[one] for one in classes}


def _parts(photos: Sequence[str], part: PartRule, proposal: Proposal) -> dict[str, str]:
    """The part of each photograph whose name the rule fits."""
    if proposal.parts:
        return {path: proposal.parts.get(path, "") for path in photos}

    pattern = re.compile(part.pattern)
    names = [take_apart(path, pattern) for path in photos]
    fitting = [name for name in names if name is not None]
    without = {name.path for name in names_without_part(fitting, part.part_from)}
    views = [name for name in fitting if name.path not in without]
    ids = part_ids(views, part.part_from)
    return {view.path: one for view, one in zip(views, ids, strict=True)}


def _no_image(listing: Listing) -> str:
    if listing.not_read:
        return f"no image that is read, but {listing.not_read}; convert them to PNG"
    return "no image (JPEG, PNG, BMP, TIFF) in the folder; name the one that holds the images"


def _check_enough(
    normal: str,
    kept: Mapping[str, Sequence[str]],
    n_parts: Mapping[str, int],
    part: PartRule,
) -> None:
    if normal in kept and len(kept) > 1:
        return
    counted = ", ".join(
        f"{one} {n}{' (the normal class)' if one == normal else ''}"
        for one, n in n_parts.items()
    )
    remedy = "add parts"
    if part.part_from.rule != "file":
        remedy += f", or {asks('part', 'file')} if each image is a part of its own"
    raise InspectionError(
        "it takes two parts of the normal class and two of some defect, to learn from one and "
        f"judge by the other; parts found: {counted}; {remedy}"
    )


def _files(listing: Listing, proposal: Proposal, boxes: Boxes | None) -> list[str]:
    """What is copied: the images, the masks that lie where masks are looked for, annotations."""
    masks = listing.masks.of_image.values() if "masks" in proposal.settings else ()
    read = boxes.files if boxes else ()
    return sorted({*proposal.labels, *proposal.files, *masks, *read})
