"""How true a heatmap is: does it point at the labelled defect, and at nothing else?"""

from typing import Any

import cv2
import numpy as np
import pandas as pd

from inspection.geometry import Floats, Image
from inspection.runtime.heat import scaled

POINTING_TOLERANCE_CELLS = 2
EDGE_FRACTION = 0.06
BOX_THRESHOLDS = tuple(round(0.1 * step, 1) for step in range(1, 9))
COLD_QUANTILE = 0.95


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
    wide = cv2.dilate(
        target, np.ones((2 * POINTING_TOLERANCE_CELLS + 1,) * 2, np.uint8)
    )
    hottest = np.unravel_index(int(heat.argmax()), heat.shape)
    on_defect = target.astype(np.float32) / 255.0
    off_edge = float((heat * _edge(heat.shape) * (wide == 0)).sum())
    return {
        "pointing": float(wide[hottest] > 0),
        "energy": float((heat * on_defect).sum()) / total,
        "edge": off_edge / total,
    }


def overlap(heat: Floats, target: Image, threshold: float) -> float:
    """IoU, 0..1, of the boxes around the heat from `threshold` on and the labelled defect's box."""
    hot, wanted = _filled_boxes(heat >= threshold), _filled_boxes(target >= 128)
    union = np.logical_or(hot, wanted).sum()
    return float(np.logical_and(hot, wanted).sum() / union) if union else 0.0


def absolute_scale(normal_peaks: Any, defect_peaks: Any) -> tuple[float, float]:
    """Raw heat that counts as cold (95 % of normal crops peak below it) and as hot.

    Hot is the median peak of truly predicted defects, or twice cold where that is not above it.
    """
    cold = float(np.quantile(normal_peaks, COLD_QUANTILE)) if len(normal_peaks) else 0.0
    hot = float(np.median(defect_peaks)) if len(defect_peaks) else 0.0
    return cold, hot if hot > cold else 2 * cold + 1e-6


def best_threshold(
    heats: Floats, targets: Image, cold: float, hot: float
) -> tuple[float, float]:
    """The box threshold of the highest mean IoU over (N, h, w) heatmaps, and that IoU."""
    scores = {
        threshold: float(
            np.mean(
                [
                    overlap(scaled(heat, cold, hot), target, threshold)
                    for heat, target in zip(heats, targets, strict=True)
                ]
            )
        )
        for threshold in BOX_THRESHOLDS
    }
    best = max(scores, key=lambda threshold: scores[threshold])
    return best, scores[best]


def score(heats: Floats, targets: Image, normal_peaks: Any) -> dict[str, float]:
    """All measures of a recipe over (N, h, w) raw heatmaps of truly predicted defects.

    `score` ranks recipes: the mean of pointing, energy and IoU, less the energy on the edge.
    """
    rows = pd.DataFrame([measures(h, t) for h, t in zip(heats, targets, strict=True)])
    cold, hot = absolute_scale(normal_peaks, heats.max(axis=(1, 2)))
    threshold, iou = best_threshold(heats, targets, cold, hot)
    means = {name: float(rows[name].mean()) for name in ("pointing", "energy", "edge")}
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
    margin_y, margin_x = (
        max(1, round(EDGE_FRACTION * length)) for length in (height, width)
    )
    edge = np.ones(shape, bool)
    edge[margin_y:-margin_y, margin_x:-margin_x] = False
    return edge


def _filled_boxes(mask: Any) -> Any:
    """Each connected area of a boolean mask, filled out to its bounding box."""
    filled = np.zeros(mask.shape, bool)
    count, _, stats, _ = cv2.connectedComponentsWithStats(np.asarray(mask, np.uint8))
    for area in range(1, count):
        x, y, width, height = (int(value) for value in stats[area][:4])
        filled[y : y + height, x : x + width] = True
    return filled
