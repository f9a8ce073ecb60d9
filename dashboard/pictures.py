"""Pictures that several pages show: a frame with its boxes, the scale of heat."""

from collections.abc import Collection
from functools import cache
from typing import Any

import cv2
import numpy as np
import simplejpeg

from inspection.boxes import parse_boxes
from inspection.geometry import Box, Floats, Image
from inspection.images import decode
from inspection.runtime.bundle import Card
from inspection.runtime.heat import overlay
from inspection.runtime.verdict import ViewVerdict

# Red, green and blue; they can be told apart on bright metal and on black.
GREEN = (0, 200, 83)
BLUE = (66, 165, 245)
ORANGE = (255, 109, 0)
GREY = (140, 140, 140)
# What boxes mean, and how Streamlit's texts call the colour that they are drawn in.
DEFECT, REGION, FOUND, CROP = (
    "labelled defect",
    "labelled region",
    "found defect",
    "crops",
)
KINDS = {DEFECT: "green", REGION: "blue", FOUND: "orange", CROP: "gray"}
# Grey level beneath the scale of heat: about that of metal in a dark field.
MID_GREY = 90
# Lines are one pixel per so many of the frame's longer side: they stay visible when the
# frame is shrunk to a column of the page.
FRAME_PX_PER_LINE_PX = 400
# no outcome: a column for each step of an 8-bit colour, and rows enough to see them
SCALE_WIDTH_PX, SCALE_HEIGHT_PX = 256, 12
# What is sent to the browser: wider than a frame's column on a large screen is never shown, and at
# this quality no artefact can be told from grain. Streamlit's own 100 takes three times the bytes.
MAX_SENT_PX, QUALITY = 1400, 90


def marked_frame(
    frame: Image,
    labelled: str,
    verdict: ViewVerdict,
    card: Card,
    kinds: Collection[str] = tuple(KINDS),
) -> Image:
    """The frame (H, W) or (H, W, 3) as RGB with its boxes of these kinds, in frame pixels.

    Green: a labelled defect; blue: a labelled region; orange: a predicted defect; grey: where the
    crops were cut. `labelled` is the manifest's JSON list of boxes.
    """
    picture = rgb(frame).copy()
    longer_side = max(frame.shape[:2])
    thickness = max(1, round(longer_side / FRAME_PX_PER_LINE_PX))

    windows = verdict.windows.values() if CROP in kinds else ()
    for window in windows:
        box = Box(
            window.x_px,
            window.y_px,
            window.width_px,
            window.height_px,
        )
        draw_box(picture, box, GREY, thickness=1)

    for one in parse_boxes(labelled):
        is_region = one.category in card.line.regions
        colour = BLUE if is_region else GREEN
        if (REGION if is_region else DEFECT) in kinds:
            draw_box(picture, one.box, colour, thickness)

    boxes = verdict.boxes if FOUND in kinds else ()
    for found in boxes:
        draw_box(picture, found.box, ORANGE, thickness)
    return picture


def frame_of(content: bytes, card: Card) -> Image:
    """The frame (H, W, C) of a file, read as the card's line reads its frames."""
    line = card.line
    return decode(content, channels=line.channels, bit_depth=line.bit_depth)


def crop_and_heat(crop: Image, heat: Floats) -> Image:
    """A crop (H, W, C) as RGB, beside it the same with its heat (h, w) laid over it."""
    plain = rgb(crop)
    heated = overlay(crop, heat)
    return beside(plain, heated)


def jpeg(picture: Image, max_width_px: int = MAX_SENT_PX) -> bytes:
    """A picture (H, W, 3) as JPEG, shrunk where it is wider than what will be shown of it."""
    height_px, width_px = picture.shape[:2]
    if width_px > max_width_px:
        shrunk_height_px = round(height_px * max_width_px / width_px)
        # of a very wide picture one row at least is left
        size_px = (max_width_px, max(1, shrunk_height_px))
        shrunk = cv2.resize(picture, size_px, interpolation=cv2.INTER_AREA)
        picture = np.asarray(shrunk, np.uint8)

    content: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(picture),
        quality=QUALITY,
        colorspace="RGB",
    )
    return content


def rgb(picture: Image) -> Image:
    """A picture (H, W) or (H, W, 1 or 3) as (H, W, 3)."""
    planes = picture if picture.ndim == 3 else picture[:, :, None]
    if planes.shape[2] == 1:
        return np.repeat(planes, 3, axis=2)
    return planes


def beside(first: Image, second: Image) -> Image:
    """Two pictures of one size, wide ones above each other, tall ones side by side."""
    height_px, width_px = first.shape[:2]
    is_wide = width_px > height_px
    stack = np.vstack if is_wide else np.hstack
    both: Image = stack([first, second])
    return both


@cache
def heat_scale(
    width_px: int = SCALE_WIDTH_PX,
    height_px: int = SCALE_HEIGHT_PX,
) -> Image:
    """The colours of heat from 0 on the left to 1 on the right, over a mid-grey crop."""
    grey = np.full((height_px, width_px, 1), MID_GREY, np.uint8)
    ramp = np.linspace(0, 1, width_px, dtype=np.float32)
    heat: Floats = np.tile(ramp, (height_px, 1))
    return overlay(grey, heat)


def draw_box(
    picture: Any,
    box: Box,
    colour: tuple[int, int, int],
    thickness: int,
) -> None:
    """Draw the outline of a box into a picture (H, W, 3); colour and picture are RGB."""
    left, top = round(box.x_px), round(box.y_px)
    right, bottom = round(box.right_px), round(box.bottom_px)
    corner = (left, top)
    # OpenCV draws the last row and column as well
    opposite = (right - 1, bottom - 1)
    cv2.rectangle(picture, corner, opposite, colour, thickness)
