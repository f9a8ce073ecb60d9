"""A folder nobody has seen, understood: the configuration that reads it, and what speaks for it.

Everything is guessed from names, annotation files and a sample of the images. What could not be
guessed is told, with the line of params.yaml to mend.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inspection.adoption import folder_guesses, mask_guesses, training_guesses
from inspection.adoption.adoption_sections import line_section, validate_section
from inspection.adoption.class_guesses import Labels, classes_of, labels_of
from inspection.adoption.label_guesses import Boxes, find_boxes
from inspection.adoption.name_guesses import Names, names_of
from inspection.adoption.region_guesses import FolderContents
from inspection.adoption.untold import Besides
from inspection.adoption.vocabulary import means_normal
from inspection.dataset.names import ViewName, nfc, part_ids, take_apart
from inspection.errors import InspectionError


@dataclass(frozen=True)
class Folder:
    """What was seen: all paths, a sample of the images, and the bytes of text and JSON files.

    `unread` are images of a kind of which none can be read.
    """

    paths: tuple[str, ...]
    looked: Mapping[str, FolderContents]
    contents: Mapping[str, bytes]
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """The sections `line` and `validate`, the files to copy, and all that was understood.

    `classes` and `n_parts` hold every class that was found, also those left out of the line;
    `black_and_white` names folders beside the classes that were left out as masks; `untold` are
    images whose class nothing tells; `aside` those that lie in no folder of a class;
    `n_masks_unseen` counts masks that should tell a class and were not looked at; `by_absence`
    is the raw name of a normal class that is known only as the absence of another; `n_masks_left`
    counts masks of no image, or beyond one of an image; `unread` are images of a kind that cannot
    be read.
    """

    line: dict[str, Any]
    validate: dict[str, Any]
    files: list[str]
    ignored: list[str]
    n_masks: int
    n_masks_unseen: int
    labels: Labels
    classes: Mapping[str, Sequence[str]]
    n_parts: Mapping[str, int]
    names: Names
    boxes: Boxes | None
    looked: tuple[FolderContents, ...]
    black_and_white: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    by_absence: str = ""
    n_masks_left: int = 0
    unread: tuple[str, ...] = ()

    @property
    def epochs(self) -> int:
        """How long to train: some hundred steps, however many views there are."""
        return training_guesses.epochs_for(len(self.labels.raw))

    @property
    def patience(self) -> int:
        """How many epochs without a better one are waited for."""
        return training_guesses.patience_for(self.epochs)

    @property
    def part_disagreement(self) -> str:
        """What to do about a part with two labels.

        Nothing where masks or boxes tell a label of each view, for a view of a bad part may show
        nothing of it; say so and no more where parts are guessed.
        """
        rule = self.validate["part_from"]["rule"]
        if self.labels.by_view and rule != "file":
            return "off"
        return "report" if rule == "consecutive" else "hold"


def plan(seen: Folder, *, name: str, normal: str = "") -> Plan:
    """Understand a folder; `normal` is what the user says the normal class is called, or ''.

    Raises InspectionError when there is no image, no class, or no normal class to be found.
    """
    images, aside = folder_guesses.sorted_out(
        [p for p in seen.paths if p not in seen.unread]
    )
    if not images:
        raise InspectionError(
            "no image (JPEG, PNG, BMP, TIFF) in the folder; name the one that holds the images"
        )
    masks, odd, photos = _told_apart(images, seen)
    known_photos = set(photos)
    looked = {path: one for path, one in seen.looked.items() if path in known_photos}
    boxes = find_boxes(photos, seen.contents, sizes=_sizes(photos, looked))
    folders = set(folder_guesses.class_of_folder(photos).values())
    template = mask_guesses.mask_template(masks, photos, folders)
    besides = Besides(seen.paths, seen.contents, len(masks))
    is_marked = _marked(photos, template, folders, seen.looked)
    labels = labels_of(photos, boxes, is_marked, normal, besides)
    classes = classes_of(labels, normal)
    if labels.layout == "class_folders":
        aside += [path for path in photos if path not in labels.raw]
        photos = [path for path in photos if path in labels.raw]
    names = names_of(photos, labels, next(iter(classes.values())))
    n_parts = _parts_per_class(photos, names, labels, classes)
    kept = {one: raw for one, raw in classes.items() if n_parts[one] > 1}
    _check_enough(next(iter(classes)), kept, n_parts)
    line = line_section(name, kept, boxes, list(looked.values()))
    known = {"", *(raw for one in kept.values() for raw in one)}
    left_out = 1 - sum(raw in known for raw in labels.raw.values()) / len(labels.raw)
    validate = validate_section(
        photos,
        _beside(photos, seen.paths),
        template,
        labels,
        names,
        boxes,
        looked,
        left_out,
        is_marked,
    )
    fitting = _fitting(masks, photos, template, folders)
    used = {*photos, *fitting, *(boxes.files if boxes else ())}
    return Plan(
        line,
        validate,
        files=sorted(used),
        ignored=sorted(set(seen.paths) - used),
        n_masks=len(masks),
        n_masks_left=len(masks) - len(fitting),
        n_masks_unseen=len(masks - seen.looked.keys())
        if labels.layout == "masks"
        else 0,
        labels=labels,
        classes=classes,
        n_parts=n_parts,
        names=names,
        boxes=boxes,
        looked=tuple(looked.values()),
        black_and_white=tuple(odd),
        untold=tuple(path for path in photos if path not in labels.raw),
        by_absence="" if normal else _by_absence(next(iter(classes.values()))),
        aside=tuple(aside),
        unread=tuple(sorted(seen.unread)),
    )


def _told_apart(
    images: Sequence[str], seen: Folder
) -> tuple[frozenset[str], list[str], list[str]]:
    """The masks, the folders beside the classes that hold masks alone, and the photographs."""
    looks = {path: one.is_mask for path, one in seen.looked.items()}
    masks = mask_guesses.mask_files(images, looks)
    photos = [path for path in images if path not in masks]
    by_folder = folder_guesses.class_of_folder(photos)
    odd = mask_guesses.mask_classes(by_folder, looks)
    return masks, odd, [path for path in photos if by_folder.get(path) not in odd]


def _beside(photos: Sequence[str], paths: Sequence[str]) -> set[str]:
    """The image files that are no photograph of the line: masks, and what was set aside."""
    return {path for path in paths if folder_guesses.is_image(path)} - set(photos)


def _fitting(
    masks: Collection[str],
    photos: Sequence[str],
    template: str,
    folders: Collection[str],
) -> list[str]:
    """The masks that lie where the template says that the mask of a photograph lies."""
    where = {
        mask_guesses.filled(template, path, folders) for path in photos if template
    }
    return [path for path in masks if nfc(path) in where]


def _by_absence(normal: Sequence[str]) -> str:
    return next((raw for raw in normal if not means_normal(raw)), "")


def _check_enough(
    normal: str, kept: Mapping[str, Sequence[str]], n_parts: Mapping[str, int]
) -> None:
    if normal not in kept or len(kept) < 2:
        counted = ", ".join(f"{one} {n}" for one, n in n_parts.items())
        raise InspectionError(
            "it takes two parts of the normal class and two of some defect, to learn from one and "
            f"judge by the other; parts found: {counted} ({normal} is normal); add parts"
        )


def _parts_per_class(
    photos: Sequence[str],
    names: Names,
    labels: Labels,
    classes: Mapping[str, Sequence[str]],
) -> dict[str, int]:
    pattern = re.compile(names.pattern)
    taken = [take_apart(path, pattern) for path in photos]
    views: list[ViewName] = [one for one in taken if one is not None]
    parts = dict(
        zip(
            [one.path for one in views],
            part_ids(views, names.guess.part_from),
            strict=True,
        )
    )
    class_of = {raw: one for one, all_raw in classes.items() for raw in all_raw}
    normal = next(iter(classes))
    found: dict[str, set[str]] = {one: set() for one in classes}
    for path, raw in labels.raw.items():
        if path in parts:
            found[class_of.get(raw, normal)].add(parts[path])
    return {one: len(keys) for one, keys in found.items()}


def _marked(
    photos: Sequence[str],
    template: str,
    folders: Collection[str],
    looked: Mapping[str, FolderContents],
) -> dict[str, bool]:
    """Whether the mask of each photograph marks anything, for the masks that were looked at."""
    at = {nfc(path): one.is_marked for path, one in looked.items()}
    where = {path: mask_guesses.filled(template, path, folders) for path in photos}
    return {path: at[mask] for path, mask in where.items() if template and mask in at}


def _sizes(
    photos: Sequence[str], looked: Mapping[str, FolderContents]
) -> dict[str, tuple[int, int]]:
    """Width and height of every photograph, the median of those looked at where not known."""
    known = {
        path: (one.facts.width_px, one.facts.height_px) for path, one in looked.items()
    }
    usual = np.median(
        np.array([known[path] for path in photos if path in known]), axis=0
    )
    return {path: known.get(path, (int(usual[0]), int(usual[1]))) for path in photos}
