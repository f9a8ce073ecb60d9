"""One drawn part: its sizes, its knurling, its rivet, its blemishes and at most one defect.

Lengths are in *reference pixels*: the pixels of a 616 x 514 frame. `u` runs along the axis from
the start of the knurling towards the rivet; `a` is the arc length around the axis, 0 at the line
that faces the camera.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from samples.defects import Defect, draw_defect

CLASSES = ("normal", "dent", "slide", "double_line", "under_press")
SURFACE_DEFECTS = ("dent", "slide", "double_line")
# Width and height of a frame, px.
Size = tuple[int, int]
REFERENCE_SIZE = (616, 514)


@dataclass(frozen=True)
class Knurling:
    """Two families of grooves rolled at plus and minus `helix_rad` to the axis."""

    length_px: float
    radius_px: float
    pitch_px: float
    helix_rad: float
    phases: tuple[float, float]
    slope: float
    groove: float
    wave_px: float
    wave_phase: float
    wave_depth: float


@dataclass(frozen=True)
class Rivet:
    """A flanged, domed head on a shank; `gap_px` is what the press left open."""

    length_px: float
    flange_px: float
    flange_radius: float
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


@dataclass(frozen=True)
class Part:
    """Everything that stays the same between the shots of one part."""

    label: str
    knurling: Knurling
    rivet: Rivet
    stains: tuple[Stain, ...]
    defect: Defect | None
    texture_seed: int


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
    n_stains = int(rng.integers(0, 4))
    stains = tuple(_draw_stain(rng, knurling) for _ in range(n_stains))
    texture_seed = int(rng.integers(2**31))

    strength = rng.uniform() if severity is None else severity
    if label == "under_press":
        rivet = _lift(rivet, strength)
    defect = None
    if label in SURFACE_DEFECTS:
        defect = draw_defect(
            rng, label, strength, knurling.length_px, knurling.radius_px
        )
    return Part(label, knurling, rivet, stains, defect, texture_seed)


def _draw_knurling(rng: Generator) -> Knurling:
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
    return Rivet(
        length_px=rng.uniform(59, 63),
        flange_px=rng.uniform(12.5, 14.5),
        flange_radius=rng.uniform(1.11, 1.15),
        body_radius=rng.uniform(0.87, 0.91),
        shank_radius=rng.uniform(0.62, 0.68),
        gap_px=rng.uniform(0.6, 1.8),
    )


def _lift(rivet: Rivet, strength: float) -> Rivet:
    # far above the 1.8 px of a good rivet at most: which class a part is of is never in doubt
    return replace(rivet, gap_px=6.5 + 7.0 * strength)


def _draw_stain(rng: Generator, knurling: Knurling) -> Stain:
    return Stain(
        u_px=rng.uniform(0, knurling.length_px),
        a_px=rng.uniform(-1, 1) * knurling.radius_px,
        half_u_px=rng.uniform(12, 55),
        half_a_px=rng.uniform(8, 26),
        angle_rad=rng.uniform(0, np.pi),
        gain=rng.uniform(0.45, 0.85),
    )
