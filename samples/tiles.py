"""Tiles of the contact sheet: a frame or a part of it, brought to one size, and text on it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# (H, W) grey or (H, W, 3) BGR
Picture = NDArray[np.uint8]
# (blue, green, red)
Colour = tuple[int, int, int]
# black around what is shown, on both sides together: a close-up stands free, frames do not touch
CLOSE_UP_BORDER_PX = 12
TILE_BORDER_PX = 4


def close_up(
    frame: Picture,
    region: list[int],
    defect: list[int] | None,
    size: tuple[int, int],
    colour: Colour,
) -> Picture:
    """The region, enlarged, with the defect's box in `colour` when its middle lies inside.

    `region` and `defect` are (x, y, width, height) in px of the frame, `size` is (width, height).
    """
    x, y, w, h = region
    width, height = size
    free_width = width - CLOSE_UP_BORDER_PX
    free_height = height - CLOSE_UP_BORDER_PX
    scale = min(free_width / w, free_height / h)

    crop = cv2.resize(
        frame[y : y + h, x : x + w],
        None,
        fx=scale,
        fy=scale,
        interpolation=cv2.INTER_CUBIC,
    )
    picture = _in_colour(crop)
    if defect is not None and _holds(region, defect):
        _outline(picture, defect, (x, y), scale, colour)
    return tile(picture, size)


def _in_colour(grey: np.ndarray) -> Picture:
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


def _holds(region: list[int], box: list[int]) -> bool:
    """Whether the middle of `box` lies in `region`."""
    left, top, width, height = region
    box_left, box_top, box_width, box_height = box
    x = box_left + box_width / 2
    y = box_top + box_height / 2

    is_within_columns = left < x < left + width
    is_within_rows = top < y < top + height
    return is_within_columns and is_within_rows


def _outline(
    picture: Picture,
    defect: list[int],
    origin: tuple[int, int],
    scale: float,
    colour: Colour,
) -> None:
    """Draw the box around the defect into a crop that begins at `origin` of the frame."""
    left, top, defect_width, defect_height = defect
    right = left + defect_width
    bottom = top + defect_height
    corners = np.array([[left, top], [right, bottom]]) - origin

    # around the defect, not on it
    outwards = [[-2, -2], [2, 2]]
    around = corners * scale + outwards

    height, width = picture.shape[:2]
    limits = (width - 1, height - 1)
    low, high = np.clip(around, 0, limits).astype(int).tolist()
    cv2.rectangle(picture, low, high, colour, 1, cv2.LINE_8)


def tile(picture: Picture, size: tuple[int, int]) -> Picture:
    """`picture` in the middle of a black tile of `size` (width, height), shrunk to fit."""
    width, height = size
    fitting = _shrunk(picture, width - TILE_BORDER_PX, height - TILE_BORDER_PX)
    if fitting.ndim == 2:
        fitting = _in_colour(fitting)

    n_rows, n_columns = fitting.shape[:2]
    top = (height - n_rows) // 2
    left = (width - n_columns) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + n_rows, left : left + n_columns] = fitting
    return canvas


def _shrunk(picture: Picture, max_width: int, max_height: int) -> Picture:
    """`picture` no larger than that; never enlarged."""
    n_rows, n_columns = picture.shape[:2]
    scale = min(1.0, max_width / n_columns, max_height / n_rows)
    if scale == 1.0:
        return picture

    smaller = cv2.resize(
        picture,
        None,
        fx=scale,
        fy=scale,
        interpolation=cv2.INTER_AREA,
    )
    return np.asarray(smaller, np.uint8)


def write(
    cell: Picture,
    text: str,
    at: tuple[int, int],
    size: float,
    colour: Colour,
) -> None:
    """Write `text`, whose baseline begins `at` (x, y); `size` is a factor of the font's own."""
    cv2.putText(
        cell,
        text,
        at,
        cv2.FONT_HERSHEY_SIMPLEX,
        size,
        colour,
        1,
        cv2.LINE_AA,
    )
