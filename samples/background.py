"""What is not the part: the holder behind it, the room's stray light, dust."""

from __future__ import annotations

import cv2
import numpy as np

from samples.defects import Floats
from samples.optics import blurred


def draw_background(
    rng: np.random.Generator,
    camera: str,
    size: tuple[int, int],
    scale: float,
    drift: float,
) -> Floats:
    """Radiance (H, W) of the fixture, out of focus: jaws above and below, a post, a plate.

    Drawn at a quarter of the reference size and enlarged, since all of it is blurred.
    """
    small = (max(2, round(size[0] / scale / 4)), max(2, round(size[1] / scale / 4)))
    canvas = np.full((small[1], small[0]), 0.004, np.float32)
    shift = rng.normal(0, 0.7, 2) + np.array([0.0, 1.5 * (drift - 0.5)])
    gain = float(rng.uniform(0.7, 1.3))
    middle = small[1] / 2 + shift[1]
    _jaw(canvas, (0, 0.0), (34 + shift[0], middle - 21), 0.075 * gain)
    _jaw(canvas, (0, middle + 21), (38 + shift[0], small[1]), 0.065 * gain)
    _jaw(canvas, (44 + shift[0], 0), (50 + shift[0], middle - 26), 0.03 * gain)
    for x, y in ((13, middle - 38), (13, middle + 39)):
        _bolt(canvas, (x + shift[0], y), 7, 0.10 * gain)
    turned = canvas[::-1, ::-1] if camera == "Ch01" else canvas
    canvas = blurred(np.ascontiguousarray(turned), 1.1)
    canvas *= 1 + 0.12 * rng.standard_normal((canvas.shape[0], 1), np.float32)
    canvas += _cloud(rng, canvas.shape) * np.float32(0.010)
    return np.asarray(
        cv2.resize(canvas, size, interpolation=cv2.INTER_CUBIC), np.float32
    )


def _jaw(
    canvas: Floats, corner: tuple[float, float], far: tuple[float, float], gain: float
) -> None:
    p, q = (round(corner[0]), round(corner[1])), (round(far[0]), round(far[1]))
    cv2.rectangle(canvas, p, q, 0.5 * gain, -1)
    cv2.rectangle(canvas, p, q, 4.5 * gain, 1)
    cv2.line(canvas, (q[0] - 3, p[1]), (q[0] - 3, q[1]), 1.2 * gain, 1)


def _bolt(
    canvas: Floats, centre: tuple[float, float], radius: int, gain: float
) -> None:
    at = (round(centre[0]), round(centre[1]))
    cv2.circle(canvas, at, radius, 0.5 * gain, -1)
    cv2.circle(canvas, at, radius, 3.0 * gain, 1)
    cv2.circle(canvas, at, radius // 2, 0.1 * gain, -1)


def _cloud(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    coarse = rng.uniform(0, 1, (4, 5)).astype(np.float32)
    return np.asarray(
        cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32
    )


def draw_dust(rng: np.random.Generator, radiance: Floats, scale: float) -> None:
    """Add specks and fibres that lie in the light path, wherever they fall."""
    height, width = radiance.shape
    for _ in range(int(rng.integers(4, 16))):
        x, y = float(rng.uniform(0, width)), float(rng.uniform(0, height))
        size, glow = (
            float(rng.uniform(0.6, 1.6)) * scale,
            float(rng.uniform(0.05, 0.45)),
        )
        _speck(radiance, x, y, size, glow)
    for _ in range(int(rng.integers(0, 3))):
        _fibre(rng, radiance, scale)


def _speck(radiance: Floats, x: float, y: float, sigma: float, glow: float) -> None:
    reach = int(np.ceil(3 * sigma))
    left, top = max(0, int(x) - reach), max(0, int(y) - reach)
    patch = radiance[top : int(y) + reach + 1, left : int(x) + reach + 1]
    dy = (np.arange(patch.shape[0], dtype=np.float32) + top - y)[:, None]
    dx = (np.arange(patch.shape[1], dtype=np.float32) + left - x)[None]
    patch += np.float32(glow) * np.exp(
        -(dx * dx + dy * dy) / np.float32(2 * sigma * sigma)
    )


def _fibre(rng: np.random.Generator, radiance: Floats, scale: float) -> None:
    """A thin curved line, added to what lies under it, so that the grooves shine through."""
    height, width = radiance.shape
    start = rng.uniform((0.15 * width, 0.3 * height), (0.85 * width, 0.7 * height))
    headings = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.35, 12))
    steps = (
        np.stack([np.cos(headings), np.sin(headings)], 1)
        * rng.uniform(2.0, 4.5)
        * scale
    )
    points = (start + np.cumsum(steps, 0)) * 16
    low = np.floor(points.min(0) / 16).astype(int) - 8
    high = np.ceil(points.max(0) / 16).astype(int) + 8
    low, high = np.maximum(low, 0), np.minimum(high, (width, height))
    if (high <= low).any():
        return
    layer = np.zeros((high[1] - low[1], high[0] - low[0]), np.float32)
    line = (points - low * 16).astype(np.int32)
    thick = max(1, round(scale))
    cv2.polylines(
        layer, [line], False, float(rng.uniform(0.2, 0.5)), thick, cv2.LINE_8, 4
    )
    layer = cv2.GaussianBlur(layer, (0, 0), 0.8 * scale)
    radiance[low[1] : high[1], low[0] : high[0]] += layer
