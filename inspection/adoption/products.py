"""Folders that may each be a data set of its own: several products, put into one folder."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from inspection.adoption.folder_guesses import CAMERA, is_split
from inspection.adoption.mask_guesses import MASK_FOLDERS
from inspection.adoption.part_evidence import COUNTED_ANEW
from inspection.adoption.vocabulary import any_normal, normal_among
from inspection.dataset.names import nfc

LOT = re.compile(
    r"(?:lot|batch|day|date|shift|run|session|week|line|fold|로트|배치)(?![a-z])|\d+\s*(?:호기|차)"
)


def several_lines(classes: Mapping[str, str]) -> list[str]:
    """Folders that each hold a data set with classes of its own, or none.

    `classes` is the class folder by image. Splits, cameras and dates repeat their classes.
    """
    complete = {
        top: names for top, names in _classes_in(classes).items() if any_normal(names)
    }
    defects = {top: names - normal_among(names) for top, names in complete.items()}
    shared = set.intersection(*defects.values()) if len(defects) > 1 else set()
    apart = [top for top, names in defects.items() if len(shared) < len(names) / 2]
    return sorted(apart) if len(apart) > 1 else []


def alike_tops(classes: Mapping[str, str]) -> list[str]:
    """Folders that each hold the same classes, a normal one among them, and may be products.

    `classes` is the class folder by image. Splits, cameras, days and lots are none.
    """
    alike = [
        top
        for top, names in _classes_in(classes).items()
        if any_normal(names) and len(names) > 1
    ]
    known = any(_is_no_product(PurePosixPath(top).name) for top in alike)
    return sorted(alike) if len(alike) > 1 and not known else []


def with_own_masks(folders: Sequence[str], paths: Iterable[str]) -> list[str]:
    """The folders, where each of them holds a folder of masks; else none."""
    having = {
        folder
        for path in paths
        if {part.lower() for part in PurePosixPath(path).parent.parts} & MASK_FOLDERS
        for folder in folders
        if nfc(path).startswith(f"{folder}/")
    }
    return sorted(having) if having == set(folders) else []


def split_apart(images: Sequence[str], classes: Collection[str]) -> list[str]:
    """Folders that each hold splits (`train`, `test`) of their own, and are no `classes`."""
    splits: dict[str, set[str]] = {}
    for path in images:
        folders = PurePosixPath(nfc(path)).parent.parts
        at = next((i for i, part in enumerate(folders) if is_split(part)), 0)
        if (
            at
            and folders[at - 1] not in classes
            and not CAMERA.fullmatch(folders[at - 1])
        ):
            splits.setdefault("/".join(folders[:at]), set()).add(folders[at].lower())
    apart = sorted(folder for folder, found in splits.items() if len(found) > 1)
    return apart if len(apart) > 1 else []


def _classes_in(classes: Mapping[str, str]) -> dict[str, set[str]]:
    """The classes in each of the topmost folders that are not the same for all images."""
    folders = {path: PurePosixPath(nfc(path)).parent.parts for path in classes}
    at = _first_difference(list(folders.values()))
    found: dict[str, set[str]] = {}
    for path, label in classes.items():
        if label not in folders[path][: at + 1]:
            found.setdefault("/".join(folders[path][: at + 1]), set()).add(label)
    return found


def _first_difference(folders: Sequence[tuple[str, ...]]) -> int:
    first, last = min(folders, default=()), max(folders, default=())
    agree = (one == other for one, other in zip(first, last, strict=False))
    return next(
        (at for at, same in enumerate(agree) if not same), min(len(first), len(last))
    )


def _is_no_product(folder: str) -> bool:
    lower = folder.lower()
    counted = COUNTED_ANEW.fullmatch(lower) or LOT.match(lower)
    return bool(counted or CAMERA.fullmatch(folder)) or is_split(folder)
