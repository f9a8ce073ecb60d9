"""COCO files read into boxes, each oddity a finding and none repaired in silence."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from inspection.boxes import LabelledBox
from inspection.dataset.annotations import Annotations
from inspection.dataset.image_index import ImageIndex
from inspection.dataset.names import nfc
from inspection.dataset.quarantine import Finding
from inspection.errors import N_SHOWN, InspectionError
from inspection.geometry import Box
from inspection.texts import decoded

LISTS = ("images", "annotations", "categories")
# the ids that entries name each other by: they are looked up, so they must be plain values
COCO_IDS = {
    "images": ("id",),
    "categories": ("id",),
    "annotations": ("image_id", "category_id"),
}


def read_coco(
    path: str,
    content: bytes,
    *,
    images: ImageIndex,
    sizes: Mapping[str, tuple[int, int]] | None = None,
) -> Annotations:
    """Boxes of one COCO file; raises InspectionError when it is not COCO.

    `sizes` is (width, height) in pixels of images by path, as far as known: boxes that were drawn
    on an image of another size are listed and left out.
    """
    parsed = _coco_content(path, content)
    entries = parsed["annotations"]
    image_of, strangers = _coco_images(parsed["images"], images)

    result = Annotations()
    n_boxes = Counter(entry.get("image_id") for entry in entries)
    for stranger, name in strangers.items():
        result.findings.append(_of_no_file(path, name, n_boxes[stranger]))

    # a list for every image: one without boxes was annotated all the same, as a good one
    boxes: dict[str, list[LabelledBox]] = {image: [] for image in image_of.values()}
    category_of = {one["id"]: nfc(str(one["name"])) for one in parsed["categories"]}
    for number, entry in enumerate(entries):
        image_id = entry.get("image_id")
        category_id = entry.get("category_id")
        category = category_of.get(category_id, str(category_id))
        if image_id in image_of:
            boxes[image_of[image_id]].append(_coco_box(category, entry))
        elif image_id not in strangers:
            result.findings.append(_of_no_image(path, number, entry, category))

    odd = _of_another_size(path, parsed["images"], image_of, sizes or {})
    result.findings += odd.values()
    result.unread |= odd.keys()
    for image in sorted(boxes.keys() - odd.keys()):
        result.add(image, "coco", boxes[image])
    return result


def _coco_content(path: str, content: bytes) -> Any:
    """The content of a COCO file whose lists and ids are sound; raises InspectionError."""
    try:
        parsed = json.loads(decoded(content)[0])
    except ValueError as error:
        raise InspectionError(
            f"{path}: is not JSON ({error}); export it again"
        ) from error

    content_of = parsed if isinstance(parsed, dict) else {}
    if not all(isinstance(content_of.get(key), list) for key in LISTS):
        raise InspectionError(
            f"{path}: is not COCO; it needs the lists {', '.join(LISTS)}"
        )

    bad = [
        *_lacking(parsed["categories"], {"id", "name"}),
        *_lacking(parsed["images"], {"id"}),
        *_lacking(parsed["annotations"], set()),
    ]
    if bad:
        raise InspectionError(
            f"{path}: {len(bad)} entries lack id or name, first {bad[0]!r}"
        )
    _check_ids(path, parsed)
    _check_images(path, parsed["images"])
    return parsed


def _lacking(entries: Sequence[Any], keys: set[str]) -> list[Any]:
    """The entries that are no objects, or lack one of the keys."""
    lacking = []
    for entry in entries:
        if not isinstance(entry, dict) or keys - set(entry):
            lacking.append(entry)
    return lacking


def _check_ids(path: str, parsed: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Raise InspectionError where an id is such that no other entry can name it."""
    bad = []
    for part, keys in COCO_IDS.items():
        for number, entry in enumerate(parsed[part]):
            where = f"{part}[{number}]"
            bad += _bad_ids(where, entry, keys)
    if bad:
        raise InspectionError(
            f"{path}: {len(bad)} ids are neither a number nor text: {_first(bad)}; export it again"
        )


def _bad_ids(
    where: str,
    entry: Mapping[str, Any],
    keys: Sequence[str],
) -> list[str]:
    problems = []
    for key in keys:
        # an entry has its own id, but an annotation may lack that of an image or category
        is_given = key == "id" or entry.get(key) is not None
        if is_given and not isinstance(entry[key], int | float | str):
            problems.append(f"{where}.{key} is {entry[key]!r}")
    return problems


def _check_images(path: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Raise InspectionError where one id stands for two images."""
    # an image may well be listed twice under one id and name
    named = {(entry["id"], str(entry.get("file_name"))) for entry in entries}
    n_names = Counter(image_id for image_id, _ in named)
    twice = sorted(repr(key) for key, n in n_names.items() if n > 1)
    if twice:
        raise InspectionError(
            f"{path}: {len(twice)} ids stand for two images each: {_first(twice, ', ')}; number "
            "the images anew"
        )


def _first(problems: Sequence[str], separator: str = "; ") -> str:
    return separator.join(problems[:N_SHOWN])


def _of_no_file(
    path: str,
    name: str,
    n_boxes: int,
) -> Finding:
    detail = (
        f"{path} names it with {n_boxes} boxes, and no image or several have this name"
    )
    return Finding(name, "label_without_image", detail, view_kept=True)


def _of_no_image(
    path: str,
    number: int,
    entry: Mapping[str, Any],
    category: str,
) -> Finding:
    box = f"annotations[{number}]: {category} at {entry.get('bbox')!r}"
    detail = f"{box}; no image has its image_id {entry.get('image_id')!r}"
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
        image_id = entry["id"]
        if found is None:
            strangers[image_id] = name
        else:
            image_of[image_id] = found
    return image_of, strangers


def _of_another_size(
    path: str,
    entries: Sequence[Mapping[str, Any]],
    image_of: Mapping[Any, str],
    sizes: Mapping[str, tuple[int, int]],
) -> dict[str, Finding]:
    """The images whose entry gives another size than they have, and the finding of each."""
    found = {}
    for entry in entries:
        image = image_of.get(entry["id"], "")
        width, height = entry.get("width"), entry.get("height")
        has_width, has_height = sizes.get(image, (width, height))
        # tools that know no size write 0 or nothing
        is_given = all(isinstance(side, int) and side > 0 for side in (width, height))
        if is_given and (has_width, has_height) != (width, height):
            detail = (
                f"{width} x {height} px in {path}, and it has {has_width} x {has_height}; the "
                "boxes there are left out: annotate the image as it is"
            )
            found[image] = Finding(image, "coco_size_differs", detail, view_kept=True)
    return found


def _coco_box(category: str, entry: Mapping[str, Any]) -> LabelledBox:
    """The box an annotation gives, or the extent of its segmentation where it gives none."""
    try:
        edges = entry.get("bbox") or _extent(entry.get("segmentation"))
        x, y, width, height = (float(edge) for edge in edges)
    except (TypeError, ValueError, KeyError):
        # set aside later, by the one check of all boxes
        x = y = width = height = math.nan
    return LabelledBox(category, Box(x, y, width, height), "coco")


def _extent(segmentation: Any) -> Sequence[float]:
    """Left, top, width and height of polygons (`[[x, y, x, y, ...], ...]`) or a run-length mask."""
    if isinstance(segmentation, Mapping):
        return _extent_of_mask(segmentation)

    xs: list[float] = []
    ys: list[float] = []
    for polygon in segmentation:
        xs += map(float, polygon[::2])
        ys += map(float, polygon[1::2])
    left, top = min(xs), min(ys)
    return left, top, max(xs) - left, max(ys) - top


def _extent_of_mask(segmentation: Mapping[str, Any]) -> Sequence[float]:
    """Left, top, width and height of a run-length mask, its counts packed or as numbers."""
    from pycocotools import mask

    height, width = map(int, segmentation["size"])
    # pycocotools reads beyond its memory for a mask without pixels
    if min(height, width) < 1:
        raise ValueError("a mask without pixels")

    coded = segmentation
    if not isinstance(segmentation["counts"], str | bytes):
        coded = mask.frPyObjects(segmentation, height, width)
    return [float(edge) for edge in mask.toBbox(coded)]
