"""YOLO and COCO files read into boxes, each oddity told and none repaired in silence."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from inspection.boxes import Box
from inspection.errors import InspectionError
from inspection.findings import Finding
from inspection.layouts import ImageIndex
from inspection.names import nfc
from inspection.texts import decoded

COCO_IDS = {"images": ("id",), "categories": ("id",), "annotations": ("image_id", "category_id")}


@dataclass
class Annotations:
    """What annotation files say: boxes by image path, in the files' own category names (NFC).

    `sources` names what tells of an image, with boxes or without: 'yolo', 'coco' or both. `unread`
    are images of which a file might tell that could not be read.
    """

    boxes: dict[str, list[Box]] = field(default_factory=dict)
    sources: dict[str, set[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)

    def add(self, path: str, source: str, boxes: Sequence[Box]) -> None:
        """Add the boxes that one source tells of the image at `path`."""
        self.sources.setdefault(path, set()).add(source)
        self.boxes.setdefault(path, []).extend(boxes)


def read_class_names(path: str, content: bytes) -> tuple[list[str], list[Finding]]:
    """Class names in the order of their numbers, from classes.txt or a data.yaml with `names`."""
    try:
        text, encoding = decoded(content)
    except UnicodeDecodeError as error:
        raise InspectionError(
            f"{path}: is neither UTF-8 nor cp949 ({error.reason}); save it as UTF-8"
        ) from error
    findings = [_in_cp949(path)] if encoding == "cp949" else []
    if PurePosixPath(path).suffix.lower() in (".yaml", ".yml"):
        return _names_in_yaml(path, text), findings
    return [nfc(line.strip()) for line in text.splitlines() if line.strip()], findings


def read_yolo(
    files: Mapping[str, bytes | OSError],
    *,
    class_names: Sequence[str],
    images: ImageIndex,
    sizes: Mapping[str, tuple[int, int]],
) -> Annotations:
    """Boxes of YOLO text files (`class cx cy w h`, relative; or a polygon, boxed).

    `files` holds what each file says, or why it could not be read. `sizes` is (width, height) in
    pixels of every readable image by its path; the labels of an unreadable one are passed over,
    for the image itself is told.
    """
    result = Annotations()
    for path, content in sorted(files.items()):
        image = images.find(_label_as_image(path))
        if image is None:
            detail = "no image of this name, or more than one"
            result.findings.append(Finding(path, "label_without_image", detail, view_kept=True))
        if image is None or image not in sizes:
            continue
        told = _label_text(path, content)
        if isinstance(told, Finding):
            result.findings.append(told)
            result.unread.add(image)
            continue
        text, encoding = told
        if encoding == "cp949":
            result.findings.append(_in_cp949(path))
        boxes, bad = _yolo_boxes(text, class_names, sizes[image])
        result.add(image, "yolo", boxes)
        result.findings += [Finding(path, "box_not_a_number", line, view_kept=True) for line in bad]
    return result


def read_coco(
    path: str,
    content: bytes,
    *,
    images: ImageIndex,
    sizes: Mapping[str, tuple[int, int]] | None = None,
) -> Annotations:
    """Boxes of one COCO file; raises InspectionError when it is not COCO.

    `sizes` is (width, height) in pixels of images by path, as far as known: boxes that were drawn
    on an image of another size are told and left out.
    """
    told = _coco_content(path, content)
    result = Annotations()
    n_boxes = Counter(entry.get("image_id") for entry in told["annotations"])
    image_of, strangers = _coco_images(told["images"], images)
    for stranger, name in strangers.items():
        detail = (
            f"{path} names it with {n_boxes[stranger]} boxes, and no image or several have this "
            "name"
        )
        result.findings.append(Finding(name, "label_without_image", detail, view_kept=True))
    boxes: dict[str, list[Box]] = {image: [] for image in image_of.values()}
    category_of = {entry["id"]: nfc(str(entry["name"])) for entry in told["categories"]}
    for number, entry in enumerate(told["annotations"]):
        category = category_of.get(entry.get("category_id"), str(entry.get("category_id")))
        if entry.get("image_id") in image_of:
            boxes[image_of[entry["image_id"]]].append(_coco_box(category, entry))
        elif entry.get("image_id") not in strangers:
            result.findings.append(_of_no_image(path, number, entry, category))
    odd = _of_another_size(path, told["images"], image_of, sizes or {})
    result.findings += odd.values()
    result.unread |= odd.keys()
    for image, found in boxes.items():
        if image not in odd:
            result.add(image, "coco", found)
    return result


def joined(parts: Sequence[Annotations]) -> Annotations:
    """All annotations together, boxes of an image in the order of `parts`."""
    result = Annotations()
    for part in parts:
        for path, sources in sorted(part.sources.items()):
            result.boxes.setdefault(path, []).extend(part.boxes[path])
            result.sources.setdefault(path, set()).update(sources)
        result.findings += part.findings
        result.unread |= part.unread
    return result


def _label_text(path: str, content: bytes | OSError) -> tuple[str, str] | Finding:
    if isinstance(content, OSError):
        detail = f"{content.strerror}; mend the link or its permissions"
        return Finding(path, "label_file_unreadable", detail, view_kept=True)
    try:
        return decoded(content)
    except UnicodeDecodeError:
        return Finding(path, "label_file_not_utf8", "neither UTF-8 nor cp949", view_kept=True)


def _in_cp949(path: str) -> Finding:
    return Finding(path, "label_file_cp949", "read as cp949; save it as UTF-8", view_kept=True)


def _names_in_yaml(path: str, text: str) -> list[str]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        names = YAML(typ="safe").load(text)["names"]
        values = [names[i] for i in range(len(names))]
    except (YAMLError, KeyError, TypeError) as error:
        raise InspectionError(
            f"{path}: has no list `names` ({error}); name the classes there, in order from 0"
        ) from error
    return [nfc(str(value)) for value in values]


def _label_as_image(path: str) -> str:
    """`train/labels/a.txt` speaks of `train/images/a`."""
    parts = list(PurePosixPath(path).parts)
    places = [i for i, part in enumerate(parts) if part.lower() == "labels"]
    if places:
        parts[places[-1]] = "images"
    return str(PurePosixPath(*parts))


def _yolo_boxes(
    text: str, class_names: Sequence[str], size: tuple[int, int]
) -> tuple[list[Box], list[str]]:
    boxes, bad = [], []
    for line in filter(None, map(str.strip, text.splitlines())):
        box = _yolo_box(line.split(), class_names, size)
        if box is None:
            bad.append(f"not a box: {line[:80]!r}")
        else:
            boxes.append(box)
    return boxes, bad


def _yolo_box(
    fields: Sequence[str], class_names: Sequence[str], size: tuple[int, int]
) -> Box | None:
    try:
        numbers = [float(value) for value in fields[1:]]
    except ValueError:
        return None
    if len(numbers) in (4, 5):
        cx, cy, width, height = numbers[:4]
        corner = (cx - width / 2, cy - height / 2)
    elif len(numbers) >= 6 and len(numbers) % 2 == 0:
        corner = (min(numbers[::2]), min(numbers[1::2]))
        width, height = max(numbers[::2]) - corner[0], max(numbers[1::2]) - corner[1]
    else:
        return None
    known = fields[0].isdecimal() and int(fields[0]) < len(class_names)
    category = class_names[int(fields[0])] if known else nfc(fields[0])
    x, y = corner[0] * size[0], corner[1] * size[1]
    return Box(category, x, y, width * size[0], height * size[1], "yolo")


def _coco_content(path: str, content: bytes) -> Any:
    try:
        told = json.loads(decoded(content)[0])
    except ValueError as error:
        raise InspectionError(f"{path}: is not JSON ({error}); export it again") from error
    parts = ("images", "annotations", "categories")
    if not isinstance(told, dict) or not all(isinstance(told.get(p), list) for p in parts):
        raise InspectionError(f"{path}: is not COCO; it needs the lists {', '.join(parts)}")
    bad = [e for e in told["categories"] if not isinstance(e, dict) or not {"id", "name"} <= set(e)]
    bad += [e for e in told["images"] if not isinstance(e, dict) or "id" not in e]
    bad += [e for e in told["annotations"] if not isinstance(e, dict)]
    if bad:
        raise InspectionError(f"{path}: {len(bad)} entries lack id or name, first {bad[0]!r}")
    _check_ids(path, told)
    return told


def _check_ids(path: str, told: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Raise InspectionError where an id cannot be named by another entry, or names two images."""
    ids = [
        (f"{part}[{number}].{key}", entry[key])
        for part, keys in COCO_IDS.items()
        for number, entry in enumerate(told[part])
        for key in keys
        if key == "id" or entry.get(key) is not None
    ]
    bad = [f"{where} is {it!r}" for where, it in ids if not isinstance(it, int | float | str)]
    if bad:
        raise InspectionError(
            f"{path}: {len(bad)} ids are neither a number nor text: {'; '.join(bad[:3])}; export "
            "it again"
        )
    names = Counter(one for one, _ in {(e["id"], str(e.get("file_name"))) for e in told["images"]})
    twice = sorted(repr(one) for one, n in names.items() if n > 1)
    if twice:
        raise InspectionError(
            f"{path}: {len(twice)} ids stand for two images each: {', '.join(twice[:3])}; number "
            "the images anew"
        )


def _of_no_image(path: str, number: int, entry: Mapping[str, Any], category: str) -> Finding:
    told = f"annotations[{number}]: {category} at {entry.get('bbox')!r}"
    detail = f"{told}; no image has its image_id {entry.get('image_id')!r}"
    return Finding(path, "box_without_image", detail, view_kept=True)


def _coco_images(
    entries: Sequence[Mapping[str, Any]], images: ImageIndex
) -> tuple[dict[Any, str], dict[Any, str]]:
    """Paths of the images by id, and the file names of those that are not there by id."""
    image_of: dict[Any, str] = {}
    strangers: dict[Any, str] = {}
    for entry in entries:
        name = str(entry.get("file_name", ""))
        found = images.find(name)
        if found is None:
            strangers[entry["id"]] = name
        else:
            image_of[entry["id"]] = found
    return image_of, strangers


def _of_another_size(
    path: str,
    entries: Sequence[Mapping[str, Any]],
    image_of: Mapping[Any, str],
    sizes: Mapping[str, tuple[int, int]],
) -> dict[str, Finding]:
    """The images whose entry gives another size than they have, and what to tell of them."""
    found = {}
    for entry in entries:
        image, said = image_of.get(entry["id"], ""), (entry.get("width"), entry.get("height"))
        has = sizes.get(image, said)
        if has != said and all(isinstance(side, int) and side > 0 for side in said):
            detail = (
                f"{said[0]} x {said[1]} px in {path}, and it has {has[0]} x {has[1]}; the boxes "
                "there are left out: annotate the image as it is"
            )
            found[image] = Finding(image, "coco_size_differs", detail, view_kept=True)
    return found


def _coco_box(category: str, entry: Mapping[str, Any]) -> Box:
    """The box an annotation gives, or the extent of its segmentation where it gives none."""
    try:
        edges = entry.get("bbox") or _extent(entry.get("segmentation"))
        x, y, width, height = (float(edge) for edge in edges)
    except (TypeError, ValueError, KeyError):
        x = y = width = height = math.nan
    return Box(category, x, y, width, height, "coco")


def _extent(segmentation: Any) -> Sequence[float]:
    """Left, top, width and height of polygons (`[[x, y, x, y, ...], ...]`) or a run-length mask."""
    if isinstance(segmentation, Mapping):
        from pycocotools import mask

        height, width = map(int, segmentation["size"])
        if min(height, width) < 1:
            raise ValueError("a mask without pixels")
        coded = segmentation
        if not isinstance(segmentation["counts"], str | bytes):
            coded = mask.frPyObjects(segmentation, height, width)
        return [float(edge) for edge in mask.toBbox(coded)]
    xs = [float(x) for polygon in segmentation for x in polygon[::2]]
    ys = [float(y) for polygon in segmentation for y in polygon[1::2]]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
