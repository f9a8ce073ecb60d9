"""What to crop, guessed: the whole frame or boxed regions, at what size, in grey or colour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from inspection.adoption.label_guesses import Boxes, boxes_of, shown_in
from inspection.images import ImageError, ImageFacts, decode, decode_mask, describe

STEP_PX = 32
MIN_CROP_PX = 64
MAX_CROP_PX = 256
MIN_REGION_PX = 128
MASK_LEVELS = 4
MASK_REST = 0.1
NEAR_END = 7
RING_SHARE = 3.0
CAMERA_BITS = (10, 12, 14, 16)
COLOUR_LEVELS = 6.0
COLOURED_SHARE = 0.1
MARGIN_FRACTION = 0.05
TURNED_SHARE = 0.05


@dataclass(frozen=True)
class FolderContents:
    """One image that was decoded: its facts, and what its pixels are like.

    `is_mask`: all black and white; `is_coloured`: its channels differ; `is_marked`: not all black;
    `bits`: how many bits hold the values of a 16-bit image, of those that cameras have.
    """

    facts: ImageFacts
    is_mask: bool
    is_coloured: bool
    is_marked: bool = True
    bits: int = 16


def look_at(content: bytes) -> FolderContents:
    """Judge the image of a file; raises ImageError where it cannot be read."""
    facts = describe(content)
    pixels, bits = (
        _decoded(content) if facts.bit_depth > 8 else (decode(content, channels=3), 16)
    )
    looked = _judged(pixels, facts, bits)
    if looked.is_mask:
        return replace(looked, is_marked=bool(decode_mask(content).any()))
    return looked


def bits_used(looked: Sequence[FolderContents]) -> int:
    """How many bits of 16-bit photographs are used: a camera of 12 that writes files of 16 leaves
    them nearly black. 16 where there are none."""
    deep = (one.bits for one in looked if one.facts.bit_depth > 8 and not one.is_mask)
    return max(deep, default=max(CAMERA_BITS))


def has_colour(looked: Sequence[FolderContents]) -> bool:
    """True when more than a few images differ between their channels."""
    return float(np.mean([one.is_coloured for one in looked])) > COLOURED_SHARE


def crop_size(width_px: float, height_px: float, *, least_px: int = 224) -> list[int]:
    """Width and height of a crop of this aspect in steps of 32 px, no larger than 256.

    Its long side is that of the original, brought between `least_px` and 256.

    >>> crop_size(616, 514), crop_size(1000, 100), crop_size(200, 200)
    ([256, 224], [256, 64], [224, 224])
    """
    longest = max(width_px, height_px)
    scale = min(MAX_CROP_PX, max(least_px, longest)) / longest
    sides = (round(side * scale / STEP_PX) * STEP_PX for side in (width_px, height_px))
    return [max(MIN_CROP_PX, side) for side in sides]


def whole_frame(
    looked: Sequence[FolderContents], defects: Sequence[str]
) -> dict[str, Any]:
    """The `regions`, `classify` and `detect_anomalies` of a line that is looked at as a whole."""
    sizes = np.array([(one.facts.width_px, one.facts.height_px) for one in looked])
    size = crop_size(*np.median(sizes, axis=0))
    part = {"size_px": size, "whole_frame": True, "shows": list(defects)}
    return {"regions": {"part": part}, "classify": "part", "detect_anomalies": "part"}


def boxed_regions(
    regions: Mapping[str, str], boxes: Boxes, defects: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The same for boxed regions: `regions` and `defects` are canonical names of categories.

    A region shows the defects whose boxes lie in it; a defect that is never boxed is shown by the
    region that shows least. The region that shows most is classified; anomalies are sought in the
    one that shows the defects never boxed, or in the same.
    """
    shows: dict[str, list[str]] = {}
    for category, name in regions.items():
        inside = shown_in(
            category, [raw for one in defects.values() for raw in one], boxes
        )
        shows[name] = [
            defect for defect, raw in defects.items() if set(raw) & set(inside)
        ]
    unboxed = [d for d in defects if not any(d in shown for shown in shows.values())]
    least = min(shows, key=lambda name: len(shows[name]))
    shows[least] += unboxed
    most = max(shows, key=lambda name: len(shows[name]))
    content = {
        name: {
            "size_px": _median_crop(category, boxes),
            "margin_fraction": MARGIN_FRACTION,
            "shows": shows[name],
            **({} if category == name else {"aliases": [category]}),
        }
        for category, name in regions.items()
    }
    placed = {
        "regions": content,
        "classify": most,
        "detect_anomalies": least if unboxed else most,
    }
    turned = orientation(list(regions), boxes)
    return placed | ({"orient": [regions[one] for one in turned]} if turned else {})


def orientation(regions: Sequence[str], boxes: Boxes) -> tuple[str, str] | None:
    """Two regions of which the second lies now right, now left of the first, or None."""
    if len(regions) < 2:
        return None
    first, second = sorted(regions)[:2]
    is_right = []
    for view in boxes.annotations.boxes.values():
        at = {box.category: box.box.x_px + box.box.width_px / 2 for box in view}
        if first in at and second in at:
            is_right.append(at[second] > at[first])
    share = float(np.mean(is_right)) if is_right else 0.0
    return (first, second) if TURNED_SHARE < share < 1 - TURNED_SHARE else None


def _judged(pixels: np.ndarray, facts: ImageFacts, bits: int) -> FolderContents:
    """What uint8 pixels (H, W, 3) RGB look like: a mask is all black and white, or nearly so."""
    spread = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    grey = pixels[..., 0]
    is_mask = len(np.unique(grey)) <= MASK_LEVELS or _is_two_levels(grey)
    return FolderContents(
        facts, is_mask, bool(spread.mean() > COLOUR_LEVELS), bool(grey.any()), bits
    )


def _is_two_levels(grey: np.ndarray) -> bool:
    """Whether pixels (H, W) uint8 are black and white but for the rings of JPEG at their edge.

    A photograph of a part before a bright screen, or in the dark, has a grey part or grey noise.
    """
    black, white = (grey <= NEAR_END).sum(), (grey >= 255 - NEAR_END).sum()
    between = grey.size - black - white
    return bool(
        between < min(MASK_REST * grey.size, RING_SHARE * max(1, min(black, white)))
    )


def _decoded(content: bytes) -> tuple[np.ndarray, int]:
    """RGB pixels of a 16-bit image over as few bits as hold it, and how many these are."""
    *fewer, most = CAMERA_BITS
    for bits in fewer:
        try:
            return decode(content, channels=3, bit_depth=bits), bits
        except ImageError as error:
            if error.code != "too_bright":
                raise
    return decode(content, channels=3, bit_depth=most), most


def _median_crop(category: str, boxes: Boxes) -> list[int]:
    sizes = np.array(
        [(box.width_px, box.height_px) for box in boxes_of(category, boxes)]
    )
    return crop_size(*np.median(sizes, axis=0), least_px=MIN_REGION_PX)
