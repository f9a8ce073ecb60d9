"""What a view looks like, in numbers: texture in cells, in windows that are alike for a camera.

A cell is a few pixels wide; small defects fill some of them, and the grain averages out within.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import pandas as pd

from inspection.boxes import parse_boxes
from inspection.geometry import Box
from inspection.line import Line

# side of a cell of texture: small defects fill some cells, grain averages out within one
CELL_PX = 8
# side, in cells, of the places whose mean texture is kept: few enough features for some hundred
# views
CELLS_A_PLACE = 4
# long side at which a window is measured: a defect of 2 % of it fills a cell
LONG_SIDE_PX = 320
# quantiles over the cells of a window, dense at the bright end where a defect of few cells stands
RANKS = (0.0, 0.01, 0.1, 0.25, 0.75, 0.9, 0.97, 0.985, 1.0)
# margin around a region's median box, as a fraction of it: parts do not lie to the pixel
MARGIN_FRACTION = 0.08
# scale of a 3 x 3 Sobel filter that makes its result a slope in grey levels a pixel
SOBEL_SCALE = 0.125
Window = tuple[int, int, int, int]


def windows(table: pd.DataFrame, line: Line) -> dict[str, list[Window]]:
    """What is measured, by camera: the median box of each boxed region, or the whole frame.

    The median and not the view's own box, which only some classes have: how a crop is framed must
    not tell the label. Every camera has as many windows, also one whose boxes are of some regions
    only: there the whole frame is measured. A window is (left, top, right, bottom) in frame px.
    """
    boxes = _boxes_by_camera(table)
    boxed = [name for name in line.regions if any(name == key[1] for key in boxes)]

    found: dict[str, list[Window]] = {}
    for camera, frames in table.groupby("camera"):
        size_px = (int(frames["width_px"].median()), int(frames["height_px"].median()))
        of_regions = [boxes.get((str(camera), name), []) for name in boxed] or [[]]
        found[str(camera)] = [_window(some, size_px) for some in of_regions]
    return found


def fitted_sizes(windows: Mapping[str, Sequence[Window]]) -> list[tuple[int, int]]:
    """The size (width, height) in pixels at which each window is measured, in all cameras.

    Its long side is LONG_SIDE_PX, its shape the median of theirs, in whole places.
    """
    edges = np.array(list(windows.values()), float)
    sides = np.median(edges[..., 2:] - edges[..., :2], axis=0)
    return [_fitted(width, height) for width, height in sides]


def texture_features(
    pixels: np.ndarray,
    windows: Sequence[Window],
    sizes_px: Sequence[tuple[int, int]],
) -> np.ndarray:
    """Features (D,) of the windows of a grey frame (H, W): texture in place, and its extremes."""
    features = [
        _window_features(pixels, window, size_px)
        for window, size_px in zip(windows, sizes_px, strict=True)
    ]
    return np.concatenate(features)


def _boxes_by_camera(table: pd.DataFrame) -> dict[tuple[str, str], list[Box]]:
    """All boxes of a table by camera and category."""
    boxes: dict[tuple[str, str], list[Box]] = {}
    for camera, cell in zip(table["camera"], table["boxes"], strict=True):
        for one in parse_boxes(cell):
            boxes.setdefault((str(camera), one.category), []).append(one.box)
    return boxes


def _window(boxes: Sequence[Box], size_px: tuple[int, int]) -> Window:
    """The median of boxes with a margin, within the frame; the whole frame without boxes."""
    if not boxes:
        return (0, 0, *size_px)

    numbers = [(box.x_px, box.y_px, box.width_px, box.height_px) for box in boxes]
    median = Box(*(float(value) for value in np.median(numbers, axis=0)))
    within = median.grown(MARGIN_FRACTION)
    return (
        max(0, round(within.x_px)),
        max(0, round(within.y_px)),
        min(size_px[0], round(within.right_px)),
        min(size_px[1], round(within.bottom_px)),
    )


def _window_features(
    pixels: np.ndarray,
    window: Window,
    size_px: tuple[int, int],
) -> np.ndarray:
    left, top, right, bottom = window
    part = pixels[top:bottom, left:right]
    cells = np.log1p(_cells(part if part.size else pixels, size_px))

    n_places = (cells.shape[1] // CELLS_A_PLACE, cells.shape[0] // CELLS_A_PLACE)
    places = cv2.resize(cells, n_places, interpolation=cv2.INTER_AREA)

    # against the median of its row: a turned part is the same along a row but for a defect
    odd = cells - np.median(
        cells,
        axis=1,
        keepdims=True,
    )
    extremes = np.quantile(odd.reshape(-1, cells.shape[2]), RANKS, axis=0)
    usual = np.median(cells, axis=(0, 1))
    return np.concatenate([places.ravel(), usual, extremes.ravel()])


def _fitted(width_px: float, height_px: float) -> tuple[int, int]:
    """Width and height in pixels with the long side LONG_SIDE_PX, in whole places."""
    scale = LONG_SIDE_PX / max(width_px, height_px, 1)
    return _whole_places(width_px * scale), _whole_places(height_px * scale)


def _whole_places(length_px: float) -> int:
    step = CELL_PX * CELLS_A_PLACE
    return max(step, round(length_px / step) * step)


def _cells(part: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Mean of each texture channel per cell (rows, columns, channels).

    Brightness, the strength of edges in four directions, and how grainy it is.
    """
    fitted = cv2.resize(part, size_px, interpolation=cv2.INTER_AREA).astype(np.float32)
    across = cv2.Sobel(
        fitted,
        cv2.CV_32F,
        1,
        0,
        scale=SOBEL_SCALE,
    )
    down = cv2.Sobel(
        fitted,
        cv2.CV_32F,
        0,
        1,
        scale=SOBEL_SCALE,
    )
    grain = cv2.Laplacian(fitted, cv2.CV_32F)
    edges = (across, down, across + down, across - down)
    channels = [fitted, *(np.abs(one) for one in (*edges, grain))]

    n_cells = (size_px[0] // CELL_PX, size_px[1] // CELL_PX)
    small = [cv2.resize(one, n_cells, interpolation=cv2.INTER_AREA) for one in channels]
    return np.stack(small, axis=-1)
