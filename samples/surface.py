"""The surface of a part: a body of revolution with the relief of the knurling on it.

Arrays have shape (n_v, n_u): `v` runs across the part (px from the axis), `u` along it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from samples.changes import apply_defect
from samples.defects import Bools, Floats
from samples.grid import Grid
from samples.parts import Part
from samples.profile import profile
from samples.relief import film, relief

# Slopes of the profile are clipped here: that of a face that stands upright has no limit.
MAX_STEEPNESS = 2.5
# Edges of the profile are rounded off by this, px.
EDGE_SIGMA_PX = 0.6
# The sine of the angle around the axis is kept off 1, where the cosine would be 0.
MAX_SIN = 0.999
# Nobody sees a defect beyond this sine: at the very edge of the silhouette.
MAX_SEEN_SIN = 0.99
# Below any radius of a part, px, and above 0, by which nothing is divided.
MIN_RADIUS_PX = 1e-3
# The marks of the lathe: standard deviation of their slopes, and how many there are over a length
# (two to a px) after which they repeat, longer than the knurling.
LATHE_SLOPE = 0.07
N_LATHE_MARKS = 800
LATHE_PERIOD_PX = 400
# Light in the bottom of a groove: it is in shadow, down to a third.
GROOVE_LIGHT = 0.35
TOP_LIGHT = 0.65
# Light in the gap under the head.
GAP_LIGHT = 0.6


@dataclass(frozen=True)
class Surface:
    """What the light falls on, point by point."""

    normal: tuple[Floats, Floats, Floats]
    """Unit vectors: along the axis, across, towards the camera."""
    open: Floats
    """Factor of the light that a point sends on: shadow, tone of the metal and oil."""
    inside: Bools
    """Where the part is, and not what lies behind it."""
    defect: Bools


@dataclass
class _Skin:
    """What is laid on the body of revolution; `sin` is that of the angle around the axis."""

    sin: Floats
    slope_u: Floats
    """Slope along the axis, with that of the profile."""
    slope_a: Floats
    """Slope around the axis."""
    light: Floats
    """See `Surface.open`."""
    defect: Bools

    @classmethod
    def smooth(cls, slope_u: Floats, sin: Floats) -> _Skin:
        """Nothing but the slope of the profile (n_u,)."""
        return cls(
            sin=sin,
            slope_u=np.broadcast_to(slope_u[None], sin.shape).copy(),
            slope_a=np.zeros(sin.shape, np.float32),
            light=np.ones(sin.shape, np.float32),
            defect=np.zeros(sin.shape, np.bool_),
        )


def shape(part: Part, grid: Grid, roll_px: float) -> Surface:
    """The surface of `part` on `grid`, rolled about its axis by `roll_px` of arc."""
    radius = profile(part, grid.u)
    steep = _steepness(radius, grid)

    # of the angle around the axis; off the part there is none
    divisor = np.maximum(radius, MIN_RADIUS_PX)
    ratio = np.asarray(grid.v[:, None] / divisor[None], np.float32)
    inside = np.abs(ratio) < 1
    sin: Floats = np.clip(ratio, -MAX_SIN, MAX_SIN)

    skin = _Skin.smooth(steep + _turning(part, grid), sin)
    _lay_knurling(skin, part, grid, roll_px)
    _open_gap(skin, part, grid)
    return Surface(
        normal=_normal(skin),
        open=skin.light,
        inside=inside,
        defect=skin.defect,
    )


def _steepness(radius: Floats, grid: Grid) -> Floats:
    """Slope of the profile along the axis (n_u,)."""
    steep = np.gradient(radius, grid.u).astype(np.float32)
    # OpenCV blurs pictures: a row of one
    sigma = EDGE_SIGMA_PX * grid.per_px
    rounded = cv2.GaussianBlur(steep[None], (0, 0), sigma)[0]
    return np.clip(rounded, -MAX_STEEPNESS, MAX_STEEPNESS)


def _normal(skin: _Skin) -> tuple[Floats, Floats, Floats]:
    """Unit normals of the body with its skin: along the axis, across, towards the camera."""
    sin = skin.sin
    cos: Floats = np.sqrt(1 - sin * sin)
    nx = -skin.slope_u
    ny = sin - skin.slope_a * cos
    nz = cos + skin.slope_a * sin

    squared = nx * nx + ny * ny + nz * nz
    norm = 1 / np.sqrt(squared)
    return nx * norm, ny * norm, nz * norm


def _turning(part: Part, grid: Grid) -> Floats:
    """Slopes of the marks that the lathe left: the same all around."""
    rng = np.random.default_rng(part.texture_seed)
    coarse = rng.normal(0, 1, N_LATHE_MARKS).astype(np.float32)
    places = np.linspace(0, LATHE_PERIOD_PX, N_LATHE_MARKS)
    marks = np.interp(grid.u % LATHE_PERIOD_PX, places, coarse)
    return (LATHE_SLOPE * marks).astype(np.float32)


def _lay_knurling(skin: _Skin, part: Part, grid: Grid, roll_px: float) -> None:
    """Put the grooves, what a defect makes of them, and oil on the stretch that is knurled."""
    k = part.knurling
    first, last = np.searchsorted(grid.u, [0.0, k.length_px])
    zone = np.s_[:, first:last]

    # each point along the axis, and along the arc around it
    sin = skin.sin[zone]
    along = grid.u[None, first:last]
    u = np.broadcast_to(along, sin.shape).astype(np.float32)
    a = np.float32(k.radius_px) * np.arcsin(sin) + np.float32(roll_px)

    change = apply_defect(part.defect, u, a)
    relief_u, relief_a, height, tone = relief(part, u, a, change)
    skin.slope_u[zone] += relief_u + change.slope_u
    skin.slope_a[zone] += relief_a + change.slope_a

    openness = GROOVE_LIGHT + TOP_LIGHT * height
    skin.light[zone] *= openness * tone * change.light * film(part.stains, u, a)

    is_seen = np.abs(sin) < MAX_SEEN_SIN
    skin.defect[zone] = change.mask & is_seen


def _open_gap(skin: _Skin, part: Part, grid: Grid) -> None:
    """The gap under the head is lit less; it is the defect when the rivet is not seated."""
    knurling = part.knurling
    end = knurling.length_px
    head = end + part.rivet.gap_px
    first, last = np.searchsorted(grid.u, [end, head])
    skin.light[:, first:last] *= GAP_LIGHT
    if part.label == "under_press":
        before_part = np.abs(grid.v) < knurling.radius_px
        skin.defect[before_part, first:last] = True
