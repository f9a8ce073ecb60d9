"""The relief of the knurling: two families of grooves, the diamonds between them, and oil.

Arrays have shape (n_v, n_u), for points that lie at `u` along the axis and `a` around it, px. A
phase counts the grooves of one family: at whole numbers a groove is deepest.
"""

from __future__ import annotations

import numpy as np

from samples.changes import Change, direction, turned
from samples.defects import Floats
from samples.parts import Knurling, Part, Stain

# Width of a groove that has a second one beside it, of its own: both fit where there was one.
NARROWED = 0.62
# From each end of the knurling, px: from here on it is as deep as it gets.
SHALLOW_END_PX = 9
# What is left of the depth at the very end.
MIN_END_DEPTH = 0.15
# Kinds of diamonds; a power of two, so that a mask picks one.
N_DIAMONDS = 1024
# Standard deviations of their tone, as a share, and of their tilt, as a slope.
TONE_SPREAD = 0.16
TILT_SPREAD = 0.06
# No tone so far out that a sound diamond would look like a defect.
TONE_LIMITS = (-0.5, 0.6)


def relief(
    part: Part,
    u: Floats,
    a: Floats,
    change: Change,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Slopes along u and a, height 0..1, and the tone of each diamond."""
    k = part.knurling
    phase_one, phase_two = _phases(k, u, a, change)
    doubled_one, doubled_two = change.doubled
    offset = change.double_offset
    height_one, slope_one = _groove(phase_one, k.groove, doubled_one, offset)
    height_two, slope_two = _groove(phase_two, k.groove, doubled_two, offset)

    # where grooves cross, the lower one cuts the other
    is_one_lower = height_one < height_two
    lowest = np.where(is_one_lower, height_one, height_two)
    keep = change.keep
    height = 1 - keep * (1 - lowest)

    # across each family of grooves
    depth = np.float32(k.slope) * keep * _depth(k, u)
    across_one = np.where(is_one_lower, slope_one, 0) * depth
    across_two = np.where(is_one_lower, 0, slope_two) * depth

    # diamonds are the tops between the grooves, and go with them
    tone, tilt_u, tilt_a = _per_diamond(part.texture_seed, phase_one, phase_two)
    cos, sin = direction(k.helix_rad)
    slope_u = (across_one + across_two) * sin + tilt_u * keep
    slope_a = (across_one - across_two) * cos + tilt_a * keep
    return slope_u, slope_a, height, 1 + tone * keep


def _phases(
    k: Knurling,
    u: Floats,
    a: Floats,
    change: Change,
) -> tuple[Floats, Floats]:
    """The phase in each of the two families of grooves."""
    # grooves per px
    along = np.sin(k.helix_rad) / k.pitch_px
    around = np.cos(k.helix_rad) / k.pitch_px

    # a pattern that was dragged shows what was elsewhere
    x = (u + change.shift_u) * np.float32(along)
    y = (a + change.shift_a) * np.float32(around)

    first, second = k.phases
    one = x + y + np.float32(first)
    two = x - y + np.float32(second)
    return one, two


def _groove(
    phase: Floats,
    half_width: float,
    doubled: Floats,
    offset: float,
) -> tuple[Floats, Floats]:
    """Height 0..1 and slope -1..1 across one family of V grooves that lie at whole phases."""
    height, slope = _vee(phase, half_width)
    if offset == 0:
        return height, slope

    # narrower ones, so that two fit where there was one
    narrow = NARROWED * half_width
    moved = phase + np.float32(offset)
    second, second_slope = _vee(moved, narrow)
    first, first_slope = _vee(phase, narrow)

    # the lower one of the two, as where the families cross
    both = np.minimum(first, second)
    both_slope = np.where(first < second, first_slope, second_slope)

    # from the one groove to the two, as far as the second is rolled
    height = height + (both - height) * doubled
    slope = slope + (both_slope - slope) * doubled
    return height, slope


def _vee(phase: Floats, half_width: float) -> tuple[Floats, Floats]:
    """Height and slope of one V groove at each whole phase."""
    x = phase - np.rint(phase)
    distance = np.abs(x)
    height = np.minimum(distance / np.float32(half_width), 1)

    is_flank = distance < half_width
    slope = np.where(is_flank, np.sign(x), 0).astype(np.float32)
    return height, slope


def _depth(k: Knurling, u: Floats) -> Floats:
    """How deep the knurling was rolled along the axis: shallow at the ends, with a slow wave."""
    # the same around the axis, so one row says it
    row = u[0]
    from_end = np.minimum(row, k.length_px - row)
    ends = np.clip(from_end / SHALLOW_END_PX, MIN_END_DEPTH, 1)

    angle = 2 * np.pi * row / k.wave_px + k.wave_phase
    trough = 0.5 + 0.5 * np.sin(angle)
    wave = 1 - k.wave_depth * trough
    return (ends * wave).astype(np.float32)[None]


def _per_diamond(seed: int, one: Floats, two: Floats) -> tuple[Floats, Floats, Floats]:
    """Tone (0 is average) and tilt of each diamond, the same in every shot of the part.

    `one` and `two` are the phases; a diamond lies between two grooves of each family.
    """
    i = np.floor(one).astype(np.int32)
    j = np.floor(two).astype(np.int32)
    # one of all kinds by its place; with primes, so that neighbours differ
    scattered = i * 73 + j * 179 + (i * j) * 31
    kind = scattered & (N_DIAMONDS - 1)

    # the lathe's marks take the seed itself
    rng = np.random.default_rng(seed + 1)
    tones = rng.normal(0, TONE_SPREAD, N_DIAMONDS)
    tone = np.clip(tones, *TONE_LIMITS).astype(np.float32)
    tilts = rng.normal(0, TILT_SPREAD, (2, N_DIAMONDS))
    tilt_u, tilt_a = tilts.astype(np.float32)
    return tone[kind], tilt_u[kind], tilt_a[kind]


def film(stains: tuple[Stain, ...], u: Floats, a: Floats) -> Floats:
    """What the oil lets through, 0..1."""
    passed = np.ones_like(u)
    for stain in stains:
        absorbed = np.float32(1 - stain.gain)
        passed *= 1 - absorbed * _bump(stain, u, a)
    return passed


def _bump(stain: Stain, u: Floats, a: Floats) -> Floats:
    """How much oil there is, 0..1: flat in the middle, with a soft edge."""
    centre = (stain.u_px, stain.a_px)
    along, across = turned(u, a, centre, stain.angle_rad)
    x = along / stain.half_u_px
    y = across / stain.half_a_px

    # the fourth power of the distance from the middle
    squared = x * x + y * y
    return np.exp(-(squared**2)).astype(np.float32)
