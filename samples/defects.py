"""The three defects of the knurling, as changes of its surface.

Each defect maps points of the unrolled surface (`u` along the axis, `a` around it, reference
pixels) to a `Change`. Under-press is no change of the surface: see `parts.Rivet.gap_px`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


# Places around the axis, in radii: from 0.75 on the surface turns away from the camera.
ON_THE_SEEN_SIDE = (-0.75, 0.75)
# Of dents: what falls is scratched about as often as it is struck.
SCRATCH_SHARE = 0.55


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
    rng: Generator,
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
    rng: Generator, strength: float, length_px: float, radius_px: float
) -> Dent:
    u = rng.uniform(0.08, 0.92) * length_px
    a = rng.uniform(*ON_THE_SEEN_SIDE) * radius_px
    if rng.uniform() < SCRATCH_SHARE:
        half_long = 25 + 20 * strength + rng.uniform(0, 8)
        half_wide = 4.7 + 2.6 * strength
        angle = rng.uniform(0, np.pi)
        scratch = Nick(u, a, angle, half_long, half_wide, depth=1.1)
        return Dent((scratch,))

    nicks: list[Nick] = []
    for _ in range(rng.integers(1, 4)):
        # drawn for the first one as well, which lies where the part struck
        du = rng.normal(0, 15) * bool(nicks)
        da = rng.normal(0, 11) * bool(nicks)
        nick = Nick(
            u_px=u + du,
            a_px=a + da,
            angle_rad=rng.uniform(0, np.pi),
            half_long_px=11 + 7 * strength + rng.uniform(0, 4),
            half_wide_px=7.0 + 4.0 * strength,
            depth=rng.uniform(0.5, 0.95),
        )
        nicks.append(nick)
    return Dent(tuple(nicks))


def _draw_slide(
    rng: Generator, strength: float, length_px: float, radius_px: float
) -> Slide:
    half_u = 31 + 30 * strength + rng.uniform(0, 16)
    # more than half of it lies on the knurling: what is pushed over the end is no slide
    room = min(half_u * 0.6, length_px / 2)
    return Slide(
        u_px=rng.uniform(room, length_px - room),
        a_px=rng.uniform(*ON_THE_SEEN_SIDE) * radius_px,
        half_u_px=half_u,
        half_a_px=18 + 14 * strength + rng.uniform(0, 6),
        angle_rad=rng.normal(0, 0.25),
        keep=rng.uniform(0.1, 0.34),
        drag_px=float(rng.choice([-1, 1]) * rng.uniform(3, 8)),
        wobble=tuple(rng.normal(0, 0.12, 6).tolist()),
        streak_seed=int(rng.integers(2**31)),
    )


def _draw_double_line(rng: Generator, strength: float, length_px: float) -> DoubleLine:
    extent = 90 + 120 * strength + rng.uniform(0, 30)
    start = rng.uniform(-0.1 * extent, length_px - 0.9 * extent)
    # one die of the two wobbles, or both
    deep = rng.uniform(0.65, 1.0)
    other = deep if rng.uniform() < 0.4 else 0.0
    depths = (deep, other) if rng.uniform() < 0.5 else (other, deep)
    return DoubleLine(
        from_px=start,
        to_px=start + extent,
        edge_px=rng.uniform(4, 16),
        skew=rng.normal(0, 0.25),
        depths=depths,
        offset=float(rng.choice([-1, 1]) * rng.uniform(0.36, 0.5)),
    )


def direction(angle_rad: float) -> tuple[np.float32, np.float32]:
    """Cosine and sine, in the precision of the arrays that they turn."""
    return np.float32(np.cos(angle_rad)), np.float32(np.sin(angle_rad))


def _turn(
    u: Floats, a: Floats, centre: tuple[float, float], angle: float
) -> tuple[Floats, Floats]:
    """Places along and across a direction, from a centre."""
    cos, sin = direction(angle)
    u_centre, a_centre = centre
    du = u - np.float32(u_centre)
    da = a - np.float32(a_centre)
    along = du * cos + da * sin
    across = da * cos - du * sin
    return along, across


def _strike(change: Change, nick: Nick, u: Floats, a: Floats) -> None:
    along, across = _turn(u, a, (nick.u_px, nick.a_px), nick.angle_rad)
    x = along / np.float32(nick.half_long_px)
    y = across / np.float32(nick.half_wide_px)
    rho = np.sqrt(x * x + y * y)

    # a bowl inside, a burr thrown up around it
    burr = -0.8 * np.clip(1.5 - rho, 0, 1) / 0.5
    bowl = np.where(rho < 1, 1.0, burr).astype(np.float32)
    steep = np.float32(nick.depth) * bowl

    # a long bowl is less steep along than across
    flatter = np.float32(nick.half_wide_px / nick.half_long_px)
    slope_x = steep * x * flatter
    slope_y = steep * y
    cos, sin = direction(nick.angle_rad)
    change.slope_u += slope_x * cos - slope_y * sin
    change.slope_a += slope_x * sin + slope_y * cos

    # what strikes takes the pattern a little beyond the bowl, and a person boxes that as well
    struck = np.clip((1.25 - rho) * 4, 0, 1).astype(np.float32)
    change.keep *= 1 - struck
    change.mask |= rho < 1.2


def _push(change: Change, slide: Slide, u: Floats, a: Floats) -> None:
    along, across = _turn(u, a, (slide.u_px, slide.a_px), slide.angle_rad)
    x = along / np.float32(slide.half_u_px)
    y = across / np.float32(slide.half_a_px)
    rho = np.sqrt(x * x + y * y) / _outline(x, y, slide.wobble)

    flat = np.clip((1.1 - rho) * 5, 0, 1).astype(np.float32)
    change.keep *= 1 - flat * np.float32(1 - slide.keep)
    # the smear runs out towards one end
    remaining = (1 - x).astype(np.float32)
    change.shift_u += flat * np.float32(slide.drag_px) * remaining
    change.slope_a += flat * _streaks(across, slide.streak_seed)

    # the metal that was pushed away stands up in a lip along one edge
    sense = np.sign(slide.drag_px)
    ridge = np.exp(-(((rho - 1.05) / 0.08) ** 2))
    lip = ridge * (x * sense < -0.2)
    change.slope_u += (0.6 * lip * sense).astype(np.float32)
    change.mask |= rho < 1.0


def _outline(x: Floats, y: Floats, wobble: tuple[float, ...]) -> Floats:
    """How far an uneven blot reaches in the direction of each point, where an ellipse has 1."""
    turn = np.arctan2(y, x)
    edge = np.ones_like(turn)
    for k, size in enumerate(wobble):
        # by turns a cosine and a sine, of one, two and three bumps
        n_bumps = k // 2 + 1
        quarter = (k % 2) * np.float32(np.pi / 2)
        edge += np.float32(size) * np.cos(n_bumps * turn + quarter)
    return np.clip(edge, 0.6, 1.5)


def _streaks(across: Floats, seed: int) -> Floats:
    """Slopes across the push: scratches side by side, each as long as the push."""
    table = np.random.default_rng(seed).normal(0, 0.16, 256).astype(np.float32)
    place = np.clip(across * 1.2 + 128, 0, 254)
    low = place.astype(np.int32)
    part = (place - low).astype(np.float32)
    before, after = table[low], table[low + 1]
    return before * (1 - part) + after * part


def _double(change: Change, line: DoubleLine, u: Floats, a: Floats) -> None:
    where = u + np.float32(line.skew) * a
    edge = np.float32(line.edge_px)
    rise = (where - np.float32(line.from_px)) / edge
    fall = (np.float32(line.to_px) - where) / edge
    zone = np.clip(np.minimum(rise, fall) + 0.5, 0, 1).astype(np.float32)

    first, second = line.depths
    change.doubled = (zone * np.float32(first), zone * np.float32(second))
    change.double_offset = line.offset
    change.mask |= zone > 0.5
