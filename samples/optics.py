"""Dark-field light and the camera: from normals to grey values."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from samples.defects import Floats
from samples.surface import Surface


@dataclass(frozen=True)
class Lamp:
    """A ring light of uneven brightness and one bar of a brighter lamp."""

    gain: float
    ring_tilt: float
    ring_width: float
    azimuth_rad: float
    uneven: float
    bar_azimuth_rad: float
    bar_tilt: float
    bar_gain: float


def lit(surface: Surface, lamp: Lamp) -> Floats:
    """Radiance of each point, 0..about 2; shape of the surface.

    The ring reflects where the normal leans by `ring_tilt` (sine) from the camera's axis, which is
    why a flat polished face stays dark; Blinn's half-vector lobe stands for the bar.
    """
    nx, ny, nz = surface.normal
    lean = np.sqrt(nx * nx + ny * ny)
    ring = np.exp(-(((lean - lamp.ring_tilt) / lamp.ring_width) ** 2))

    # from which side each point is lit, -1..1; a face that leans nowhere has no side
    towards = nx * np.cos(lamp.azimuth_rad) + ny * np.sin(lamp.azimuth_rad)
    side = towards / (lean + 1e-3)
    ring = ring * (1 + lamp.uneven * side)

    bar = _half_vector(lamp, nx, ny, nz)
    # metal is never a perfect mirror: a little light comes from everywhere
    rough = 0.06 + 0.10 * lean
    light = 0.62 * ring + lamp.bar_gain * bar + rough
    return (surface.open * light).astype(np.float32)


def _half_vector(lamp: Lamp, nx: Floats, ny: Floats, nz: Floats) -> Floats:
    hx = np.float32(lamp.bar_tilt * np.cos(lamp.bar_azimuth_rad))
    hy = np.float32(lamp.bar_tilt * np.sin(lamp.bar_azimuth_rad))
    hz = np.float32(np.sqrt(1 - lamp.bar_tilt**2))
    facing = np.clip(nx * hx + ny * hy + nz * hz, 0, 1)
    return np.asarray(facing**36, np.float32)


def develop(
    radiance: Floats,
    *,
    rng: Generator,
    lamp: Lamp,
    vignette: float,
    centre: Floats,
) -> np.ndarray:
    """The 8-bit frame of `radiance` (H, W): vignetting, shot and read noise, a soft shoulder."""
    height, width = radiance.shape
    y = (np.arange(height, dtype=np.float32) / height - centre[1])[:, None]
    x = (np.arange(width, dtype=np.float32) / width - centre[0])[None]
    fall = 1 - np.float32(vignette) * (x * x + y * y)
    signal = radiance * fall * np.float32(lamp.gain)
    # the shoulder: what is bright is compressed, and only the brightest glints are clipped
    signal = 1 - np.exp(-1.35 * signal)

    # read noise everywhere, and shot noise that grows with the root of the light
    noise = rng.standard_normal(radiance.shape, np.float32)
    grain = np.sqrt(0.010**2 + 0.026**2 * np.maximum(signal, 0))
    grey = 255 * (signal * np.float32(0.98) + 0.018 + noise * grain)
    return np.clip(grey + 0.5, 0, 255).astype(np.uint8)


def blurred(picture: Floats, sigma_px: float) -> Floats:
    """`picture` out of focus by `sigma_px`."""
    if sigma_px < 0.2:
        return picture
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px), np.float32)
