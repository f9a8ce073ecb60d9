"""What to crop: the whole frame, or the regions that boxes mark, and at what size."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inspection.adoption.boxes import Boxes
from inspection.adoption.pictures import Picture, sizes_px
from inspection.geometry import Box

# A network that halves five times sees nothing of the rest of a side that 32 does not divide. The
# long side goes up to the next step, so that no detail of the original is lost below the largest.
STEP_PX = 32
MIN_CROP_PX = 2 * STEP_PX
# The long side of a crop, unless marked defects are too small in it: small enough to train on a CPU
# in minutes.
MAX_CROP_PX = 8 * STEP_PX
# The same of a whole frame where nothing marks the defects: as fine a crack as is in it has to be
# found by the label alone. On drawn solar cells of 300 px, 320 px instead of 256 brought the AUROC
# out of fold from 0.927 to 0.940; on the magnetic tiles, which have masks, half as much again
# brought nothing.
MAX_UNMARKED_PX = 10 * STEP_PX
# What the smallest tenth of the marked defects should measure in a crop: the root of their area, in
# crop pixels. On the magnetic tiles it is 6.7 px at 256 px, and larger crops brought nothing.
MIN_DEFECT_PX = 6
SMALL_DEFECTS = 0.1
# To that end a crop may grow to this area, four times that of a square of 256 px: a photograph then
# takes four times as long, some 0.3 s on a slow core.
MAX_CROP_AREA_PX = (2 * MAX_CROP_PX) ** 2
# ... and the crops of all images together to this one, so that training ends in half an hour.
MAX_TOTAL_AREA_PX = 1024 * MAX_CROP_AREA_PX
# Smaller originals are enlarged to this long side: a whole frame to that of ImageNet's networks,
MIN_FRAME_PX = 7 * STEP_PX
# a region, which shows less, to about half of it.
MIN_REGION_PX = 4 * STEP_PX
# Each side of a region's box grows by this share of it: located boxes are a few pixels off.
MARGIN_FRACTION = 0.05
# Parts lie both ways where more than this share lies the other way: fewer are slips of the labels.
TURNED_SHARE = 0.05


def crop_size(
    width_px: float,
    height_px: float,
    *,
    least_px: int = MIN_FRAME_PX,
    most_px: int = MAX_CROP_PX,
) -> list[int]:
    """Width and height of a crop of this aspect in steps of 32 px.

    Its long side is that of the original, to the next step above, between `least_px` and `most_px`.

    >>> crop_size(616, 514), crop_size(1000, 100), crop_size(200, 200)
    ([256, 224], [256, 64], [224, 224])
    """
    longest = max(width_px, height_px)
    above = STEP_PX * math.ceil(longest / STEP_PX)
    wanted = min(most_px, max(least_px, above))
    scale = wanted / longest
    return [_in_steps(width_px * scale), _in_steps(height_px * scale)]


def _in_steps(side_px: float) -> int:
    n_steps = round(side_px / STEP_PX)
    return max(MIN_CROP_PX, n_steps * STEP_PX)


def small_defect_px(areas_px: Sequence[float]) -> float | None:
    """What the smallest tenth of marked defects measures, the root of its area, in frame pixels.

    None where nothing is marked.
    """
    if not areas_px:
        return None
    return float(np.quantile(areas_px, SMALL_DEFECTS)) ** 0.5


def longest_side_px(
    width_px: float, height_px: float, defect_px: float, n_images: int
) -> int:
    """The longest side of a crop in which a defect of this size, in frame pixels, is large enough.

    As long as that, in steps of 32 px, but no larger than the time allows, and never below 256 px.

    >>> longest_side_px(1024, 1024, 40, 500), longest_side_px(1024, 1024, 15, 500)
    (256, 416)
    >>> longest_side_px(1600, 256, 15, 12000), longest_side_px(4096, 256, 15, 500)
    (352, 1664)
    """
    longest, shortest = max(width_px, height_px), min(width_px, height_px)
    wanted = longest * MIN_DEFECT_PX / defect_px
    area_px = min(MAX_CROP_AREA_PX, MAX_TOTAL_AREA_PX / n_images)
    affordable = math.sqrt(area_px * longest / shortest)
    n_steps = min(math.ceil(wanted / STEP_PX), math.floor(affordable / STEP_PX))
    return max(MAX_CROP_PX, n_steps * STEP_PX)


def whole_frame(
    pictures: Sequence[Picture],
    defects: Sequence[str],
    *,
    defect_px: float | None,
    n_images: int,
) -> dict[str, Any]:
    """The `regions`, `classify` and `detect_anomalies` of a line that is seen as a whole.

    `defect_px` is the size of its smaller defects in the frame, None where no place is marked.
    """
    width_px, height_px = np.median(sizes_px(pictures), axis=0)
    most_px = MAX_UNMARKED_PX
    if defect_px is not None:
        most_px = longest_side_px(width_px, height_px, defect_px, n_images)
    size = crop_size(width_px, height_px, most_px=most_px)
    part = {"size_px": size, "whole_frame": True, "shows": list(defects)}
    return {"regions": {"part": part}, "classify": "part", "detect_anomalies": "part"}


def boxed_regions(
    regions: Mapping[str, str], boxes: Boxes, defects: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The same for boxed regions: `regions` are canonical names by category, `defects` categories
    by canonical name.

    A region shows the defects whose boxes lie in it; a defect that is never boxed is shown by the
    region that shows least. The region that shows most is classified; anomalies are sought in all,
    since a defect that nobody has shown may be in any.
    """
    shows = {
        name: _shown_in(category, boxes, defects) for category, name in regions.items()
    }
    boxed = {one for shown in shows.values() for one in shown}
    unboxed = [one for one in defects if one not in boxed]

    least = min(shows, key=lambda name: len(shows[name]))
    shows[least] += unboxed
    most = max(shows, key=lambda name: len(shows[name]))
    placed: dict[str, Any] = {
        "regions": {
            name: _region(category, name, shows[name], boxes)
            for category, name in regions.items()
        },
        "classify": most,
        "detect_anomalies": list(regions.values()),
    }

    turned = orientation(list(regions), boxes)
    if turned:
        placed["orient"] = [regions[category] for category in turned]
    return placed


def _shown_in(
    region: str, boxes: Boxes, defects: Mapping[str, Sequence[str]]
) -> list[str]:
    """The defects whose boxes lie in a region."""
    return [name for name, raw in defects.items() if _lie_in(region, raw, boxes)]


def _region(category: str, name: str, shows: list[str], boxes: Boxes) -> dict[str, Any]:
    """The entry of a region; its crop is about as large as its boxes are."""
    sizes = [(box.width_px, box.height_px) for box in boxes.of(category)]
    width_px, height_px = np.median(sizes, axis=0)
    region: dict[str, Any] = {
        "size_px": crop_size(width_px, height_px, least_px=MIN_REGION_PX),
        "margin_fraction": MARGIN_FRACTION,
        "shows": shows,
    }
    if category != name:
        region["aliases"] = [category]
    return region


def orientation(regions: Sequence[str], boxes: Boxes) -> tuple[str, str] | None:
    """Two regions of which the second lies now right, now left of the first, or None."""
    if len(regions) < 2:
        return None

    first, second = sorted(regions)[:2]
    is_right = []
    for view in boxes.annotations.boxes.values():
        x_of = {one.category: _centre(one.box)[0] for one in view}
        if first in x_of and second in x_of:
            is_right.append(x_of[second] > x_of[first])

    share = float(np.mean(is_right)) if is_right else 0.0
    lie_both_ways = TURNED_SHARE < share < 1 - TURNED_SHARE
    return (first, second) if lie_both_ways else None


def _lie_in(region: str, categories: Sequence[str], boxes: Boxes) -> bool:
    """Whether most boxes of these categories lie where the boxes of the region usually lie."""
    centres = [_centre(box) for name in categories for box in boxes.of(name)]
    if not centres:
        return False

    # usually: the median, for some boxes of a region are cut off or of something else
    starts = [(box.x_px, box.y_px) for box in boxes.of(region)]
    ends = [(box.right_px, box.bottom_px) for box in boxes.of(region)]
    usual_start = np.median(starts, axis=0)
    usual_end = np.median(ends, axis=0)

    is_after = np.array(centres) > usual_start
    is_before = np.array(centres) < usual_end
    is_inside = (is_after & is_before).all(axis=1)
    return bool(is_inside.mean() > 0.5)


def _centre(box: Box) -> tuple[float, float]:
    x_px = box.x_px + box.width_px / 2
    y_px = box.y_px + box.height_px / 2
    return x_px, y_px
