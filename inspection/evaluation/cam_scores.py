"""How true a heatmap is: does it point at the labelled defect, and at nothing else?"""

from typing import Any

import cv2
import numpy as np
import pandas as pd

from inspection.geometry import Floats, Image
from inspection.runtime.heat import scaled

# Cells of 4 px by which a peak may miss a labelled defect: 8 px, about the width by which
# people draw its box too tight. Zhang et al. 2018 allow 15 px of photographs twice as wide.
POINTING_TOLERANCE_CELLS = 2
# Share of the crop's height and width that counts as its edge, on each side: as far as
# the margin of a region reaches, which shows what holds the part, never the part.
EDGE_FRACTION = 0.06
# Heat on the absolute scale that is tried as the limit of a box: below 0.1 lies the
# warmth of normal parts, above 0.8 little of any defect.
BOX_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
# Share of normal crops whose peak counts as cold: one in twenty may look warm, as one in
# twenty normal parts may be rejected by a detector of `false_reject_rate` 0.05.
COLD_QUANTILE = 0.95
# Target cells (0..255) that belong to the defect: covered by half or more.
HALF_COVERED = 128
# Raw heat by which hot lies above cold where there was neither, so that the scale has a range.
MIN_RANGE = 1e-6


def measures(heat: Floats, target: Image) -> dict[str, float]:
    """Measures of one raw heatmap (h, w) against where the defect is (h, w), 0..255.

    `pointing` is 1 when the hottest cell lies on the defect, give or take two cells (pointing
    game, Zhang et al. 2018); `energy` the share of the heat on the defect; `edge` the share of the
    heat on the crop's outer 6 % that is not on the defect. A heatmap without any heat points
    nowhere.
    """
    total = float(heat.sum())
    if total <= 0:
        return {"pointing": 0.0, "energy": 0.0, "edge": 0.0}

    reach = 2 * POINTING_TOLERANCE_CELLS + 1
    near_defect = cv2.dilate(target, np.ones((reach, reach), np.uint8)) > 0
    hottest = np.unravel_index(int(heat.argmax()), heat.shape)

    share_covered = target.astype(np.float32) / 255.0
    on_defect = float((heat * share_covered).sum())
    on_edge = float((heat * _edge(heat.shape) * ~near_defect).sum())
    return {
        "pointing": float(near_defect[hottest]),
        "energy": on_defect / total,
        "edge": on_edge / total,
    }


def overlap(heat: Floats, target: Image, threshold: float) -> float:
    """IoU, 0..1, of the boxes around the heat from `threshold` on and the labelled defect's box."""
    hot = _filled_boxes(heat >= threshold)
    wanted = _filled_boxes(target >= HALF_COVERED)
    union = np.logical_or(hot, wanted).sum()
    common = np.logical_and(hot, wanted).sum()
    return float(common / union) if union else 0.0


def absolute_scale(normal_peaks: Any, defect_peaks: Any) -> tuple[float, float]:
    """Raw heat that counts as cold (95 % of normal crops peak below it) and as hot.

    Hot is the median peak of truly predicted defects, or twice cold where that is not above it.
    """
    cold = float(np.quantile(normal_peaks, COLD_QUANTILE)) if len(normal_peaks) else 0.0
    hot = float(np.median(defect_peaks)) if len(defect_peaks) else 0.0
    if hot <= cold:
        hot = 2 * cold + MIN_RANGE
    return cold, hot


def best_threshold(
    heats: Floats, targets: Image, cold: float, hot: float
) -> tuple[float, float]:
    """The box threshold of the highest mean IoU over (N, h, w) heatmaps, and that IoU."""
    scores = {}
    for threshold in BOX_THRESHOLDS:
        overlaps = [
            overlap(scaled(heat, cold, hot), target, threshold)
            for heat, target in zip(heats, targets, strict=True)
        ]
        scores[threshold] = float(np.mean(overlaps))

    best = max(scores, key=lambda threshold: scores[threshold])
    return best, scores[best]


def score(heats: Floats, targets: Image, normal_peaks: Any) -> dict[str, float]:
    """All measures of a recipe over (N, h, w) raw heatmaps of truly predicted defects.

    `score` ranks recipes: the mean of pointing, energy and IoU, less the energy on the edge.
    """
    rows = pd.DataFrame(
        [measures(heat, target) for heat, target in zip(heats, targets, strict=True)]
    )
    means = {str(name): float(value) for name, value in rows.mean().items()}

    cold, hot = absolute_scale(normal_peaks, heats.max(axis=(1, 2)))
    threshold, iou = best_threshold(heats, targets, cold, hot)
    total = (means["pointing"] + means["energy"] + iou) / 3 - means["edge"]
    return {
        **means,
        "iou": iou,
        "score": total,
        "cold": cold,
        "hot": hot,
        "box_threshold": threshold,
    }


def _edge(shape: tuple[int, ...]) -> Any:
    height, width = shape
    margin_y = max(1, round(EDGE_FRACTION * height))
    margin_x = max(1, round(EDGE_FRACTION * width))
    edge = np.ones(shape, bool)
    edge[margin_y:-margin_y, margin_x:-margin_x] = False
    return edge


def _filled_boxes(mask: Any) -> Any:
    """Each connected area of a boolean mask, filled out to its bounding box."""
    filled = np.zeros(mask.shape, bool)
    areas = np.asarray(mask, np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(areas)
    for area in range(1, count):
        x, y, width, height = (int(value) for value in stats[area][:4])
        filled[y : y + height, x : x + width] = True
    return filled
