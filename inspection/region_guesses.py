"""What to crop, guessed: the whole frame or boxed regions, at what size, in grey or colour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inspection.images import ImageFacts
from inspection.label_guesses import Boxes, boxes_of, shown_in

STEP_PX = 32
LEAST_CROP_PX = 64
MOST_CROP_PX = 256
LEAST_REGION_PX = 128
MASK_LEVELS = 4
MASK_SHARE = 0.95
DARK_PEAK = 64
COLOUR_LEVELS = 6.0
COLOURED_SHARE = 0.1
MARGIN_FRACTION = 0.05
TURNED_SHARE = 0.05


@dataclass(frozen=True)
class Looked:
    """One image that was decoded: its facts, and what its pixels are like.

    `is_mask`: all black and white; `is_coloured`: its channels differ; `is_marked`: not all black;
    `peak`: the brightest value 0..255 of any pixel.
    """

    facts: ImageFacts
    is_mask: bool
    is_coloured: bool
    is_marked: bool = True
    peak: int = 255


def look(pixels: np.ndarray, facts: ImageFacts) -> Looked:
    """Judge one image, uint8 (H, W, 3) RGB: a mask is all black and white, or nearly so."""
    spread = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    grey = pixels[..., 0]
    peak = int(pixels.max())
    dark = facts.bit_depth > 8 and peak < DARK_PEAK
    ends = (grey < 8) | (grey > 247)
    is_mask = len(np.unique(grey)) <= MASK_LEVELS or bool(ends.mean() > MASK_SHARE and not dark)
    return Looked(facts, is_mask, bool(spread.mean() > COLOUR_LEVELS), bool(grey.any()), peak)


def dark_by(looked: Sequence[Looked]) -> int:
    """How often the range that 16-bit images use goes into 16 bits, a power of 2; 1 where it fills.

    A camera of 12 bits that writes files of 16 leaves them nearly black: 16.
    """
    peaks = [one.peak for one in looked if one.facts.bit_depth > 8]
    if not peaks or max(peaks) >= DARK_PEAK:
        return 1
    return 256 >> max(1, max(peaks).bit_length())


def has_colour(looked: Sequence[Looked]) -> bool:
    """True when more than a few images differ between their channels."""
    return float(np.mean([one.is_coloured for one in looked])) > COLOURED_SHARE


def crop_size(width_px: float, height_px: float, *, least_px: int = 224) -> list[int]:
    """Width and height of a crop of this aspect in steps of 32 px, no larger than 256.

    Its long side is that of the original, brought between `least_px` and 256.

    >>> crop_size(616, 514), crop_size(1000, 100), crop_size(200, 200)
    ([256, 224], [256, 64], [224, 224])
    """
    longest = max(width_px, height_px)
    scale = min(MOST_CROP_PX, max(least_px, longest)) / longest
    sides = (round(side * scale / STEP_PX) * STEP_PX for side in (width_px, height_px))
    return [max(LEAST_CROP_PX, side) for side in sides]


def whole_frame(looked: Sequence[Looked], defects: Sequence[str]) -> dict[str, Any]:
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
        inside = shown_in(category, [raw for one in defects.values() for raw in one], boxes)
        shows[name] = [defect for defect, raw in defects.items() if set(raw) & set(inside)]
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
    placed = {"regions": content, "classify": most, "detect_anomalies": least if unboxed else most}
    turned = orientation(list(regions), boxes)
    return placed | ({"orient": [regions[one] for one in turned]} if turned else {})


def orientation(regions: Sequence[str], boxes: Boxes) -> tuple[str, str] | None:
    """Two regions of which the second lies now right, now left of the first, or None."""
    if len(regions) < 2:
        return None
    first, second = sorted(regions)[:2]
    is_right = []
    for view in boxes.annotations.boxes.values():
        at = {box.category: box.x_px + box.width_px / 2 for box in view}
        if first in at and second in at:
            is_right.append(at[second] > at[first])
    share = float(np.mean(is_right)) if is_right else 0.0
    return (first, second) if TURNED_SHARE < share < 1 - TURNED_SHARE else None


def _median_crop(category: str, boxes: Boxes) -> list[int]:
    sizes = np.array([(box.width_px, box.height_px) for box in boxes_of(category, boxes)])
    return crop_size(*np.median(sizes, axis=0), least_px=LEAST_REGION_PX)
