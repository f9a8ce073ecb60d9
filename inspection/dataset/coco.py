"""COCO files read into boxes, each oddity told and none repaired in silence."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from inspection.boxes import LabelledBox
from inspection.dataset.annotations import Annotations
from inspection.dataset.layouts import ImageIndex
from inspection.dataset.names import nfc
from inspection.dataset.quarantine import Finding
from inspection.errors import InspectionError
from inspection.geometry import Box
from inspection.texts import decoded

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
        result.findings.append(
            Finding(name, "label_without_image", detail, view_kept=True)
        )
    boxes: dict[str, list[LabelledBox]] = {image: [] for image in image_of.values()}
    category_of = {entry["id"]: nfc(str(entry["name"])) for entry in told["categories"]}
    for number, entry in enumerate(told["annotations"]):
        category = category_of.get(
            entry.get("category_id"), str(entry.get("category_id"))
        )
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


def _coco_content(path: str, content: bytes) -> Any:
    try:
        told = json.loads(decoded(content)[0])
    except ValueError as error:
        raise InspectionError(
            f"{path}: is not JSON ({error}); export it again"
        ) from error
    parts = ("images", "annotations", "categories")
    if not isinstance(told, dict) or not all(
        isinstance(told.get(p), list) for p in parts
    ):
        raise InspectionError(
            f"{path}: is not COCO; it needs the lists {', '.join(parts)}"
        )
    bad = [
        e
        for e in told["categories"]
        if not isinstance(e, dict) or not {"id", "name"} <= set(e)
    ]
    bad += [e for e in told["images"] if not isinstance(e, dict) or "id" not in e]
    bad += [e for e in told["annotations"] if not isinstance(e, dict)]
    if bad:
        raise InspectionError(
            f"{path}: {len(bad)} entries lack id or name, first {bad[0]!r}"
        )
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
    bad = [
        f"{where} is {it!r}"
        for where, it in ids
        if not isinstance(it, int | float | str)
    ]
    if bad:
        raise InspectionError(
            f"{path}: {len(bad)} ids are neither a number nor text: {'; '.join(bad[:3])}; export "
            "it again"
        )
    names = Counter(
        one for one, _ in {(e["id"], str(e.get("file_name"))) for e in told["images"]}
    )
    twice = sorted(repr(one) for one, n in names.items() if n > 1)
    if twice:
        raise InspectionError(
            f"{path}: {len(twice)} ids stand for two images each: {', '.join(twice[:3])}; number "
            "the images anew"
        )


def _of_no_image(
    path: str, number: int, entry: Mapping[str, Any], category: str
) -> Finding:
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
        image, said = (
            image_of.get(entry["id"], ""),
            (entry.get("width"), entry.get("height")),
        )
        has = sizes.get(image, said)
        if has != said and all(isinstance(side, int) and side > 0 for side in said):
            detail = (
                f"{said[0]} x {said[1]} px in {path}, and it has {has[0]} x {has[1]}; the boxes "
                "there are left out: annotate the image as it is"
            )
            found[image] = Finding(image, "coco_size_differs", detail, view_kept=True)
    return found


def _coco_box(category: str, entry: Mapping[str, Any]) -> LabelledBox:
    """The box an annotation gives, or the extent of its segmentation where it gives none."""
    try:
        edges = entry.get("bbox") or _extent(entry.get("segmentation"))
        x, y, width, height = (float(edge) for edge in edges)
    except (TypeError, ValueError, KeyError):
        x = y = width = height = math.nan
    return LabelledBox(category, Box(x, y, width, height), "coco")


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
