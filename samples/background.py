"""What is not the part: the holder behind it, the room's stray light, dust."""

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
    width = max(2, round(size[0] / scale / SHRUNK))
    height = max(2, round(size[1] / scale / SHRUNK))
    canvas = np.full((height, width), STRAY_LIGHT, np.float32)

    # the fixture is never mounted twice in one place, and sinks as the line runs
    sunk = 1.5 * (drift - 0.5)
    shift = rng.normal(0, 0.7, 2) + np.array([0.0, sunk])
    gain = rng.uniform(0.7, 1.3)
    middle = height / 2 + shift[1]
    right = 34 + shift[0]

    # the lower jaw is the longer one, and the post is duller than both
    above = (right, middle - 21)
    _jaw(canvas, (0, 0.0), above, 0.075 * gain)
    below = (38 + shift[0], height)
    _jaw(canvas, (0, middle + 21), below, 0.065 * gain)
    post = (50 + shift[0], middle - 26)
    _jaw(canvas, (44 + shift[0], 0), post, 0.03 * gain)

    bolts_x = 13 + shift[0]
    for y in (middle - 38, middle + 39):
        _bolt(canvas, (bolts_x, y), 7, 0.10 * gain)

    # the second camera looks from the other side
    turned = canvas[::-1, ::-1] if camera == "Ch01" else canvas
    canvas = blurred(np.ascontiguousarray(turned), 1.1)

    flicker = rng.standard_normal((canvas.shape[0], 1), np.float32)
    canvas *= 1 + 0.12 * flicker
    canvas += _cloud(rng, canvas.shape) * np.float32(0.010)
    enlarged = cv2.resize(canvas, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.float32)


def _jaw(
    canvas: Floats, corner: tuple[float, float], far: tuple[float, float], gain: float
) -> None:
    """A block of metal: a dull face, bright edges, and the bevel along its right side."""
    left, top = (round(place) for place in corner)
    right, bottom = (round(place) for place in far)
    cv2.rectangle(canvas, (left, top), (right, bottom), 0.5 * gain, -1)
    cv2.rectangle(canvas, (left, top), (right, bottom), 4.5 * gain, 1)

    bevel = right - 3
    cv2.line(canvas, (bevel, top), (bevel, bottom), 1.2 * gain, 1)


def _bolt(
    canvas: Floats, centre: tuple[float, float], radius: int, gain: float
) -> None:
    """A round head with a bright rim and a dark socket."""
    at = (round(centre[0]), round(centre[1]))
    cv2.circle(canvas, at, radius, 0.5 * gain, -1)
    cv2.circle(canvas, at, radius, 3.0 * gain, 1)
    cv2.circle(canvas, at, radius // 2, 0.1 * gain, -1)


def _cloud(rng: Generator, shape: tuple[int, ...]) -> Floats:
    """Slow changes of stray light over the frame."""
    coarse = rng.uniform(0, 1, (4, 5)).astype(np.float32)
    smooth = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32)


def draw_dust(rng: Generator, radiance: Floats, scale: float) -> None:
    """Add specks and fibres that lie in the light path, wherever they fall."""
    height, width = radiance.shape
    n_specks = int(rng.integers(4, 16))
    for _ in range(n_specks):
        x = rng.uniform(0, width)
        y = rng.uniform(0, height)
        sigma = rng.uniform(0.6, 1.6) * scale
        glow = rng.uniform(0.05, 0.45)
        _speck(radiance, x, y, sigma, glow)

    n_fibres = int(rng.integers(0, 3))
    for _ in range(n_fibres):
        _fibre(rng, radiance, scale)


def _speck(radiance: Floats, x: float, y: float, sigma: float, glow: float) -> None:
    # beyond three sigmas a Gaussian is a hundredth of its peak
    reach = int(np.ceil(3 * sigma))
    left = max(0, int(x) - reach)
    top = max(0, int(y) - reach)
    right = int(x) + reach + 1
    bottom = int(y) + reach + 1
    patch = radiance[top:bottom, left:right]

    n_rows, n_columns = patch.shape
    dy = (np.arange(n_rows, dtype=np.float32) + top - y)[:, None]
    dx = (np.arange(n_columns, dtype=np.float32) + left - x)[None]
    squared = dx * dx + dy * dy
    spread = np.float32(2 * sigma * sigma)
    patch += np.float32(glow) * np.exp(-squared / spread)


def _fibre(rng: Generator, radiance: Floats, scale: float) -> None:
    """A thin curved line, added to what lies under it, so that the grooves shine through."""
    height, width = radiance.shape
    first = (0.15 * width, 0.3 * height)
    last = (0.85 * width, 0.7 * height)
    start = rng.uniform(first, last)

    turns = rng.uniform(0, 2 * np.pi)
    headings = turns + np.cumsum(rng.normal(0, 0.35, 12))
    directions = np.stack([np.cos(headings), np.sin(headings)], 1)
    steps = directions * rng.uniform(2.0, 4.5) * scale

    # in sixteenths of a pixel, as OpenCV draws where it is told so: four bits of a fraction
    points = (start + np.cumsum(steps, 0)) * 16
    # with room for the blur; a fibre that leaves the frame is cut off there
    low = np.floor(points.min(0) / 16).astype(int) - 8
    high = np.ceil(points.max(0) / 16).astype(int) + 8
    low = np.maximum(low, 0)
    high = np.minimum(high, (width, height))
    if (high <= low).any():
        return

    # on a layer of its own size: the frame is large, and a fibre is not
    (left, top), (right, bottom) = low, high
    layer = np.zeros((bottom - top, right - left), np.float32)
    line = (points - low * 16).astype(np.int32)
    glow = rng.uniform(0.2, 0.5)
    thickness = max(1, round(scale))
    cv2.polylines(layer, [line], False, glow, thickness, cv2.LINE_8, 4)

    layer = cv2.GaussianBlur(layer, (0, 0), 0.8 * scale)
    radiance[top:bottom, left:right] += layer
