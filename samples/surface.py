"""The surface of a part: a body of revolution with the relief of the knurling on it.

Arrays have shape (n_v, n_u): `v` runs across the part (px from the axis), `u` along it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from samples.defects import Bools, Change, Floats, apply_defect, direction
from samples.parts import Knurling, Part, Stain

# Beyond the knurling, and from the axis: more than any rivet needs, the flange being the widest.
RIGHT_PX = 100.0
HALF_HEIGHT_PX = 72.0
# Points that are worked on at once: some ten arrays of them fit a core's cache.
BAND_POINTS = 30_000


@dataclass(frozen=True)
class Surface:
    """Normals (unit, z towards the camera), how open each point is to light, and the defect."""

    normal: tuple[Floats, Floats, Floats]
    open: Floats
    inside: Bools
    defect: Bools


@dataclass(frozen=True)
class Grid:
    """Points at which the part is drawn: `u` (n_u,), `v` (n_v,), `per_px` of them per px.

    The first lies `left_px` before the knurling begins.
    """

    u: Floats
    v: Floats
    per_px: float
    left_px: float

    @classmethod
    def of(cls, part: Part, per_px: float, left_px: float) -> Grid:
        """The grid that covers `left_px` of rod, the knurling and the rivet of `part`."""
        length = part.knurling.length_px + left_px + RIGHT_PX
        u = cls._centres(length, per_px) - np.float32(left_px)
        v = cls._centres(2 * HALF_HEIGHT_PX, per_px) - np.float32(HALF_HEIGHT_PX)
        return cls(u, v, per_px, left_px)

    @staticmethod
    def _centres(length_px: float, per_px: float) -> Floats:
        """The middles of the cells into which a length is divided."""
        n = round(length_px * per_px)
        return (np.arange(n, dtype=np.float32) + 0.5) / np.float32(per_px)

    def bands(self) -> Iterator[tuple[slice, Grid]]:
        """The grid cut into bands of rows so small that their arrays stay in the cache."""
        rows = max(1, BAND_POINTS // self.u.size)
        for first in range(0, self.v.size, rows):
            last = min(first + rows, self.v.size)
            band = slice(first, last)
            yield band, Grid(self.u, self.v[band], self.per_px, self.left_px)


def profile(part: Part, u: Floats) -> Floats:
    """Radius of the part at `u`, px; shape of `u`."""
    k, r = part.knurling, part.rivet
    end = k.length_px
    head = k.length_px + r.gap_px
    flange = r.flange_radius * k.radius_px
    body = r.body_radius * k.radius_px
    shank = r.shank_radius * k.radius_px

    # rod, relief groove, knurling: places along the axis, and radii in shares of the knurling's
    knots = [
        (-1e4, 0.87),
        (-16, 0.87),
        (-13, 0.82),
        (-3, 0.82),
        (-1, 0.90),
        (5, 1.0),
        (end - 4, 1.0),
        (end, 0.93),
    ]
    places = [place for place, _ in knots]
    radii = [share * k.radius_px for _, share in knots]

    # shank in the gap, rounded edge of the flange, flange, body
    places += [end + 0.3, head - 0.3, head, head + 2.5]
    radii += [shank, shank, 0.93 * flange, flange]
    places += [head + r.flange_px, head + r.flange_px + 3]
    radii += [flange, body]
    radius = np.interp(u, places, radii)

    # the dome: a superellipse, a little fuller than a ball
    dome_from = head + 0.6 * r.length_px
    t = np.clip((u - dome_from) / (0.4 * r.length_px), 0, 1)
    radius = radius * (1 - t**2.6) ** (1 / 2.6)

    beyond = u > head + r.length_px
    return np.where(beyond, 0, radius).astype(np.float32)


@dataclass
class _Skin:
    """What is laid on the body of revolution; `sin` is that of the angle around the axis."""

    sin: Floats
    slope_u: Floats
    slope_a: Floats
    light: Floats
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
    steep = np.gradient(radius, grid.u).astype(np.float32)
    rounded = cv2.GaussianBlur(steep[None], (0, 0), 0.6 * grid.per_px)[0]
    steep = np.clip(rounded, -2.5, 2.5)

    # of the angle around the axis; off the part there is none
    ratio = np.asarray(grid.v[:, None] / np.maximum(radius, 1e-3)[None], np.float32)
    inside = np.abs(ratio) < 1
    sin: Floats = np.clip(ratio, -0.999, 0.999)
    cos: Floats = np.sqrt(1 - sin * sin)

    skin = _Skin.smooth(steep + _turning(part, grid), sin)
    _lay_knurling(skin, part, grid, roll_px)
    _open_gap(skin, part, grid)

    nx = -skin.slope_u
    ny = sin - skin.slope_a * cos
    nz = cos + skin.slope_a * sin
    norm = 1 / np.sqrt(nx * nx + ny * ny + nz * nz)
    normal = (nx * norm, ny * norm, nz * norm)
    return Surface(normal, skin.light, inside, skin.defect)


def _turning(part: Part, grid: Grid) -> Floats:
    """Slopes of the marks that the lathe left: the same all around."""
    rng = np.random.default_rng(part.texture_seed)
    coarse = rng.normal(0, 1, 800).astype(np.float32)
    # they repeat every 400 px, which is longer than any part
    places = np.linspace(0, 400, 800)
    marks = np.interp(grid.u % 400, places, coarse)
    return (0.07 * marks).astype(np.float32)


def _lay_knurling(skin: _Skin, part: Part, grid: Grid, roll_px: float) -> None:
    k = part.knurling
    first, last = np.searchsorted(grid.u, [0.0, k.length_px])
    zone = np.s_[:, first:last]

    # each point along the axis, and along the arc around it
    sin = skin.sin[zone]
    u = np.broadcast_to(grid.u[None, first:last], sin.shape).astype(np.float32)
    a = np.float32(k.radius_px) * np.arcsin(sin) + np.float32(roll_px)

    change = apply_defect(part.defect, u, a)
    relief_u, relief_a, height, tone = _relief(part, u, a, change)
    skin.slope_u[zone] += relief_u + change.slope_u
    skin.slope_a[zone] += relief_a + change.slope_a

    # grooves are in shadow, down to a third of the light
    openness = 0.35 + 0.65 * height
    skin.light[zone] *= openness * tone * _film(part.stains, u, a)

    # at the very edge of the silhouette nobody sees a defect
    is_seen = np.abs(sin) < 0.99
    skin.defect[zone] = change.mask & is_seen


def _relief(
    part: Part, u: Floats, a: Floats, change: Change
) -> tuple[Floats, Floats, Floats, Floats]:
    """Slopes along u and a, height 0..1, and the tone of each diamond."""
    k = part.knurling
    along = np.sin(k.helix_rad) / k.pitch_px
    around = np.cos(k.helix_rad) / k.pitch_px
    x = (u + change.shift_u) * np.float32(along)
    y = a * np.float32(around)

    # the phase in each of the two families of grooves
    one = x + y + np.float32(k.phases[0])
    two = x - y + np.float32(k.phases[1])
    keep = change.keep
    doubled_one, doubled_two = change.doubled
    h1, s1 = _groove(one, k.groove, doubled_one, change.double_offset)
    h2, s2 = _groove(two, k.groove, doubled_two, change.double_offset)

    # where grooves cross, the lower one cuts the other
    lower = h1 < h2
    depth = np.float32(k.slope) * keep * _depth(k, u)
    s1 = np.where(lower, s1, 0) * depth
    s2 = np.where(lower, 0, s2) * depth
    height = 1 - keep * (1 - np.where(lower, h1, h2))

    # diamonds are the tops between the grooves, and go with them
    tone, tilt_u, tilt_a = _per_diamond(part.texture_seed, one, two)
    cos, sin = direction(k.helix_rad)
    slope_u = (s1 + s2) * sin + tilt_u * keep
    slope_a = (s1 - s2) * cos + tilt_a * keep
    return slope_u, slope_a, height, 1 + tone * keep


def _groove(
    phase: Floats, half_width: float, doubled: Floats, offset: float
) -> tuple[Floats, Floats]:
    """Height 0..1 and slope -1..1 across one family of V grooves that lie at whole phases."""
    height, slope = _vee(phase, half_width)
    if offset == 0:
        return height, slope

    # narrower ones, so that two fit where there was one
    narrow = 0.62 * half_width
    second, second_slope = _vee(phase + np.float32(offset), narrow)
    first, first_slope = _vee(phase, narrow)
    both = np.minimum(first, second)
    both_slope = np.where(first < second, first_slope, second_slope)

    height = height + (both - height) * doubled
    slope = slope + (both_slope - slope) * doubled
    return height, slope


def _vee(phase: Floats, half_width: float) -> tuple[Floats, Floats]:
    """Height and slope of one V groove at each whole phase."""
    x = phase - np.rint(phase)
    height = np.minimum(np.abs(x) / np.float32(half_width), 1)

    is_flank = np.abs(x) < half_width
    slope = np.where(is_flank, np.sign(x), 0).astype(np.float32)
    return height, slope


def _depth(k: Knurling, u: Floats) -> Floats:
    """How deep the knurling was rolled along the axis: shallow at the ends, with a slow wave."""
    row = u[0]
    from_end = np.minimum(row, k.length_px - row)
    ends = np.clip(from_end / 9, 0.15, 1)

    angle = 2 * np.pi * row / k.wave_px + k.wave_phase
    wave = 1 - k.wave_depth * (0.5 + 0.5 * np.sin(angle))
    return (ends * wave).astype(np.float32)[None]


def _per_diamond(seed: int, one: Floats, two: Floats) -> tuple[Floats, Floats, Floats]:
    """Tone (0 is average) and tilt of each diamond, the same in every shot of the part."""
    rng = np.random.default_rng(seed + 1)
    i = np.floor(one).astype(np.int32)
    j = np.floor(two).astype(np.int32)
    # one of 1024 kinds by its place, so that neighbours differ
    cell = (i * 73 + j * 179 + (i * j) * 31) & 1023

    # no tone so far out that a sound diamond would look like a defect
    tone = np.clip(rng.normal(0, 0.16, 1024), -0.5, 0.6).astype(np.float32)
    tilt_u, tilt_a = rng.normal(0, 0.06, (2, 1024)).astype(np.float32)
    return tone[cell], tilt_u[cell], tilt_a[cell]


def _film(stains: tuple[Stain, ...], u: Floats, a: Floats) -> Floats:
    """What the oil lets through, 0..1."""
    film = np.ones_like(u)
    for s in stains:
        cos, sin = direction(s.angle_rad)
        du = u - np.float32(s.u_px)
        da = a - np.float32(s.a_px)
        x = (du * cos + da * sin) / s.half_u_px
        y = (da * cos - du * sin) / s.half_a_px

        # flat in the middle, with a soft edge
        squared = x * x + y * y
        bump = np.exp(-(squared**2)).astype(np.float32)
        film *= 1 - np.float32(1 - s.gain) * bump
    return film


def _open_gap(skin: _Skin, part: Part, grid: Grid) -> None:
    """The gap under the head is lit less; it is the defect when the rivet is not seated."""
    end = part.knurling.length_px
    first, last = np.searchsorted(grid.u, [end, end + part.rivet.gap_px])
    skin.light[:, first:last] *= 0.6
    if part.label == "under_press":
        before_part = np.abs(grid.v) < part.knurling.radius_px
        skin.defect[before_part, first:last] = True
