"""Dark-field light and the camera: from normals to grey values."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from samples.defects import Floats
from samples.surface import Surface

# Radiance of a face that reflects the ring where the ring is of even brightness.
RING_GAIN = 0.62
# Blinn's exponent: the larger, the smaller the glint of the bar.
GLOSS = 36
# Metal is never a perfect mirror: this much light comes from everywhere, and more on a steep face.
DIFFUSE = 0.06
DIFFUSE_BY_LEAN = 0.10
# Slope of the sensor's curve in the dark; from there it bends towards 1.
SHOULDER = 1.35
# Grey of no light, and how much is added to it at most, as shares of 255: together just below 1.
BLACK_LEVEL = 0.018
SIGNAL_SPAN = 0.98
# Standard deviations of the noise, as shares of 255: everywhere, and at full light.
READ_NOISE = 0.010
SHOT_NOISE = 0.026
# A blur of less than this many px changes nothing that is seen.
MIN_BLUR_PX = 0.2


@dataclass(frozen=True)
class Lamp:
    """A ring light of uneven brightness and one bar of a brighter lamp."""

    gain: float
    """Factor of all light, around 1."""
    ring_tilt: float
    """Lean of a face (sine) at which the ring is reflected into the camera."""
    ring_width: float
    """How far from that lean it is down to 1/e."""
    azimuth_rad: float
    """From where the ring is brightest."""
    uneven: float
    """By how much it is brighter there, as a share; on the other side it is darker by as much."""
    bar_azimuth_rad: float
    """From where the bar shines."""
    bar_tilt: float
    """Lean of a face (sine) at which the bar is reflected into the camera."""
    bar_gain: float
    """Radiance of a face that reflects the bar."""


def lit(surface: Surface, lamp: Lamp) -> Floats:
    """Radiance of each point, 0..about 2; shape of the surface.

    The ring reflects where the normal leans by `ring_tilt` (sine) from the camera's axis, which is
    why a flat polished face stays dark; Blinn's half-vector lobe stands for the bar.
    """
    nx, ny, nz = surface.normal
    lean = np.sqrt(nx * nx + ny * ny)
    off = (lean - lamp.ring_tilt) / lamp.ring_width
    ring = np.exp(-(off**2))

    # from which side each point is lit, -1..1; a face that leans nowhere has no side
    towards = nx * np.cos(lamp.azimuth_rad) + ny * np.sin(lamp.azimuth_rad)
    side = towards / (lean + 1e-3)
    ring = ring * (1 + lamp.uneven * side)

    bar = _half_vector(lamp, nx, ny, nz)
    rough = DIFFUSE + DIFFUSE_BY_LEAN * lean
    light = RING_GAIN * ring + lamp.bar_gain * bar + rough
    return (surface.open * light).astype(np.float32)


def _half_vector(lamp: Lamp, nx: Floats, ny: Floats, nz: Floats) -> Floats:
    """How well each face reflects the bar into the camera, 0..1."""
    hx = np.float32(lamp.bar_tilt * np.cos(lamp.bar_azimuth_rad))
    hy = np.float32(lamp.bar_tilt * np.sin(lamp.bar_azimuth_rad))
    hz = np.float32(np.sqrt(1 - lamp.bar_tilt**2))
    facing = np.clip(nx * hx + ny * hy + nz * hz, 0, 1)
    return np.asarray(facing**GLOSS, np.float32)


def develop(
    radiance: Floats,
    *,
    rng: Generator,
    lamp: Lamp,
    vignette: float,
    centre: Floats,
) -> np.ndarray:
    """The 8-bit frame of `radiance` (H, W): vignetting, shot and read noise, a soft shoulder.

    `vignette` is the light lost at a frame's length from `centre`, (x, y) in shares of the frame.
    """
    fall = _vignetting(radiance.shape, vignette, centre)
    signal = radiance * fall * np.float32(lamp.gain)
    # the shoulder: what is bright is compressed, and only the brightest glints are clipped
    signal = 1 - np.exp(-SHOULDER * signal)

    # read noise everywhere, and shot noise that grows with the root of the light
    noise = rng.standard_normal(radiance.shape, np.float32)
    variance = READ_NOISE**2 + SHOT_NOISE**2 * np.maximum(signal, 0)
    grain = np.sqrt(variance)

    clean = signal * np.float32(SIGNAL_SPAN) + BLACK_LEVEL
    grey = 255 * (clean + noise * grain)
    # half a grey value rounds to the nearest
    return np.clip(grey + 0.5, 0, 255).astype(np.uint8)


def _vignetting(shape: tuple[int, ...], vignette: float, centre: Floats) -> Floats:
    """What the lens lets through at each pixel (H, W): 1 at `centre`, less towards the corners."""
    height, width = shape
    centre_x, centre_y = centre
    rows = np.arange(height, dtype=np.float32)
    columns = np.arange(width, dtype=np.float32)
    y = (rows / height - centre_y)[:, None]
    x = (columns / width - centre_x)[None]

    squared = x * x + y * y
    return 1 - np.float32(vignette) * squared


def blurred(picture: Floats, sigma_px: float) -> Floats:
    """`picture` out of focus by `sigma_px`."""
    if sigma_px < MIN_BLUR_PX:
        return picture
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px), np.float32)
