"""What the defects of the knurling do to its surface.

Each maps points of the unrolled surface (`u` along the axis, `a` around it, reference pixels) to
a `Change`. Within a defect `x` runs along it and `y` across, in its half axes; `rho` is the
distance from its middle, 1 at its edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samples.defects import Bools, Defect, Dent, DoubleLine, Floats, Nick, Slide

# Slope of a burr where it is steepest, at the rim of its bowl, in the bowl's own slope there; it
# leans the other way.
BURR_SLOPE = -0.8
# Where a burr ends, in half axes of its bowl.
BURR_REACH = 1.5
# How far the pattern is pushed outwards in a bowl, in shares of its half width.
PUSH = 0.35
# Light that a bowl of slope 1 loses in its middle: its walls stand before the lamps.
BOWL_SHADE = 0.45
# Where the lip beside a slide is highest, and how wide it is, in half axes of the slide.
LIP_AT = 1.05
LIP_WIDTH = 0.08
# Slope of the lip along the axis.
LIP_SLOPE = 0.6
# Least and most that an uneven outline reaches, where an ellipse has 1.
OUTLINE_REACH = (0.6, 1.5)
# Scratches drawn for a slide: enough for 213 px across, and no slide is as wide.
N_STREAKS = 256
STREAKS_PER_PX = 1.2
# Standard deviation of their slopes.
STREAK_SLOPE = 0.16


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
    shift_a: Floats
    """By how much it was dragged around it, px."""
    light: Floats
    """Factor of the light that the place gets, 0..1."""
    doubled: tuple[Floats, Floats]
    """Depth of a second set of grooves in each of the two families, 0..1."""
    double_offset: float
    """Distance of the second set from the first, in pitches."""
    mask: Bools
    """Where a person would say the defect is."""


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
    """What the surface is where it has no defect; arrays of the shape of `u`."""

    def zeros() -> Floats:
        return np.zeros(u.shape, np.float32)

    return Change(
        keep=np.ones(u.shape, np.float32),
        slope_u=zeros(),
        slope_a=zeros(),
        shift_u=zeros(),
        shift_a=zeros(),
        light=np.ones(u.shape, np.float32),
        doubled=(zeros(), zeros()),
        double_offset=0.0,
        mask=np.zeros(u.shape, np.bool_),
    )


def direction(angle_rad: float) -> tuple[np.float32, np.float32]:
    """Cosine and sine, in the precision of the arrays that they turn."""
    cos = np.float32(np.cos(angle_rad))
    sin = np.float32(np.sin(angle_rad))
    return cos, sin


def turned(
    u: Floats,
    a: Floats,
    centre: tuple[float, float],
    angle_rad: float,
) -> tuple[Floats, Floats]:
    """Places along and across a direction, from a centre, px."""
    cos, sin = direction(angle_rad)
    u_centre, a_centre = centre
    du = u - np.float32(u_centre)
    da = a - np.float32(a_centre)

    along = du * cos + da * sin
    across = da * cos - du * sin
    return along, across


def _strike(change: Change, nick: Nick, u: Floats, a: Floats) -> None:
    """A bowl inside, a burr thrown up around it; the knurling goes down with the metal."""
    centre = (nick.u_px, nick.a_px)
    along, across = turned(u, a, centre, nick.angle_rad)
    x = along / np.float32(nick.half_long_px)
    y = across / np.float32(nick.half_wide_px)
    rho = np.sqrt(x * x + y * y)

    # a long bowl is less steep along than across
    steep = np.float32(nick.depth) * _bowl(rho)
    flatter = np.float32(nick.half_wide_px / nick.half_long_px)
    slope_x = steep * x * flatter
    slope_y = steep * y

    # back from the nick's own axes to those of the part
    cos, sin = direction(nick.angle_rad)
    change.slope_u += slope_x * cos - slope_y * sin
    change.slope_a += slope_x * sin + slope_y * cos

    # what strikes wears the pattern a little beyond the bowl, and a person boxes that as well:
    # all of it up to the rim, at 1, none of it from 1.25 on
    struck = np.clip((1.25 - rho) * 4, 0, 1).astype(np.float32)
    change.keep *= 1 - np.float32(nick.wear) * struck
    change.mask |= rho < 1.2

    # metal flows to the sides: what is seen at a place was nearer to the middle
    pushed = np.float32(PUSH * nick.half_wide_px) * struck
    push_x = -pushed * x * flatter
    push_y = -pushed * y
    change.shift_u += push_x * cos - push_y * sin
    change.shift_a += push_x * sin + push_y * cos

    # darkest in the middle, and not at all at the rim
    deep = np.clip(1 - rho * rho, 0, 1).astype(np.float32)
    change.light *= 1 - np.float32(BOWL_SHADE * nick.depth) * deep


def _bowl(rho: Floats) -> Floats:
    """Slope of a nick in shares of that of its rim: negative for the burr, which leans outwards."""
    # 0.5 half axes before its end, the burr begins at the rim
    from_end = np.clip(BURR_REACH - rho, 0, 1)
    burr = BURR_SLOPE * from_end / 0.5
    is_inside = rho < 1
    return np.where(is_inside, 1.0, burr).astype(np.float32)


def _push(change: Change, slide: Slide, u: Floats, a: Floats) -> None:
    """The pattern is flat and dragged, with scratches in it and a lip along one edge."""
    centre = (slide.u_px, slide.a_px)
    along, across = turned(u, a, centre, slide.angle_rad)
    x = along / np.float32(slide.half_u_px)
    y = across / np.float32(slide.half_a_px)
    from_middle = np.sqrt(x * x + y * y)
    rho = from_middle / _outline(x, y, slide.wobble)

    # half of it is lost on the outline, where a person would draw the edge
    to_edge = (1 - rho) / np.float32(slide.softness)
    flat = np.clip(to_edge + 0.5, 0, 1).astype(np.float32)
    lost = np.float32(1 - slide.keep)
    change.keep *= 1 - flat * lost

    # the smear runs out towards one end
    remaining = (1 - x).astype(np.float32)
    drag = np.float32(slide.drag_px)
    change.shift_u += flat * drag * remaining
    strength = np.float32(slide.strength)
    change.slope_a += strength * flat * _streaks(across, slide.streak_seed)

    # the metal that was pushed away stands up in a lip along one edge
    sense = np.sign(slide.drag_px)
    change.slope_u += strength * _lip(x, rho, sense)
    change.mask |= rho < 1.0


def _lip(x: Floats, rho: Floats, sense: np.float64) -> Floats:
    """Slopes along the axis of the lip; it lies where `x` has not the sign of `sense` (-1 or 1)."""
    off = (rho - LIP_AT) / LIP_WIDTH
    ridge = np.exp(-(off**2))
    is_beside = x * sense < -0.2
    lip = ridge * is_beside
    return (LIP_SLOPE * lip * sense).astype(np.float32)


def _outline(x: Floats, y: Floats, wobble: tuple[float, ...]) -> Floats:
    """How far an uneven blot reaches in the direction of each point, where an ellipse has 1."""
    turn = np.arctan2(y, x)
    edge = np.ones_like(turn)
    for k, size in enumerate(wobble):
        # by turns a cosine and a sine, of one, two and three bumps
        n_bumps = k // 2 + 1
        quarter = (k % 2) * np.float32(np.pi / 2)
        wave = np.cos(n_bumps * turn + quarter)
        edge += np.float32(size) * wave

    low, high = OUTLINE_REACH
    return np.clip(edge, low, high)


def _streaks(across: Floats, seed: int) -> Floats:
    """Slopes across the push: scratches side by side, each as long as the push."""
    rng = np.random.default_rng(seed)
    table = rng.normal(0, STREAK_SLOPE, N_STREAKS).astype(np.float32)

    # the middle of the table at the middle of the push; the last place has a neighbour as well
    middle = N_STREAKS // 2
    last = N_STREAKS - 2
    place = np.clip(across * STREAKS_PER_PX + middle, 0, last)

    # between the two nearest scratches
    low = place.astype(np.int32)
    part = (place - low).astype(np.float32)
    before = table[low]
    after = table[low + 1]
    return before * (1 - part) + after * part


def _double(change: Change, line: DoubleLine, u: Floats, a: Floats) -> None:
    """A second set of grooves between two places along the axis, which fades in and out."""
    where = u + np.float32(line.skew) * a
    edge = np.float32(line.edge_px)
    start = np.float32(line.from_px)
    end = np.float32(line.to_px)
    rise = (where - start) / edge
    fall = (end - where) / edge

    # half at either end, so that the mask reaches from the one to the other
    nearer = np.minimum(rise, fall)
    zone = np.clip(nearer + 0.5, 0, 1).astype(np.float32)

    first, second = line.depths
    doubled_one = zone * np.float32(first)
    doubled_two = zone * np.float32(second)
    change.doubled = (doubled_one, doubled_two)
    change.double_offset = line.offset
    change.mask |= zone > 0.5
