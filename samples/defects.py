"""The three defects of the knurling, as changes of its surface.

Each defect maps points of the unrolled surface (`u` along the axis, `a` around it, reference
pixels) to a `Change`. Under-press is no change of the surface: see `parts.Rivet.gap_px`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass
class Change:
    """What a defect does at each point; all arrays have the shape of the points asked about."""

    keep: Floats
    """What is left of the depth of the knurling, 0..1."""
    slope_u: Floats
    """Slope added along the axis."""
    slope_a: Floats
    """Slope added around the axis."""
    shift_u: Floats
    """By how much the pattern was dragged along the axis, px."""
    doubled: tuple[Floats, Floats]
    """Depth of a second set of grooves in each of the two families, 0..1."""
    double_offset: float
    """Distance of the second set from the first, in pitches."""
    mask: Bools
    """Where a person would say the defect is."""


@dataclass(frozen=True)
class Nick:
    """A bowl struck into the surface, or a scratch when it is long; lengths are half axes."""

    u_px: float
    a_px: float
    angle_rad: float
    half_long_px: float
    half_wide_px: float
    depth: float


@dataclass(frozen=True)
class Dent:
    """The part fell: one or a few nicks."""

    nicks: tuple[Nick, ...]


@dataclass(frozen=True)
class Slide:
    """A machine pushed over the surface: an area lies flat and is smeared along `angle_rad`."""

    u_px: float
    a_px: float
    half_u_px: float
    half_a_px: float
    angle_rad: float
    keep: float
    drag_px: float
    wobble: tuple[float, ...]
    streak_seed: int


@dataclass(frozen=True)
class DoubleLine:
    """The rolling die wobbled: over a zone each groove has a second one beside it."""

    from_px: float
    to_px: float
    edge_px: float
    skew: float
    depths: tuple[float, float]
    offset: float


Defect = Dent | Slide | DoubleLine


def draw_defect(
    rng: np.random.Generator,
    label: str,
    strength: float,
    length_px: float,
    radius_px: float,
) -> Defect:
    """Draw a defect that lies on the side the camera sees."""
    if label == "dent":
        return _draw_dent(rng, strength, length_px, radius_px)
    if label == "slide":
        return _draw_slide(rng, strength, length_px, radius_px)
    return _draw_double_line(rng, strength, length_px)


def apply_defect(defect: Defect | None, u: Floats, a: Floats) -> Change:
    """The change at the points (`u`, `a`), arrays of one shape."""
    change = _no_change(u)
    if isinstance(defect, Dent):
        for nick in defect.nicks:
            _strike(change, nick, u, a)
    elif isinstance(defect, Slide):
        _push(change, defect, u, a)
    elif isinstance(defect, DoubleLine):
        _double(change, defect, u, a)
    return change


def _no_change(u: Floats) -> Change:
    def zeros() -> Floats:
        return np.zeros(u.shape, np.float32)

    return Change(
        keep=np.ones(u.shape, np.float32),
        slope_u=zeros(),
        slope_a=zeros(),
        shift_u=zeros(),
        doubled=(zeros(), zeros()),
        double_offset=0.0,
        mask=np.zeros(u.shape, np.bool_),
    )


def _draw_dent(
    rng: np.random.Generator, strength: float, length_px: float, radius_px: float
) -> Dent:
    u = float(rng.uniform(0.08, 0.92) * length_px)
    a = float(rng.uniform(-0.75, 0.75) * radius_px)
    if rng.uniform() < 0.55:
        half_long = 25 + 20 * strength + float(rng.uniform(0, 8))
        half_wide = 4.7 + 2.6 * strength
        angle = float(rng.uniform(0, np.pi))
        return Dent((Nick(u, a, angle, half_long, half_wide, 1.1),))
    nicks: list[Nick] = []
    for _ in range(int(rng.integers(1, 4))):
        nicks.append(
            Nick(
                u_px=u + float(rng.normal(0, 15)) * bool(nicks),
                a_px=a + float(rng.normal(0, 11)) * bool(nicks),
                angle_rad=float(rng.uniform(0, np.pi)),
                half_long_px=11 + 7 * strength + float(rng.uniform(0, 4)),
                half_wide_px=7.0 + 4.0 * strength,
                depth=float(rng.uniform(0.5, 0.95)),
            )
        )
    return Dent(tuple(nicks))


def _draw_slide(
    rng: np.random.Generator, strength: float, length_px: float, radius_px: float
) -> Slide:
    half_u = 31 + 30 * strength + float(rng.uniform(0, 16))
    room = min(half_u * 0.6, length_px / 2)
    return Slide(
        u_px=float(rng.uniform(room, length_px - room)),
        a_px=float(rng.uniform(-0.75, 0.75) * radius_px),
        half_u_px=half_u,
        half_a_px=18 + 14 * strength + float(rng.uniform(0, 6)),
        angle_rad=float(rng.normal(0, 0.25)),
        keep=float(rng.uniform(0.1, 0.34)),
        drag_px=float(rng.choice([-1, 1]) * rng.uniform(3, 8)),
        wobble=tuple(float(x) for x in rng.normal(0, 0.12, 6)),
        streak_seed=int(rng.integers(2**31)),
    )


def _draw_double_line(
    rng: np.random.Generator, strength: float, length_px: float
) -> DoubleLine:
    extent = 90 + 120 * strength + float(rng.uniform(0, 30))
    start = float(rng.uniform(-0.1 * extent, length_px - 0.9 * extent))
    deep = float(rng.uniform(0.65, 1.0))
    other = deep if rng.uniform() < 0.4 else 0.0
    depths = (deep, other) if rng.uniform() < 0.5 else (other, deep)
    return DoubleLine(
        from_px=start,
        to_px=start + extent,
        edge_px=float(rng.uniform(4, 16)),
        skew=float(rng.normal(0, 0.25)),
        depths=depths,
        offset=float(rng.choice([-1, 1]) * rng.uniform(0.36, 0.5)),
    )


def _turn(
    u: Floats, a: Floats, centre: tuple[float, float], angle: float
) -> tuple[Floats, Floats]:
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    du, da = u - np.float32(centre[0]), a - np.float32(centre[1])
    return du * cos + da * sin, da * cos - du * sin


def _strike(change: Change, nick: Nick, u: Floats, a: Floats) -> None:
    along, across = _turn(u, a, (nick.u_px, nick.a_px), nick.angle_rad)
    x, y = along / np.float32(nick.half_long_px), across / np.float32(nick.half_wide_px)
    rho = np.sqrt(x * x + y * y)
    inside = np.clip((1.25 - rho) * 4, 0, 1).astype(np.float32)
    # a bowl inside, a burr thrown up around it
    bowl = np.where(rho < 1, 1.0, -0.8 * np.clip(1.5 - rho, 0, 1) / 0.5).astype(
        np.float32
    )
    steep = np.float32(nick.depth) * bowl
    cos, sin = np.float32(np.cos(nick.angle_rad)), np.float32(np.sin(nick.angle_rad))
    slope_x = steep * x * np.float32(nick.half_wide_px / nick.half_long_px)
    slope_y = steep * y
    change.slope_u += slope_x * cos - slope_y * sin
    change.slope_a += slope_x * sin + slope_y * cos
    change.keep *= 1 - inside
    change.mask |= rho < 1.2


def _push(change: Change, slide: Slide, u: Floats, a: Floats) -> None:
    along, across = _turn(u, a, (slide.u_px, slide.a_px), slide.angle_rad)
    x, y = along / np.float32(slide.half_u_px), across / np.float32(slide.half_a_px)
    turn = np.arctan2(y, x)
    edge = np.ones_like(turn)
    for k, size in enumerate(slide.wobble):
        edge += np.float32(size) * np.cos(
            (k // 2 + 1) * turn + (k % 2) * np.float32(np.pi / 2)
        )
    rho = np.sqrt(x * x + y * y) / np.clip(edge, 0.6, 1.5)
    flat = np.clip((1.1 - rho) * 5, 0, 1).astype(np.float32)
    change.keep *= 1 - flat * np.float32(1 - slide.keep)
    change.shift_u += flat * np.float32(slide.drag_px) * (1 - x).astype(np.float32)
    change.slope_a += flat * _streaks(across, slide.streak_seed)
    lip = np.exp(-(((rho - 1.05) / 0.08) ** 2)) * (x * np.sign(slide.drag_px) < -0.2)
    change.slope_u += (0.6 * lip * np.sign(slide.drag_px)).astype(np.float32)
    change.mask |= rho < 1.0


def _streaks(across: Floats, seed: int) -> Floats:
    table = np.random.default_rng(seed).normal(0, 0.16, 256).astype(np.float32)
    place = np.clip(across * 1.2 + 128, 0, 254)
    low = place.astype(np.int32)
    part = (place - low).astype(np.float32)
    return table[low] * (1 - part) + table[low + 1] * part


def _double(change: Change, line: DoubleLine, u: Floats, a: Floats) -> None:
    where = u + np.float32(line.skew) * a
    rise = (where - np.float32(line.from_px)) / np.float32(line.edge_px)
    fall = (np.float32(line.to_px) - where) / np.float32(line.edge_px)
    zone = np.clip(np.minimum(rise, fall) + 0.5, 0, 1).astype(np.float32)
    change.doubled = (
        zone * np.float32(line.depths[0]),
        zone * np.float32(line.depths[1]),
    )
    change.double_offset = line.offset
    change.mask |= zone > 0.5
