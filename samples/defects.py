"""The three defects of the knurling: what they are, and how they are drawn.

Each defect lies on the unrolled surface (`u` along the axis, `a` around it, reference pixels);
`changes` says what it does there. Under-press is no change of the surface: see `gap_px` of
`parts.Rivet`.
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
# Of double lines: how often both dies wobble.
BOTH_DIES_SHARE = 0.4
# What a slide leaves of the depth of the knurling: where it is weakest, and where it is strongest.
SLIDE_KEEP = (0.75, 0.1)
# Width of a slide's edge, in its half axes: from one that can be traced to one that fades out.
SLIDE_SOFTNESS = (0.2, 0.7)
# Seeds are drawn below this: what fits a signed number of 32 bits.
SEEDS = 2**31


@dataclass(frozen=True)
class Nick:
    """A bowl struck into the surface, or a scratch when it is long; lengths are half axes."""

    u_px: float
    a_px: float
    angle_rad: float
    """Direction of the long axis, from `u` towards `a`."""
    half_long_px: float
    half_wide_px: float
    depth: float
    """Slope at the rim of the bowl, across it."""
    wear: float
    """What the knurling loses of its depth where it was struck, 0..1."""


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
    """Half of the length along the push."""
    half_a_px: float
    """Half of the width across it."""
    angle_rad: float
    keep: float
    """What is left of the depth of the knurling, 0..1."""
    drag_px: float
    """How far the pattern is shifted in the middle: twice that at one end, not at the other."""
    wobble: tuple[float, ...]
    """How uneven the outline is: shares of the half axes, see `changes._outline`."""
    softness: float
    """Over what length it fades out, in half axes."""
    strength: float
    """Of its scratches and its lip, in shares of the strongest."""
    streak_seed: int
    """Seed of the scratches within."""


@dataclass(frozen=True)
class DoubleLine:
    """The rolling die wobbled: over a zone each groove has a second one beside it."""

    from_px: float
    to_px: float
    edge_px: float
    """Length along which the second grooves fade in, and out again."""
    skew: float
    """By how much the zone moves along the axis per px around it."""
    depths: tuple[float, float]
    """Depth of the second grooves in each of the two families, 0..1."""
    offset: float
    """Distance of the second grooves from the first, in pitches."""


Defect = Dent | Slide | DoubleLine


def draw_defect(
    rng: Generator,
    label: str,
    strength: float,
    length_px: float,
    radius_px: float,
) -> Defect:
    """Draw a defect that lies on the side the camera sees.

    `strength` is 0..1, `length_px` and `radius_px` are those of the knurling.
    """
    if label == "dent":
        return _draw_dent(rng, strength, length_px, radius_px)
    if label == "slide":
        return _draw_slide(rng, strength, length_px, radius_px)
    return _draw_double_line(rng, strength, length_px)


def _draw_dent(
    rng: Generator,
    strength: float,
    length_px: float,
    radius_px: float,
) -> Dent:
    """A scratch, or one to three bowls beside each other."""
    # with its middle on the knurling, and not at the very end
    u = rng.uniform(0.08, 0.92) * length_px
    a = rng.uniform(*ON_THE_SEEN_SIDE) * radius_px
    is_scratch = rng.uniform() < SCRATCH_SHARE
    if is_scratch:
        scratch = _draw_scratch(rng, strength, u, a)
        return Dent((scratch,))

    n_bowls = rng.integers(1, 4)
    bowls: list[Nick] = []
    for _ in range(n_bowls):
        # drawn for the first one as well, which lies where the part struck
        is_aside = bool(bowls)
        du = rng.normal(0, 15) * is_aside
        da = rng.normal(0, 11) * is_aside
        bowl = _draw_bowl(rng, strength, u + du, a + da)
        bowls.append(bowl)
    return Dent(tuple(bowls))


def _draw_scratch(rng: Generator, strength: float, u: float, a: float) -> Nick:
    """A nick that is many times as long as wide; the weakest is a hairline."""
    half_long = 14 + 31 * strength + rng.uniform(0, 8)
    half_wide = 2.0 + 5.3 * strength
    angle = rng.uniform(0, np.pi)
    return Nick(
        u_px=u,
        a_px=a,
        angle_rad=angle,
        half_long_px=half_long,
        half_wide_px=half_wide,
        # steeper than any bowl of that strength
        depth=0.5 + 0.6 * strength,
        wear=_wear(strength),
    )


def _draw_bowl(rng: Generator, strength: float, u: float, a: float) -> Nick:
    """A nick that is about twice as long as wide."""
    angle = rng.uniform(0, np.pi)
    half_long = 6 + 12 * strength + rng.uniform(0, 4)
    half_wide = 4.0 + 7.0 * strength
    return Nick(
        u_px=u,
        a_px=a,
        angle_rad=angle,
        half_long_px=half_long,
        half_wide_px=half_wide,
        depth=rng.uniform(0.8, 1.2) * (0.35 + 0.45 * strength),
        wear=_wear(strength),
    )


def _wear(strength: float) -> float:
    """The knurling goes with the metal that is displaced; a hard knock flattens most of it."""
    return 0.25 + 0.6 * strength


def _draw_slide(
    rng: Generator,
    strength: float,
    length_px: float,
    radius_px: float,
) -> Slide:
    half_u = 22 + 39 * strength + rng.uniform(0, 16)
    # more than half of it lies on the knurling: what is pushed over the end is no slide
    room = min(half_u * 0.6, length_px / 2)
    u = rng.uniform(room, length_px - room)
    a = rng.uniform(*ON_THE_SEEN_SIDE) * radius_px
    half_a = 14 + 18 * strength + rng.uniform(0, 6)

    # along the axis, give or take 14 degrees
    angle = rng.normal(0, 0.25)
    most_kept, least_kept = SLIDE_KEEP
    keep = most_kept + (least_kept - most_kept) * strength
    # to either end, by up to about a pitch of the grooves
    drag = rng.choice([-1, 1]) * (1 + 6 * strength + rng.uniform(0, 1))
    # two numbers for each of one, two and three bumps
    wobble = rng.normal(0, 0.12, 6)
    return Slide(
        u_px=u,
        a_px=a,
        half_u_px=half_u,
        half_a_px=half_a,
        angle_rad=angle,
        keep=keep,
        drag_px=float(drag),
        wobble=tuple(wobble.tolist()),
        softness=rng.uniform(*SLIDE_SOFTNESS),
        strength=0.3 + 0.7 * strength,
        streak_seed=int(rng.integers(SEEDS)),
    )


def _draw_double_line(rng: Generator, strength: float, length_px: float) -> DoubleLine:
    extent = 60 + 150 * strength + rng.uniform(0, 30)
    # a tenth of it at most lies beyond the knurling
    start = rng.uniform(-0.1 * extent, length_px - 0.9 * extent)

    # one die of the two wobbles, or both
    deep = min(1.0, rng.uniform(0.8, 1.2) * (0.3 + 0.7 * strength))
    other = deep if rng.uniform() < BOTH_DIES_SHARE else 0.0
    is_first_deep = rng.uniform() < 0.5
    depths = (deep, other) if is_first_deep else (other, deep)

    edge = rng.uniform(4, 16)
    skew = rng.normal(0, 0.25)
    # to either side; halfway to the next groove is the farthest there is
    offset = rng.choice([-1, 1]) * rng.uniform(0.36, 0.5)
    return DoubleLine(
        from_px=start,
        to_px=start + extent,
        edge_px=edge,
        skew=skew,
        depths=depths,
        offset=float(offset),
    )
