"""Which image files are masks, and by what name the mask of a photograph is found."""

import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath

from inspection.names import nfc

MASK_FOLDERS = frozenset({"ground_truth", "groundtruth", "gt", "mask", "masks", "segmentation"})
MASK_WORDS = frozenset(
    {"mask", "masks", "gt", "truth", "groundtruth", "segmentation", "segmentations", "seg"}
    | {"label", "labels", "annotation", "annotations", "anno"}
)
MASK_ENDS = ("_mask", "-mask", "_gt", "_label", "_seg", "_anno")
MASK_SHARE = 0.9
PAIRED_SHARE = 0.8
LEAST_LOOKED = 3

Group = tuple[str, str, bool]


def mask_files(images: Sequence[str], looks_like_mask: Mapping[str, bool]) -> frozenset[str]:
    """The masks among image files, told by their folder or name, and by what a sample looks like.

    `looks_like_mask` tells of the sampled images whether they hold black and white alone. Files
    that do are masks where a photograph has their name, wherever it lies, or their folder says so.
    """
    binary = _binary(images, looks_like_mask)
    stems = {_whole(path) for path in images}
    photos = {nfc(PurePosixPath(path).stem) for path in images if path not in binary}
    masks = {path for path in images if _is_named_mask(path, stems)}
    of_group: dict[Group, list[str]] = {}
    for path in binary:
        of_group.setdefault(_group(path), []).append(path)
    for group, paths in of_group.items():
        paired = [path for path in paths if _photo_stem(path) in photos]
        if _words(group[0]) & MASK_WORDS:
            masks |= set(paths)
        elif len(paired) >= PAIRED_SHARE * len(paths):
            masks |= set(paired)
    return frozenset(masks) if len(masks) < len(images) else frozenset()


def mask_classes(classes: Mapping[str, str], looks_like_mask: Mapping[str, bool]) -> list[str]:
    """Classes whose looked-at images are all black and white, where those of others are not.

    `classes` is the class folder by image.
    """
    looks: dict[str, list[bool]] = {}
    for path, label in classes.items():
        if path in looks_like_mask:
            looks.setdefault(label, []).append(looks_like_mask[path])
    binary = [one for one, told in looks.items() if all(told) and len(told) >= LEAST_LOOKED]
    return sorted(binary) if len(binary) < len(looks) else []


def mask_template(
    masks: Collection[str], photos: Sequence[str], class_folders: Collection[str]
) -> str:
    """The template of `validate.masks` that explains most masks, each by one photograph; or ''."""
    by_stem: dict[str, list[str]] = {}
    for path in photos:
        by_stem.setdefault(nfc(PurePosixPath(path).stem), []).append(path)
    composed = {nfc(mask) for mask in masks}
    candidates = {
        template
        for mask in sorted(composed)
        for photo in by_stem.get(_photo_stem(mask), ())
        for template in _templates(mask, photo, class_folders)
    }
    best, most = "", 0
    for template in sorted(candidates, key=lambda one: (len(one), one)):
        filled_in = (filled(template, photo, class_folders) for photo in photos)
        hits = [path for path in filled_in if path in composed]
        explained = 2 * len(set(hits)) - len(hits)
        if explained > most:
            best, most = template, explained
    return best


def _is_named_mask(path: str, stems: Collection[str]) -> bool:
    """Whether a folder is called after masks, or the name is that of an image beside it, ended."""
    folders = {part.lower() for part in PurePosixPath(path).parent.parts}
    whole = _whole(path)
    ends = [end for end in MASK_ENDS if whole.lower().endswith(end)]
    return bool(folders & MASK_FOLDERS) or any(whole[: -len(end)] in stems for end in ends)


def _binary(images: Sequence[str], looks_like_mask: Mapping[str, bool]) -> frozenset[str]:
    """The files of one folder, suffix and way of naming that are nearly always black and white.

    Where none of a folder was looked at, all files of that suffix and way of naming decide.
    """
    looks: dict[Group, list[bool]] = {}
    for path, told in looks_like_mask.items():
        for group in (_group(path), ("", *_group(path)[1:])):
            looks.setdefault(group, []).append(told)
    share = {group: sum(told) / len(told) for group, told in looks.items()}
    found = set()
    for path in images:
        group = _group(path)
        if share.get(group, share.get(("", *group[1:]), 0.0)) > MASK_SHARE:
            found.add(path)
    return frozenset(found)


def _group(path: str) -> Group:
    pure = PurePosixPath(nfc(path))
    return str(pure.parent), pure.suffix.lower(), _photo_stem(path) != pure.stem


def _whole(path: str) -> str:
    return nfc(str(PurePosixPath(path).with_suffix("")))


def _words(folder: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", folder.lower()))


def _photo_stem(mask: str) -> str:
    stem = nfc(PurePosixPath(mask).stem)
    return next((stem[: -len(end)] for end in MASK_ENDS if stem.lower().endswith(end)), stem)


def _templates(mask: str, photo: str, classes: Collection[str]) -> list[str]:
    """The templates by which this mask is the mask of this photograph."""
    where, file = posixpath.split(nfc(mask))
    folder, stem = str(PurePosixPath(nfc(photo)).parent), nfc(PurePosixPath(photo).stem)
    name = file.replace(stem, "{stem}", 1)
    if where == ("" if folder == "." else folder):
        return [f"{{folder}}/{name}"]
    labels = [part for part in PurePosixPath(folder).parts if part in classes]
    if labels and labels[-1] in where.split("/"):
        parts = ["{class}" if part == labels[-1] else part for part in where.split("/")]
        return [posixpath.join(*parts, name)]
    up = posixpath.relpath(where or ".", folder)
    return [posixpath.join(where, name), posixpath.join("{folder}", up, name)]


def filled(template: str, photo: str, class_folders: Collection[str]) -> str:
    """Where the mask of a photograph lies by the template, composed."""
    path = PurePosixPath(nfc(photo))
    label = next((one for one in reversed(path.parent.parts) if one in class_folders), "")
    filled = template.format(folder=path.parent, stem=path.stem, **{"class": label})
    return posixpath.normpath(filled)
