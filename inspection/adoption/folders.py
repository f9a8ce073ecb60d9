"""What folders are: general words, splits, cameras, classes, or products of their own."""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from inspection.adoption.words import means_normal, normal_among, plain_name
from inspection.dataset.names import nfc
from inspection.errors import InspectionError, first_three
from inspection.images import SUFFIXES

# Words of folders that say nothing of what is in them but images.
GENERAL = frozenset(
    {
        "images",
        "image",
        "imgs",
        "img",
        "data",
        "jpg",
        "jpeg",
        "png",
        "bmp",
        "jpegimages",
    }
)
SPLITS = frozenset(
    {"train", "training", "test", "testing", "val", "valid", "validation"}
)
CAMERA = re.compile(
    r"(?:cam|camera|ch|channel|view|side|c)[-_ ]?\d{1,2}|top|bottom|left|right|front|back",
    re.IGNORECASE,
)
# More folders than that are no classes: a line of 40 kinds of defect would be a catalogue.
MAX_CLASSES = 40


def is_image(path: str) -> bool:
    """True when the suffix is one we read and the file is not hidden."""
    pure = PurePosixPath(path)
    if pure.suffix.lower() not in SUFFIXES:
        return False
    # macOS packs a second, hidden file for each into archives
    return not any(one.startswith(".") or one == "__MACOSX" for one in pure.parts)


def folders_of(path: str) -> tuple[str, ...]:
    """The folders above a file, NFC, the topmost first."""
    return PurePosixPath(nfc(path)).parent.parts


def is_split(folder: str) -> bool:
    """Whether a folder holds a share of the images (`train`, `Test_Set`, `test_public`)."""
    first_word = re.search(r"[^\W\d_]+", folder.lower())
    return first_word is not None and first_word[0] in SPLITS


def is_general(folder: str) -> bool:
    """Whether a folder's name says nothing of what is in it but images, or a share of them."""
    return folder.lower() in GENERAL or is_split(folder)


def telling_folders(path: str) -> list[str]:
    """The folders above a file that are no split and no general word, the nearest first."""
    return [one for one in reversed(folders_of(path)) if not is_general(one)]


def split_folders(images: Iterable[str]) -> list[str]:
    """The split folders (`train`, `test`) that the images lie in."""
    folders = {folder for path in images for folder in folders_of(path)}
    return sorted(filter(is_split, folders))


def class_folders(images: Sequence[str], normal: str = "") -> dict[str, str]:
    """The folder that names each image's class, NFC, by path; empty where folders name none.

    It is the nearest folder above the image that is no split and no general word; where that makes
    too many classes, or none of them normal, the topmost one below what all images share. Images
    without such a folder are left out.
    """
    shared = _shared(images)
    nearest: dict[str, str] = {}
    topmost: dict[str, str] = {}
    for path in images:
        below_shared = PurePosixPath(nfc(path)).parts[shared:]
        named = telling_folders("/".join(below_shared))
        if named:
            nearest[path] = named[0]
            topmost[path] = named[-1]

    levels = [one for one in (nearest, topmost) if _are_classes(one, len(images))]
    with_normal = [one for one in levels if normal_among(one.values(), normal).names]
    best_first = [*with_normal, *levels, {}]
    return best_first[0]


def _are_classes(level: Mapping[str, str], n_images: int) -> bool:
    """From 2 to MAX_CLASSES names, which most images have."""
    n_classes = len(set(level.values()))
    return 2 <= n_classes <= MAX_CLASSES and len(level) > n_images / 2


def _shared(images: Iterable[str]) -> int:
    """How many of their topmost folders all images share."""
    folders = [folders_of(path) for path in images]
    return len(os.path.commonprefix(folders))  # noqa: RUF071 - of tuples, folder by folder


def check_one_product(photos: Sequence[str], masks: Iterable[str]) -> None:
    """Raise InspectionError where several folders each hold a whole data set of their own.

    These are folders beside each other that each hold splits, or a normal class and masks, or a
    normal class of which some are divided into splits. Cameras and classes (`good/train`) are none.
    """
    shared = _shared(photos)
    with_splits: set[str] = set()
    with_normals: set[str] = set()
    for path in photos:
        top, *below = _below(path, shared)
        if any(map(is_split, below)):
            with_splits.add(top)
        if any(map(means_normal, below)):
            with_normals.add(top)
    with_masks = {_below(path, shared)[0] for path in masks}

    own = sorted(with_normals & with_masks)
    if len(with_splits) > 1:
        own = sorted(with_splits)
    elif with_splits and with_splits < with_normals:
        own = sorted(with_normals)
    are_cameras_or_classes = any(
        CAMERA.fullmatch(top) or means_normal(top) for top in own
    )
    if len(own) > 1 and not are_cameras_or_classes:
        first, second, *_ = (
            "/".join((*folders_of(photos[0])[:shared], top)) for top in own
        )
        raise InspectionError(
            f"{len(own)} folders each hold a data set of their own (splits, or normal parts and "
            f"masks): {first_three(own)}; they are several products, or one packed twice: adopt "
            f"one of these folders (make adopt DATA=<folder>/{first}), and of several products "
            f"each other one as a line beside it (make line NAME={plain_name(own[1]) or '<name>'} "
            f"DATA=<folder>/{second})"
        )


def _below(path: str, shared: int) -> tuple[str, ...]:
    """The folders above a file but for those shared, and '' for the file itself."""
    return (*folders_of(path)[shared:], "")


def glob_of(images: Sequence[str], *, apart_from: Collection[str]) -> list[str]:
    """Globs that match the images and none of the image files `apart_from`, as far as folders and
    suffixes can tell them apart.

    The first that does: everything, everything of a suffix, the topmost folders, each folder.
    """
    if not apart_from:
        return ["**/*"]

    suffixes = set(map(_suffix, images))
    other_suffixes = set(map(_suffix, apart_from))
    if not suffixes & other_suffixes:
        return sorted(f"**/*{suffix}" for suffix in suffixes)

    tops = set(map(_top, images))
    other_tops = set(map(_top, apart_from))
    if "" not in tops and not tops & other_tops:
        return sorted(f"{top}/**/*" for top in tops)

    mixed = set(map(folders_of, apart_from))
    globs = set()
    for path in images:
        folders = folders_of(path)
        ending = _suffix(path) if folders in mixed else ""
        globs.add("/".join((*folders, f"*{ending}")))
    return sorted(globs)


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _top(path: str) -> str:
    """The topmost folder of a file; '' where it lies in none."""
    return _below(path, 0)[0]
