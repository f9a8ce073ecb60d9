"""What the folders of a data set are: general words, splits, and folders that name a class."""

import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath

from inspection.images import SUFFIXES
from inspection.names import nfc
from inspection.vocabulary import any_normal, normal_among

GENERIC = frozenset(
    {"images", "image", "imgs", "img", "data", "dataset", "raw", "photos", "pictures", "all"}
    | {"jpg", "jpeg", "png", "bmp", "tif", "tiff", "labels", "annotations"}
)
SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
CAMERA = re.compile(
    r"(?:cam|camera|ch|channel|view|side|light|station|pos|카메라|채널)[-_ ]*(?:\d{1,2}|[a-f])|"
    r"(?:top|bottom|left|right|front|back|rear|side|inner|outer)(?:[-_ ]?(?:cam|view))?",
    re.IGNORECASE,
)
MOST_CLASSES = 40
LEAST_VIEWS = 3.0
STRAY_SHARE = 0.05


def is_image(path: str) -> bool:
    """True when the suffix is one we read and the file is not hidden."""
    parts = PurePosixPath(path).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return PurePosixPath(path).suffix.lower() in SUFFIXES and not hidden


def class_of_folder(images: Sequence[str]) -> dict[str, str]:
    """The folder that names each image's class, NFC, by path; empty where folders name none.

    It is no split (`train`) and no general word (`images`): the nearest such folder above the
    image, or one further up where each part has a folder of its own; else one counted from the
    top. A folder that means normal decides. Few stray images without such a folder are left out.
    """
    telling = {path: _telling_folders(path) for path in images}
    depths = range(max(map(len, telling.values()), default=0))
    levels = [
        {
            path: folders[at]
            for path, folders in telling.items()
            if -len(folders) <= at < len(folders)
        }
        for at in (*depths, *(~depth for depth in depths))
    ]
    fitting = [level for level in levels if _look_like_classes(level, len(images))]
    with_normal = [level for level in fitting if any_normal(level.values())]
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
    complete = {top: names for top, names in of_top.items() if any_normal(names)}
    defects = {top: names - normal_among(names) for top, names in complete.items()}
    shared = set.intersection(*defects.values()) if len(defects) > 1 else set()
    apart = [top for top, names in defects.items() if len(shared) < len(names) / 2]
    return sorted(apart) if len(apart) > 1 else []


def split_apart(images: Sequence[str], classes: Collection[str]) -> list[str]:
    """Folders that each hold splits (`train`, `test`) of their own, and are no `classes`."""
    splits: dict[str, set[str]] = {}
    for path in images:
        folders = PurePosixPath(nfc(path)).parent.parts
        at = next((i for i, part in enumerate(folders) if part.lower() in SPLITS), 0)
        if at and folders[at - 1] not in classes and not CAMERA.fullmatch(folders[at - 1]):
            splits.setdefault("/".join(folders[:at]), set()).add(folders[at].lower())
    apart = sorted(folder for folder, found in splits.items() if len(found) > 1)
    return apart if len(apart) > 1 else []


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
