"""What the folders of a data set are: junk, masks, and folders that name a class."""

import posixpath
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath

from inspection.images import SUFFIXES
from inspection.names import nfc
from inspection.vocabulary import means_normal

GENERIC = frozenset(
    {"images", "image", "imgs", "img", "data", "dataset", "raw", "photos", "pictures", "all"}
    | {"jpg", "jpeg", "png", "bmp", "tif", "tiff", "labels", "annotations"}
)
SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
MASK_FOLDERS = frozenset({"ground_truth", "groundtruth", "gt", "mask", "masks", "segmentation"})
MASK_ENDS = ("_mask", "-mask", "_gt", "_label", "_seg", "_anno")
MOST_CLASSES = 40
LEAST_VIEWS = 3.0
MASK_SHARE = 0.9
STRAY_SHARE = 0.05


def is_image(path: str) -> bool:
    """True when the suffix is one we read and the file is not hidden."""
    parts = PurePosixPath(path).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return PurePosixPath(path).suffix.lower() in SUFFIXES and not hidden


def class_of_folder(images: Sequence[str]) -> dict[str, str]:
    """The folder that names each image's class, NFC, by path; empty where folders name none.

    It is no split (`train`) and no general word (`images`): the nearest such folder above the
    image, or one further up where each part has a folder of its own. A folder that means normal
    decides. Few stray images without such a folder are left out.
    """
    telling = {path: _telling_folders(path) for path in images}
    levels = [
        {path: folders[level] for path, folders in telling.items() if len(folders) > level}
        for level in range(max(map(len, telling.values()), default=0))
    ]
    fitting = [level for level in levels if _look_like_classes(level, len(images))]
    with_normal = [level for level in fitting if any(map(means_normal, set(level.values())))]
    return next(iter(with_normal or fitting), {})


def several_lines(classes: Mapping[str, str]) -> list[str]:
    """Folders that each hold a data set with classes of its own, or none.

    `classes` is the class folder by image. Splits, cameras and dates repeat their classes.
    """
    of_top: dict[str, set[str]] = {}
    for path, label in classes.items():
        top = PurePosixPath(nfc(path)).parts[0]
        if top != label:
            of_top.setdefault(top, set()).add(label)
    complete = {top: names for top, names in of_top.items() if any(map(means_normal, names))}
    defects = {top: {n for n in names if not means_normal(n)} for top, names in complete.items()}
    shared = set.intersection(*defects.values()) if len(defects) > 1 else set()
    apart = [top for top, names in defects.items() if len(shared) < len(names) / 2]
    return sorted(apart) if len(apart) > 1 else []


def _look_like_classes(names: Mapping[str, str], n_images: int) -> bool:
    n_classes = len(set(names.values()))
    return (
        2 <= n_classes <= MOST_CLASSES
        and len(names) >= (1 - STRAY_SHARE) * n_images
        and len(names) / n_classes >= LEAST_VIEWS
    )


def split_folders(images: Sequence[str]) -> list[str]:
    """The split folders (`train`, `test`) that the images lie in."""
    parts = {part.lower() for path in images for part in PurePosixPath(path).parent.parts}
    return sorted(parts & SPLITS)


def mask_files(images: Sequence[str], looks_like_mask: Mapping[str, bool]) -> frozenset[str]:
    """The masks among image files, told by their folder or name, or by what a sample looks like.

    `looks_like_mask` tells of the sampled images whether they hold black and white alone.
    """
    masks = _named_masks(images) or _masks_beside(images, looks_like_mask)
    return frozenset(masks) if len(masks) < len(images) else frozenset()


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
        hits = [filled(template, photo, class_folders) for photo in photos]
        explained = len(set(hits) & composed) - (len(hits) - len(set(hits)))
        if explained > most:
            best, most = template, explained
    return best


def glob_of(images: Sequence[str], *, apart_from: Collection[str]) -> list[str]:
    """Globs that match the images and none of the files `apart_from` (the masks).

    One glob where everything is an image; else the folders, with the suffix where that is what
    tells the two apart.
    """
    if not apart_from:
        return ["**/*"]
    mixed = {str(PurePosixPath(path).parent) for path in apart_from}
    globs = set()
    for path in images:
        folder, suffix = str(PurePosixPath(path).parent), PurePosixPath(path).suffix.lower()
        where = "" if folder == "." else f"{nfc(folder)}/"
        globs.add(f"{where}*{suffix}" if folder in mixed else f"{where}*")
    general = {posixpath.join("**", posixpath.basename(glob)) for glob in globs}
    suffixes = {PurePosixPath(path).suffix.lower() for path in apart_from}
    if not any(glob.endswith("/*") or PurePosixPath(glob).suffix in suffixes for glob in general):
        return sorted(general)
    tops = {glob.split("/", 1)[0] for glob in globs if "/" in glob}
    if not tops & {path.split("/", 1)[0] for path in apart_from}:
        return sorted(f"{top}/**/*" for top in tops)
    return sorted(globs)


def _telling_folders(path: str) -> list[str]:
    """The folders above an image that may tell something, the nearest first."""
    folders = reversed(PurePosixPath(nfc(path)).parent.parts)
    return [one for one in folders if one.lower() not in GENERIC | SPLITS]


def _named_masks(images: Sequence[str]) -> set[str]:
    stems = {nfc(str(PurePosixPath(path).with_suffix(""))) for path in images}
    masks = set()
    for path in images:
        folders = {part.lower() for part in PurePosixPath(path).parent.parts}
        whole = nfc(str(PurePosixPath(path).with_suffix("")))
        ends = [end for end in MASK_ENDS if whole.lower().endswith(end)]
        if folders & MASK_FOLDERS or any(whole[: -len(end)] in stems for end in ends):
            masks.add(path)
    return masks


def _masks_beside(images: Sequence[str], looks_like_mask: Mapping[str, bool]) -> set[str]:
    """Files of a suffix that is nearly always black and white, beside photographs of one stem."""
    of_suffix: dict[str, list[bool]] = {}
    for path, looks in looks_like_mask.items():
        of_suffix.setdefault(PurePosixPath(path).suffix.lower(), []).append(looks)
    binary = {suffix for suffix, looks in of_suffix.items() if sum(looks) > MASK_SHARE * len(looks)}
    photos = {
        nfc(str(PurePosixPath(path).with_suffix("")))
        for path in images
        if PurePosixPath(path).suffix.lower() not in binary
    }
    return {
        path
        for path in images
        if PurePosixPath(path).suffix.lower() in binary
        and nfc(str(PurePosixPath(path).with_suffix(""))) in photos
    }


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
