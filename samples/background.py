"""What is not the part: the holder behind it, the room's stray light, dust.

Places and sizes of the holder are in the pixels of its canvas, of which the reference frame has
154 x 128; a `gain` is the radiance of a thing before its own factors for face, edge and socket.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from samples.defects import Floats
from samples.optics import blurred
from samples.parts import Size

# times smaller than the reference frame: what is blurred has no finer detail
SHRUNK = 4
# radiance where nothing is: a dark field is never quite black
STRAY_LIGHT = 0.004
# how much brighter or darker a row of the canvas is, standard deviation as a share
ROW_FLICKER = 0.12
# radiance that the slow part of the stray light adds where it is strongest, about
CLOUD_LIGHT = 0.010
# cv2.rectangle and cv2.circle fill what they draw when the thickness is this
FILLED = -1
# bits of a fraction of a pixel in what OpenCV draws: points are in sixteenths
FRACTION_BITS = 4
SIXTEENTHS = 2**FRACTION_BITS
# px around a fibre for its blur, whose sigma is 0.8 px at the reference size
FIBRE_MARGIN_PX = 8


def draw_background(
    rng: Generator,
    camera: str,
    size: Size,
    scale: float,
    drift: float,
) -> Floats:
    """Radiance (H, W) of the fixture, out of focus: jaws above and below, a post, a plate.

    Drawn at a quarter of the reference size and enlarged, since all of it is blurred.
    """
    canvas = _empty_canvas(size, scale)
    _draw_fixture(rng, canvas, drift)

    # the second camera looks from the other side
    turned = canvas[::-1, ::-1] if camera == "Ch01" else canvas
    canvas = blurred(np.ascontiguousarray(turned), 1.1)

    n_rows, _ = canvas.shape
    flicker = rng.standard_normal((n_rows, 1), np.float32)
    canvas *= 1 + ROW_FLICKER * flicker
    canvas += _cloud(rng, canvas.shape) * np.float32(CLOUD_LIGHT)

    enlarged = cv2.resize(canvas, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.float32)


def _empty_canvas(size: Size, scale: float) -> Floats:
    """A frame with nothing in it, of at least 2 x 2 px."""
    frame_width, frame_height = size
    width = max(2, round(frame_width / scale / SHRUNK))
    height = max(2, round(frame_height / scale / SHRUNK))
    return np.full((height, width), STRAY_LIGHT, np.float32)


def _draw_fixture(rng: Generator, canvas: Floats, drift: float) -> None:
    """Two jaws, above and below where the part lies, a post and two bolts."""
    height, _ = canvas.shape

    # the fixture is never mounted twice in one place, and sinks as the line runs
    sunk = 1.5 * (drift - 0.5)
    shift_x, shift_y = rng.normal(0, 0.7, 2) + np.array([0.0, sunk])
    gain = rng.uniform(0.7, 1.3)
    middle = height / 2 + shift_y

    # the lower jaw is the longer one, and the post is duller than both; 21 px on either side of
    # the middle leave room for a part, whose flange reaches 17 px
    above_corner = (0, 0.0)
    above_far = (34 + shift_x, middle - 21)
    _jaw(canvas, above_corner, above_far, 0.075 * gain)

    below_corner = (0, middle + 21)
    below_far = (38 + shift_x, height)
    _jaw(canvas, below_corner, below_far, 0.065 * gain)

    post_corner = (44 + shift_x, 0)
    post_far = (50 + shift_x, middle - 26)
    _jaw(canvas, post_corner, post_far, 0.03 * gain)

    # one on each jaw
    bolts_x = 13 + shift_x
    for bolt_y in (middle - 38, middle + 39):
        _bolt(canvas, (bolts_x, bolt_y), 7, 0.10 * gain)


def _jaw(
    canvas: Floats,
    corner: tuple[float, float],
    far: tuple[float, float],
    gain: float,
) -> None:
    """A block of metal: a dull face, bright edges, and the bevel along its right side."""
    left, top = (round(place) for place in corner)
    right, bottom = (round(place) for place in far)
    # the edges reflect towards the camera, and the face lies flat and does not
    face = 0.5 * gain
    edge = 4.5 * gain
    cv2.rectangle(canvas, (left, top), (right, bottom), face, FILLED)
    cv2.rectangle(canvas, (left, top), (right, bottom), edge, 1)

    bevel_x = right - 3
    bevel = 1.2 * gain
    cv2.line(canvas, (bevel_x, top), (bevel_x, bottom), bevel, 1)


def _bolt(
    canvas: Floats,
    centre: tuple[float, float],
    radius: int,
    gain: float,
) -> None:
    """A round head with a bright rim and a dark socket."""
    x, y = centre
    at = (round(x), round(y))
    head = 0.5 * gain
    rim = 3.0 * gain
    socket = 0.1 * gain
    cv2.circle(canvas, at, radius, head, FILLED)
    cv2.circle(canvas, at, radius, rim, 1)
    cv2.circle(canvas, at, radius // 2, socket, FILLED)


def _cloud(rng: Generator, shape: tuple[int, ...]) -> Floats:
    """Slow changes of stray light over the frame, about 0..1."""
    # 4 x 5 values for the whole frame: it changes slowly
    coarse = rng.uniform(0, 1, (4, 5)).astype(np.float32)
    size = shape[::-1]
    smooth = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32)


def draw_dust(rng: Generator, radiance: Floats, scale: float) -> None:
    """Add specks and fibres that lie in the light path, wherever they fall."""
    height, width = radiance.shape
    n_specks = int(rng.integers(4, 16))
    for _ in range(n_specks):
        x = rng.uniform(0, width)
        y = rng.uniform(0, height)
        sigma = rng.uniform(0.6, 1.6) * scale
        # radiance at the middle, where the brightest places of a part have about 2
        glow = rng.uniform(0.05, 0.45)
        _speck(radiance, x, y, sigma, glow)

    # none, one or two
    n_fibres = int(rng.integers(0, 3))
    for _ in range(n_fibres):
        _fibre(rng, radiance, scale)


def _speck(
    radiance: Floats,
    x: float,
    y: float,
    sigma: float,
    glow: float,
) -> None:
    """Add a round Gaussian spot of `sigma` px and peak `glow`, cut off at the frame's border."""
    # beyond three sigmas a Gaussian is a hundredth of its peak
    reach = int(np.ceil(3 * sigma))
    left = max(0, int(x) - reach)
    top = max(0, int(y) - reach)
    right = int(x) + reach + 1
    bottom = int(y) + reach + 1
    patch = radiance[top:bottom, left:right]

    n_rows, n_columns = patch.shape
    rows = np.arange(n_rows, dtype=np.float32)
    columns = np.arange(n_columns, dtype=np.float32)
    dy = (rows + top - y)[:, None]
    dx = (columns + left - x)[None]

    squared = dx * dx + dy * dy
    spread = np.float32(2 * sigma * sigma)
    patch += np.float32(glow) * np.exp(-squared / spread)


def _fibre(rng: Generator, radiance: Floats, scale: float) -> None:
    """A thin curved line, added to what lies under it, so that the grooves shine through."""
    height, width = radiance.shape
    path = _fibre_path(rng, width, height, scale)
    low, high = _pixels_around(path, width, height)
    is_outside = (high <= low).any()
    if is_outside:
        return

    # on a layer of its own size: the frame is large, and a fibre is not
    left, top = low
    right, bottom = high
    layer = np.zeros((bottom - top, right - left), np.float32)
    line = (path * SIXTEENTHS - low * SIXTEENTHS).astype(np.int32)
    glow = rng.uniform(0.2, 0.5)
    thickness = max(1, round(scale))
    cv2.polylines(
        layer,
        [line],
        False,
        glow,
        thickness,
        cv2.LINE_8,
        FRACTION_BITS,
    )

    layer = cv2.GaussianBlur(layer, (0, 0), 0.8 * scale)
    radiance[top:bottom, left:right] += layer


def _fibre_path(
    rng: Generator,
    width: int,
    height: int,
    scale: float,
) -> np.ndarray:
    """Points (12, 2) of a curve, px: it begins off the border, and turns a little at each step."""
    first = (0.15 * width, 0.3 * height)
    last = (0.85 * width, 0.7 * height)
    start = rng.uniform(first, last)

    heading = rng.uniform(0, 2 * np.pi)
    # about 20 degrees a step: it bends, and is no tangle
    turns = rng.normal(0, 0.35, 12)
    headings = heading + np.cumsum(turns)
    directions = np.stack([np.cos(headings), np.sin(headings)], 1)

    step_px = rng.uniform(2.0, 4.5)
    steps = directions * step_px * scale
    return start + np.cumsum(steps, 0)


def _pixels_around(
    path: np.ndarray,
    width: int,
    height: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(left, top) and (right, bottom) of the pixels that a fibre takes, with room for its blur.

    A fibre that leaves the frame is cut off there.
    """
    lowest = np.floor(path.min(0)).astype(int)
    highest = np.ceil(path.max(0)).astype(int)
    low = np.maximum(lowest - FIBRE_MARGIN_PX, 0)
    high = np.minimum(highest + FIBRE_MARGIN_PX, (width, height))
    return low, high
