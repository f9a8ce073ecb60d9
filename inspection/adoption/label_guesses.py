"""Where the class of an image is told, guessed: in its name, or by its boxes."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from inspection.adoption.name_shapes import Shape
from inspection.adoption.vocabulary import normal_among
from inspection.dataset.annotations import (
    Annotations,
    joined,
    read_class_names,
    read_yolo,
)
from inspection.dataset.coco import read_coco
from inspection.dataset.layouts import ImageIndex
from inspection.dataset.names import nfc
from inspection.errors import InspectionError
from inspection.geometry import Box
from inspection.line import fold_name

NAMES_FILES = ("classes.txt", "obj.names", "data.yaml", "data.yml", "dataset.yaml")
YAML_SUFFIXES = (".yaml", ".yml")
COCO_KEYS = (b'"images"', b'"annotations"', b'"categories"')
MAX_CLASSES = 40
MIN_VIEWS = 2.0
REGION_SHARE = 0.5
REGION_SPREAD = 0.25
EVERYWHERE_SHARE = 0.8
PLACE_SPREAD = 0.5


@dataclass(frozen=True)
class Boxes:
    """Annotation files as `validate` wants them, and what they tell by image path.

    `n_images` counts all photographs, also those that no file tells of.
    """

    yolo: tuple[str, ...]
    yolo_names: str
    coco: tuple[str, ...]
    annotations: Annotations
    files: tuple[str, ...]
    n_images: int

    @property
    def categories(self) -> list[str]:
        """All categories, the most frequent first."""
        told = Counter(
            box.category for boxes in self.annotations.boxes.values() for box in boxes
        )
        return [name for name, _ in told.most_common()]

    @property
    def tells_empty(self) -> bool:
        """True when some image is told to have no box: then an untold one is an omission.

        A COCO file lists its images, so one that it does not list always is.
        """
        return bool(self.coco) or not all(self.annotations.boxes.values())


def label_column(shape: Shape, normal: str) -> int | None:
    """The column of words, few and repeated, of which one means that nothing is wrong.

    `normal` is the word for it where the user said so, or ''.
    """
    for i in word_columns(shape):
        words = set(shape.columns[i].told)
        if (words & {normal}) if normal else normal_among(words):
            return i
    return None


def word_columns(shape: Shape) -> list[int]:
    """The columns that hold words, few and repeated."""
    found = []
    for i, column in enumerate(shape.columns):
        n_words = column.n_distinct
        few = 2 <= n_words <= MAX_CLASSES and len(column.told) / n_words >= MIN_VIEWS
        if few and not column.is_number:
            found.append(i)
    return found


def find_boxes(
    images: Sequence[str],
    contents: Mapping[str, bytes],
    *,
    sizes: Mapping[str, tuple[int, int]],
) -> Boxes | None:
    """The annotation files among `contents` (JSON and text by path), or None without any.

    `sizes` is (width, height) in pixels of every image, as far as known.
    """
    coco = [path for path, content in contents.items() if is_coco(path, content)]
    index = ImageIndex(images, suffixes=False)
    texts = {
        path: content
        for path, content in contents.items()
        if path.lower().endswith(".txt")
    }
    yolo = {
        path: content
        for path, content in texts.items()
        if _is_yolo(content) and index.find(_beside_images(path)) is not None
    }
    names_file = _names_file(contents) if yolo else ""
    if not coco and not names_file:
        return None
    parts = [
        read_coco(path, contents[path], images=ImageIndex(images, suffixes=True))
        for path in coco
    ]
    if names_file:
        names, _ = read_class_names(names_file, contents[names_file])
        parts.insert(0, read_yolo(yolo, class_names=names, images=index, sizes=sizes))
    folders = (
        {str(PurePosixPath(nfc(path)).parent) for path in yolo} if names_file else set()
    )
    globs = sorted("*" if folder == "." else f"{folder}/*" for folder in folders)
    files = [
        *coco,
        *(yolo if names_file else ()),
        *([names_file] if names_file else ()),
    ]
    return Boxes(
        tuple(globs), names_file, tuple(coco), joined(parts), tuple(files), len(images)
    )


def is_coco(path: str, content: bytes) -> bool:
    """True for JSON that can be read as COCO; other files may well hold its words."""
    return looks_like_coco(path, content) and not why_no_coco(path, content)


def looks_like_coco(path: str, content: bytes) -> bool:
    """True for JSON with the three words of COCO, whatever they stand for."""
    return path.lower().endswith(".json") and all(key in content for key in COCO_KEYS)


def why_no_coco(path: str, content: bytes) -> str:
    """What hinders reading a file as COCO; '' where it can be read."""
    try:
        read_coco(path, content, images=ImageIndex((), suffixes=True))
    except (InspectionError, RecursionError) as error:
        return str(error)
    return ""


def region_categories(boxes: Boxes, known: Collection[str]) -> list[str]:
    """Categories that mark a region of the part rather than a defect of it.

    Those that are none of the `known` class names and do not mean normal, and stand once in most
    photographs, always of about one size. Where nothing is `known`, boxes tell the classes, and
    some category is left for a defect.
    """
    folded = {fold_name(name) for name in known}
    categories = boxes.categories
    others = sorted(set(categories) - normal_among(categories))
    regions = [
        n for n in others if fold_name(n) not in folded and _marks_a_region(n, boxes)
    ]
    return [] if not known and regions == others else regions


def shown_in(region: str, categories: Sequence[str], boxes: Boxes) -> list[str]:
    """Those of the categories whose boxes mostly lie where the boxes of the region usually lie."""
    edges = np.array([_edges(box) for box in boxes_of(region, boxes)])
    left, top, right, bottom = np.median(edges, axis=0)
    shown = []
    for name in categories:
        centres = np.array([_centre(box) for box in boxes_of(name, boxes)]).reshape(
            -1, 2
        )
        if not len(centres):
            continue
        across = (centres[:, 0] > left) & (centres[:, 0] < right)
        down = (centres[:, 1] > top) & (centres[:, 1] < bottom)
        if (across & down).mean() > 0.5:
            shown.append(name)
    return shown


def _marks_a_region(name: str, boxes: Boxes) -> bool:
    """Once in nearly every photograph, or in most in one row or column, and always of one size."""
    views = [
        [b for b in one if b.category == name]
        for one in boxes.annotations.boxes.values()
    ]
    having = [one for one in views if one]
    once = all(max(Counter(box.source for box in one).values()) == 1 for one in having)
    share = len(having) / boxes.n_images
    if share < REGION_SHARE or not once or len(having) <= 5:
        return False
    sizes = np.array([(one[0].box.width_px, one[0].box.height_px) for one in having])
    centres = np.array([_centre(one[0].box) for one in having])
    of_one_size = (sizes.std(axis=0) < REGION_SPREAD * sizes.mean(axis=0)).all()
    at_one_place = (centres.std(axis=0) < PLACE_SPREAD * sizes.mean(axis=0)).any()
    return bool(of_one_size and (share >= EVERYWHERE_SHARE or at_one_place))


def _is_yolo(content: bytes) -> bool:
    """True for an empty file, or one whose first line is a class and relative numbers."""
    lines = content.decode("utf-8", errors="replace").strip().splitlines()
    if not lines:
        return True
    try:
        numbers = [float(value) for value in lines[0].split()[1:]]
    except ValueError:
        return False
    return len(numbers) >= 4 and all(-1 <= value <= 2 for value in numbers)


def _beside_images(path: str) -> str:
    parts = [
        "images" if part.lower() == "labels" else part
        for part in PurePosixPath(path).parts
    ]
    return str(PurePosixPath(*parts))


def _names_file(contents: Mapping[str, bytes]) -> str:
    """The file that names the classes of YOLO labels, or ''.

    One of a usual name before any other YAML with `names`, and of these the one least deep.
    """
    named = {path: PurePosixPath(path).name.lower() in NAMES_FILES for path in contents}
    telling = [
        path
        for path, is_usual in named.items()
        if (
            _has_names(contents[path])
            if path.lower().endswith(YAML_SUFFIXES)
            else is_usual
        )
    ]
    return min(
        telling, key=lambda path: (not named[path], path.count("/"), path), default=""
    )


def _has_names(content: bytes) -> bool:
    return re.search(rb"(?m)^[\"']?names[\"']?\s*:", content) is not None


def looks_like_yolo(path: str, content: bytes) -> bool:
    """True for a text file whose first line is a class and relative numbers."""
    return path.lower().endswith(".txt") and bool(content.strip()) and _is_yolo(content)


def boxes_of(category: str, boxes: Boxes) -> list[Box]:
    """All boxes of one category."""
    told = boxes.annotations.boxes.values()
    return [box.box for one in told for box in one if box.category == category]


def _edges(box: Box) -> tuple[float, float, float, float]:
    return (box.x_px, box.y_px, box.right_px, box.bottom_px)


def _centre(box: Box) -> tuple[float, float]:
    return (box.x_px + box.width_px / 2, box.y_px + box.height_px / 2)
