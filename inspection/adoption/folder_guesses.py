"""What the folders of a data set are: general words, splits, and folders that name a class."""

import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath

from inspection.adoption.vocabulary import any_normal, means_bad, normal_among
from inspection.dataset.names import nfc
from inspection.images import SUFFIXES

GENERIC = frozenset(
    {
        "images",
        "image",
        "imgs",
        "img",
        "data",
        "dataset",
        "raw",
        "photos",
        "pictures",
        "all",
    }
    | {"jpg", "jpeg", "png", "bmp", "tif", "tiff", "labels", "annotations"}
)
SPLITS = frozenset(
    {"train", "training", "test", "testing", "val", "valid", "validation"}
    | {"trainset", "testset", "valset"}
)
OF_SPLITS = frozenset({"set", "split", "public", "private", "mixed"})
ASIDE = frozenset(
    {
        "unlabeled",
        "unlabelled",
        "unsorted",
        "unclassified",
        "uncategorized",
        "backup",
        "bak",
    }
    | {
        "thumb",
        "thumbs",
        "thumbnail",
        "thumbnails",
        "preview",
        "previews",
        "overlay",
        "overlays",
    }
    | {"visualization", "visualizations", "trash", "미분류", "백업", "未分类", "未分類"}
)
CAMERA = re.compile(
    r"(?:cam|camera|ch|channel|view|side|light|station|pos|카메라|채널)[-_ ]*(?:\d{1,2}|[a-f])|"
    r"(?:top|bottom|left|right|front|back|rear|side|inner|outer)(?:[-_ ]?(?:cam|view))?",
    re.IGNORECASE,
)
MAX_CLASSES = 40
MIN_VIEWS = 3.0
STRAY_SHARE = 0.05


def is_image(path: str) -> bool:
    """True when the suffix is one we read and the file is not hidden."""
    parts = PurePosixPath(path).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return PurePosixPath(path).suffix.lower() in SUFFIXES and not hidden


def _without_tops(classes: dict[str, str]) -> dict[str, str]:
    """The class by image without those of a folder that holds the normal class: that is the line's.

    Images that lie right in it, or in a split of it, are not sorted.
    """
    normal = normal_among(classes.values())
    at = {path: _class_path(path, label) for path, label in classes.items()}
    tops = {
        top
        for path, label in classes.items()
        if label in normal
        for top in at[path].parents
    }
    return {path: label for path, label in classes.items() if at[path] not in tops}


def _without_nested(classes: dict[str, str]) -> dict[str, str]:
    """The class by image without those that lie within the folder of another class.

    `crack/marked` holds images of cracks again; the kinds of defect in `NG` are classes.
    """
    at = {path: _class_path(path, label) for path, label in classes.items()}
    around = {at[path] for path, label in classes.items() if not means_bad(label)}
    return {
        path: label
        for path, label in classes.items()
        if not around & set(at[path].parents)
    }


def _class_path(path: str, label: str) -> PurePosixPath:
    """The path of the nearest folder of this name above an image."""
    folders = PurePosixPath(nfc(path)).parents
    return next((folder for folder in folders if folder.name == label), PurePosixPath())


def is_split(folder: str) -> bool:
    """Whether a folder holds a share of the images (`train`, `Test_Set`, `training_data`)."""
    words = set(re.findall(r"[^\W\d_]+", folder.lower()))
    return bool(words & SPLITS) and words <= SPLITS | OF_SPLITS | GENERIC


def is_general(folder: str) -> bool:
    """Whether a folder's name says nothing of what is in it but images, or a share of them."""
    return folder.lower() in GENERIC or is_split(folder)


def sorted_out(paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """The images, and those that are no photograph of their own or not yet sorted, by folder."""
    images, aside = list[str](), list[str]()
    for path in filter(is_image, paths):
        folders = PurePosixPath(nfc(path)).parent.parts
        (aside if any(part.lower() in ASIDE for part in folders) else images).append(
            path
        )
    return images, aside


def unread_kinds(
    images: Sequence[str], readable: Collection[str], refused: Collection[str]
) -> frozenset[str]:
    """The images of a suffix, or of a suffix in one folder, of which none of several was readable.

    `readable` and `refused` are those that were looked at.
    """
    is_readable = dict.fromkeys(readable, True) | dict.fromkeys(refused, False)
    looks: dict[tuple[str, ...], list[bool]] = {}
    for path, told in is_readable.items():
        for kind in _kinds(path):
            looks.setdefault(kind, []).append(told)
    unread = {kind for kind, told in looks.items() if len(told) > 1 and not any(told)}
    return frozenset(
        path for path in images if any(kind in unread for kind in _kinds(path))
    )


def _kinds(path: str) -> tuple[tuple[str, ...], ...]:
    pure = PurePosixPath(path)
    suffix = pure.suffix.lower()
    return (suffix,), (str(pure.parent), suffix)


def class_of_folder(images: Sequence[str]) -> dict[str, str]:
    """The folder that names each image's class, NFC, by path; empty where folders name none.

    It is no split (`train`) and no general word (`images`): the nearest such folder above the
    image, or one further up where each part has a folder of its own; else one counted from the
    top. A folder that means normal decides. Images without such a folder are left out: all of a
    split that nobody has sorted, and few strays.
    """
    telling = {path: _telling_folders(path) for path in images}
    n_images = sum(
        bool(folders) or not _in_split(path) for path, folders in telling.items()
    )
    depths = range(max(map(len, telling.values()), default=0))
    levels = [
        {
            path: folders[at]
            for path, folders in telling.items()
            if -len(folders) <= at < len(folders)
        }
        for at in (*depths, *(~depth for depth in depths))
    ]
    fitting = [level for level in levels if _look_like_classes(level, n_images)]
    with_normal = [level for level in fitting if any_normal(level.values())]
    return _without_nested(_without_tops(next(iter(with_normal or fitting), {})))


def _look_like_classes(names: Mapping[str, str], n_images: int) -> bool:
    n_classes = len(set(names.values()))
    return (
        2 <= n_classes <= MAX_CLASSES
        and len(names) >= (1 - STRAY_SHARE) * n_images
        and len(names) / n_classes >= MIN_VIEWS
    )


def split_folders(images: Sequence[str]) -> list[str]:
    """The split folders (`train`, `test`) that the images lie in."""
    parts = {
        part.lower() for path in images for part in PurePosixPath(path).parent.parts
    }
    return sorted(part for part in parts if is_split(part))


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
        folder, suffix = (
            str(PurePosixPath(path).parent),
            PurePosixPath(path).suffix.lower(),
        )
        where = "" if folder == "." else f"{nfc(folder)}/"
        globs.add(f"{where}*{suffix}" if folder in mixed else f"{where}*")
    general = {posixpath.join("**", posixpath.basename(glob)) for glob in globs}
    suffixes = {PurePosixPath(path).suffix.lower() for path in apart_from}
    if not any(
        glob.endswith("/*") or PurePosixPath(glob).suffix in suffixes
        for glob in general
    ):
        return sorted(general)
    tops = {glob.split("/", 1)[0] for glob in globs if "/" in glob}
    in_folders = all("/" in glob for glob in globs)
    if in_folders and not tops & {path.split("/", 1)[0] for path in apart_from}:
        return sorted(f"{top}/**/*" for top in tops)
    return sorted(globs)


def _telling_folders(path: str) -> list[str]:
    """The folders above an image that may tell something, the nearest first."""
    folders = reversed(PurePosixPath(nfc(path)).parent.parts)
    return [one for one in folders if not is_general(one)]


def _in_split(path: str) -> bool:
    return any(is_split(part) for part in PurePosixPath(path).parent.parts)
