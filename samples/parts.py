"""One drawn part: its sizes, its knurling, its rivet, its blemishes and at most one defect.

Lengths are in *reference pixels*: the pixels of a 616 x 514 frame. `u` runs along the axis from
the start of the knurling towards the rivet; `a` is the arc length around the axis, 0 at the line
that faces the camera.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from samples.defects import SEEDS, Defect, draw_defect

CLASSES = ("normal", "dent", "slide", "double_line", "under_press")
SURFACE_DEFECTS = ("dent", "slide", "double_line")
# Exponent that makes strength of severity, below 1: what goes wrong mostly goes wrong plainly, and
# weak defects are rarer than strong ones.
MOSTLY_PLAIN = 0.6
# Strength of the weakest defect of the surface, in shares of the strongest: one that a person finds
# who knows where to look.
MIN_STRENGTH = 0.3
# Gap of a rivet that is not seated, px: from a little above the 1.8 px of a good one at most, up to
# what nobody overlooks.
UNSEATED_GAP_PX = (3.5, 17.0)
# Width and height of a frame, px.
Size = tuple[int, int]
# The frame in whose pixels all lengths are; a quarter of the real line's, on each side.
REFERENCE_SIZE = (616, 514)


@dataclass(frozen=True)
class Knurling:
    """Two families of grooves rolled at plus and minus `helix_rad` to the axis."""

    length_px: float
    radius_px: float
    pitch_px: float
    """Distance from one groove to the next, across them."""
    helix_rad: float
    phases: tuple[float, float]
    """By how much the grooves of each family are displaced, in pitches, 0..1."""
    slope: float
    """Slope of the flanks of a groove where it is rolled to its full depth."""
    groove: float
    """Half of a groove's width, in pitches: at 0.5 no flat top is left between two."""
    wave_px: float
    """Length along the axis over which the depth comes and goes."""
    wave_phase: float
    wave_depth: float
    """How much of the depth is lost where it is least, 0..1."""


@dataclass(frozen=True)
class Rivet:
    """A flanged, domed head on a shank; `gap_px` is what the press left open."""

    length_px: float
    """Of the head: flange, body and dome."""
    flange_px: float
    """Thickness of the flange along the axis."""
    flange_radius: float
    """This radius and the two below are in radii of the knurling."""
    body_radius: float
    shank_radius: float
    gap_px: float


@dataclass(frozen=True)
class Stain:
    """A film of oil on the knurling: it darkens, and leaves the grooves as they are."""

    u_px: float
    a_px: float
    half_u_px: float
    half_a_px: float
    angle_rad: float
    gain: float
    """Share of the light that gets through in the middle."""


@dataclass(frozen=True)
class Part:
    """Everything that stays the same between the shots of one part."""

    label: str
    knurling: Knurling
    rivet: Rivet
    stains: tuple[Stain, ...]
    defect: Defect | None
    texture_seed: int
    """Seed of the lathe's marks and of the diamonds."""


def draw_part(rng: Generator, *, label: str, severity: float | None = None) -> Part:
    """Draw a part of class `label`; `severity` (0..1, default drawn) is how strong its defect is.

    Sizes, wear and stains are drawn before the defect and do not depend on the class.
    """
    if label not in CLASSES:
        raise ValueError(
            f"draw_part: label is {label!r}; use one of {', '.join(CLASSES)}"
        )

    knurling = _draw_knurling(rng)
    rivet = _draw_rivet(rng)
    # none to three
    n_stains = int(rng.integers(0, 4))
    stains = tuple(_draw_stain(rng, knurling) for _ in range(n_stains))
    texture_seed = int(rng.integers(SEEDS))

    # drawn for a given severity too, so that what is drawn after it is the same
    drawn = rng.uniform()
    if severity is None:
        severity = drawn
    plainness = severity**MOSTLY_PLAIN
    if label == "under_press":
        rivet = _lift(rivet, plainness)

    defect = None
    if label in SURFACE_DEFECTS:
        strength = MIN_STRENGTH + (1 - MIN_STRENGTH) * plainness
        defect = draw_defect(
            rng,
            label,
            strength,
            knurling.length_px,
            knurling.radius_px,
        )
    return Part(
        label=label,
        knurling=knurling,
        rivet=rivet,
        stains=stains,
        defect=defect,
        texture_seed=texture_seed,
    )


def _draw_knurling(rng: Generator) -> Knurling:
    """A sound knurling; the spans are how much parts of one line differ."""
    return Knurling(
        length_px=rng.uniform(290, 308),
        radius_px=rng.uniform(53, 58),
        pitch_px=rng.uniform(7.7, 8.5),
        helix_rad=float(np.radians(rng.uniform(33.5, 37))),
        phases=(rng.uniform(), rng.uniform()),
        slope=rng.uniform(0.6, 0.85),
        groove=rng.uniform(0.32, 0.40),
        wave_px=rng.uniform(70, 260),
        wave_phase=rng.uniform(0, 2 * np.pi),
        wave_depth=rng.uniform(0.0, 0.3),
    )


def _draw_rivet(rng: Generator) -> Rivet:
    """A rivet that is seated: all but no gap."""
    return Rivet(
        length_px=rng.uniform(59, 63),
        flange_px=rng.uniform(12.5, 14.5),
        flange_radius=rng.uniform(1.11, 1.15),
        body_radius=rng.uniform(0.87, 0.91),
        shank_radius=rng.uniform(0.62, 0.68),
        gap_px=rng.uniform(0.6, 1.8),
    )


def _lift(rivet: Rivet, plainness: float) -> Rivet:
    """The rivet as a press leaves it that did not push it home; `plainness` is 0..1."""
    least, most = UNSEATED_GAP_PX
    gap = least + (most - least) * plainness
    return replace(rivet, gap_px=gap)


def _draw_stain(rng: Generator, knurling: Knurling) -> Stain:
    """A stain anywhere on the side of the knurling that the camera sees."""
    return Stain(
        u_px=rng.uniform(0, knurling.length_px),
        a_px=rng.uniform(-1, 1) * knurling.radius_px,
        half_u_px=rng.uniform(12, 55),
        half_a_px=rng.uniform(8, 26),
        angle_rad=rng.uniform(0, np.pi),
        gain=rng.uniform(0.45, 0.85),
    )
