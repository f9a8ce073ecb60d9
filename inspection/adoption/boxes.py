"""The annotation files of a folder - COCO, YOLO, Pascal VOC - and what their boxes say."""

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from inspection.adoption.folders import folders_of
from inspection.adoption.words import means_normal
from inspection.boxes import LabelledBox
from inspection.dataset.annotations import (
    Annotations,
    joined,
    read_class_names,
    read_yolo,
)
from inspection.dataset.coco import read_coco
from inspection.dataset.image_index import ImageIndex
from inspection.dataset.names import nfc
from inspection.dataset.voc import is_voc, read_voc
from inspection.errors import InspectionError
from inspection.geometry import Box
from inspection.line import fold_name

NAMES_FILES = ("classes.txt", "obj.names", "data.yaml", "data.yml", "dataset.yaml")
COCO_KEYS = frozenset({"images", "annotations", "categories"})
# A region of the part is boxed in at least half of the images ...
REGION_SHARE = 0.5
# ... and its width and height spread by less than a quarter of their mean: a defect has any size.
REGION_SPREAD = 0.25


@dataclass(frozen=True)
class Boxes:
    """Annotation files: the keys of `validate` that read them, and what they say by image path."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    annotations: Annotations = field(default_factory=Annotations)

    @property
    def categories(self) -> list[str]:
        """All categories, the most frequent first."""
        found = Counter(box.category for box in self.all)
        return [name for name, _ in found.most_common()]

    @property
    def all(self) -> list[LabelledBox]:
        """The boxes of all images."""
        return [box for boxes in self.annotations.boxes.values() for box in boxes]

    @property
    def lists_empty(self) -> bool:
        """True where some image is listed without a box: one that is not listed is an omission.

        A COCO file lists its images, so one that it does not list always is.
        """
        return "coco" in self.settings or not all(self.annotations.boxes.values())

    def of(self, category: str) -> list[Box]:
        """The boxes of one category."""
        return [one.box for one in self.all if one.category == category]


@dataclass(frozen=True)
class FoundBoxes:
    """The annotation files by their kind, and why others cannot be read, by the kind they seem."""

    by_kind: Mapping[str, Boxes] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def together(self) -> Boxes:
        """All of them, each box as often as files have it."""
        kinds = list(self.by_kind.values())
        settings: dict[str, Any] = {}
        files: list[str] = []
        for boxes in kinds:
            settings |= boxes.settings
            files += boxes.files
        annotations = joined([boxes.annotations for boxes in kinds])
        return Boxes(settings, tuple(files), annotations)


def find_boxes(
    images: Sequence[str],
    texts: Mapping[str, bytes],
    sizes: Mapping[str, tuple[int, int]],
) -> FoundBoxes:
    """The annotation files among text files; `sizes` is (width, height) in pixels by image."""
    stems = ImageIndex(images, suffixes=False)
    found = {
        "yolo": _find_yolo(texts, stems, sizes),
        "coco": _find_coco(texts, images),
        "voc": _find_voc(texts, stems, sizes),
    }
    by_kind = {kind: one for kind, one in found.items() if isinstance(one, Boxes)}
    problems = {kind: one for kind, one in found.items() if isinstance(one, str)}
    return FoundBoxes(by_kind, problems)


def _find_yolo(
    texts: Mapping[str, bytes],
    stems: ImageIndex,
    sizes: Mapping[str, tuple[int, int]],
) -> Boxes | str | None:
    """YOLO labels with the file that names their classes; or what is wrong, if there are any."""
    labels = {}
    for path, text in texts.items():
        if _is_yolo(path, text) and stems.find(_of_image(path)):
            labels[path] = text

    names_file = _names_file(texts)
    if labels and names_file:
        names, _ = read_class_names(names_file, texts[names_file])
        read = read_yolo(labels, class_names=names, images=stems, sizes=sizes)
        settings = {"yolo": _globs(labels), "yolo_names": names_file}
        return Boxes(settings, (*labels, names_file), read)

    # empty text files beside images may be anything
    if not any(text.strip() for text in labels.values()):
        return None
    return (
        f"{min(labels)} looks like a YOLO label, and no file names the classes; add "
        f"{NAMES_FILES[0]} with one name per line, or a .yaml with the list `names`"
    )


def _find_coco(texts: Mapping[str, bytes], images: Sequence[str]) -> Boxes | str | None:
    """COCO files; or why the first that looks like one is none, if there are no others."""
    index = ImageIndex(images, suffixes=True)
    found: dict[str, Annotations] = {}
    problems = []
    for path, text in sorted(texts.items()):
        if not path.lower().endswith(".json") or not _has_coco_keys(text):
            continue
        try:
            found[path] = read_coco(path, text, images=index)
        except InspectionError as error:
            problems.append(str(error))

    if found:
        together = joined(list(found.values()))
        return Boxes({"coco": list(found)}, tuple(found), together)
    return problems[0] if problems else None


def _find_voc(
    texts: Mapping[str, bytes],
    stems: ImageIndex,
    sizes: Mapping[str, tuple[int, int]],
) -> Boxes | None:
    files = {path: text for path, text in texts.items() if is_voc(path, text)}
    if not files:
        return None
    read = read_voc(files, images=stems, sizes=sizes)
    return Boxes({"voc": _globs(files)}, tuple(files), read)


def labels_by_boxes(
    photos: Sequence[str], boxes: Boxes, normal: Collection[str]
) -> dict[str, str]:
    """The defect that covers most of each view; without one a normal category, or ''."""
    regions = set(region_categories(boxes, (), len(photos)))
    labels = {}
    for path in photos:
        in_view = boxes.annotations.boxes.get(path, ())
        defects = [box for box in in_view if box.category not in regions]
        labels[path] = _largest(defects, normal)
    return labels


def unlisted(photos: Sequence[str], boxes: Boxes) -> list[str]:
    """The images that no file lists."""
    return [path for path in photos if path not in boxes.annotations.sources]


def doubtful(paths: Sequence[str], boxes: Boxes) -> set[str]:
    """Which of the images that no file lists may show a defect all the same.

    Those in a folder most of whose images have a box, for one may have been forgotten, and those
    that are called as a boxed one, for they may be turned or enlarged copies of it; none of these
    in a folder that means normal (`good/`).
    """
    boxed = [path for path, found in boxes.annotations.boxes.items() if found]
    n_boxed = Counter(map(_folder, boxed))
    n_others = Counter(map(_folder, paths))
    names = set(map(_stem, boxed))

    found = set()
    for path in paths:
        is_among_boxed = n_boxed[_folder(path)] > n_others[_folder(path)]
        lies_among_normal = any(map(means_normal, folders_of(path)))
        if (is_among_boxed or _stem(path) in names) and not lies_among_normal:
            found.add(path)
    return found


def _stem(path: str) -> str:
    return nfc(PurePosixPath(path).stem)


def _folder(path: str) -> str:
    return str(PurePosixPath(nfc(path)).parent)


def _largest(boxes: Sequence[LabelledBox], normal: Collection[str]) -> str:
    """The category that covers most, a normal one only where there is no other; '' without any."""
    area: Counter[str] = Counter()
    for one in boxes:
        # a box that is none, of NaN, covers nothing
        area[one.category] += int(np.nan_to_num(one.box.area_px))

    ranked = sorted(area, key=lambda name: (name not in normal, area[name], name))
    return ranked[-1] if ranked else ""


def region_categories(
    boxes: Boxes, classes: Collection[str], n_images: int
) -> list[str]:
    """Categories that mark a region of the part rather than a defect of it.

    Those that name none of the `classes` and do not mean normal, and stand once in most images,
    always of about one size. Where no classes are given some category is left for a defect.
    """
    of_classes = {fold_name(name) for name in classes}
    categories = boxes.categories
    others = sorted(name for name in categories if not means_normal(name))
    unnamed = [name for name in others if fold_name(name) not in of_classes]
    regions = [name for name in unnamed if _marks_a_region(name, boxes, n_images)]

    leaves_no_defect = not classes and regions == others
    return [] if leaves_no_defect else regions


def _marks_a_region(name: str, boxes: Boxes, n_images: int) -> bool:
    """Whether a category is boxed once in most images, always of about one size."""
    sizes = []
    for view in boxes.annotations.boxes.values():
        named = [one for one in view if one.category == name]
        # each file may box it once: a frame is often annotated in two formats
        sources = {one.source for one in named}
        if len(sources) < len(named):
            return False
        if named:
            box = named[0].box
            sizes.append((box.width_px, box.height_px))

    if len(sizes) < REGION_SHARE * n_images:
        return False
    spread = np.std(sizes, axis=0) / np.mean(sizes, axis=0)
    return bool((spread < REGION_SPREAD).all())


def _has_coco_keys(text: bytes) -> bool:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and set(content) >= COCO_KEYS


def _is_yolo(path: str, text: bytes) -> bool:
    """True for an empty text file, or one whose first line is a class and relative numbers."""
    if not path.lower().endswith(".txt"):
        return False
    lines = text.decode("utf-8", errors="replace").strip().splitlines()
    if not lines:
        return True

    _, *cells = lines[0].split()
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return False
    # a box may reach over the edge by its own size
    return len(numbers) >= 4 and all(-1 <= value <= 2 for value in numbers)


def _of_image(path: str) -> str:
    """The label `labels/a.txt` is that of `images/a`."""
    parts = PurePosixPath(path).parts
    return "/".join("images" if part.lower() == "labels" else part for part in parts)


def _names_file(texts: Mapping[str, bytes]) -> str:
    """The file that names the classes of YOLO labels, the one least deep; or ''."""
    naming = [path for path, text in texts.items() if _names_classes(path, text)]
    return min(naming, key=lambda path: (path.count("/"), path), default="")


def _names_classes(path: str, text: bytes) -> bool:
    """Whether a file is called as those that name classes; a YAML file must have `names` too."""
    if PurePosixPath(path).name.lower() not in NAMES_FILES:
        return False
    is_yaml = path.endswith((".yaml", ".yml"))
    return not is_yaml or re.search(rb"(?m)^names\s*:", text) is not None


def _globs(paths: Collection[str]) -> list[str]:
    folders = {str(PurePosixPath(nfc(path)).parent) for path in paths}
    return sorted("*" if folder == "." else f"{folder}/*" for folder in folders)
