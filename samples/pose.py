"""How a part is held and lit in one shot, and where that puts it in the frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from samples.grid import HALF_HEIGHT_PX, Grid
from samples.optics import Lamp
from samples.parts import Part, Size

CAMERAS = ("Ch00", "Ch01")
# 2 x 3: turns, scales and shifts.
Matrix = NDArray[np.float64]
# From the middle of the knurling to that of the part, px: the rivet is on one side only.
RIVET_SIDE_PX = 34
# A camera that is aimed at the rivet has it nearer to the middle of the frame, by so much, px.
RIVET_AIM_PX = 30
# Seen from behind: by how much the part is turned about its axis, in radii of arc. What is drawn
# at most 0.75 radii to the side lies beyond the silhouette then, at pi / 2.
BEHIND = (2.5, 3.5)


@dataclass(frozen=True)
class Pose:
    """Where the part lies in the frame. Lengths in reference px, `tilt_rad` counter-clockwise."""

    camera: str
    dx_px: float
    """How far the part lies right of the middle of the frame."""
    dy_px: float
    """How far it lies below."""
    tilt_rad: float
    zoom: float
    """Size in the frame, 1 is that of the reference."""
    roll_px: float
    """How far it is turned about its axis, as length of arc."""
    focus_px: float
    """Sigma of the blur: no part is wholly in focus."""


def aimed_at_rivet(pose: Pose) -> Pose:
    """The pose as a camera has it that is aimed at the rivet."""
    # the second camera hangs the other way up, and sees the rivet on the left
    sides = (-1, 1)
    side = sides[CAMERAS.index(pose.camera)]
    return replace(pose, dx_px=pose.dx_px + side * RIVET_AIM_PX)


def seen_from_behind(pose: Pose, radius_px: float, rng: Generator) -> Pose:
    """The pose with the part turned about its axis."""
    turned = rng.uniform(*BEHIND) * radius_px
    return replace(pose, roll_px=pose.roll_px + turned)


def draw_pose(rng: Generator, camera: str, drift: float) -> Pose:
    """A pose near the taught one; the fixture creeps as the line runs."""
    # to and fro, and not by the same way for both cameras: a quarter of a turn apart
    quarters = CAMERAS.index(camera)
    turns = 1.3 * drift + 0.25 * quarters
    creep = float(np.sin(2 * np.pi * turns))
    dx = rng.normal(0, 5) + 9 * creep

    # slowly down over the line, 7 px in all
    sunk = 7 * (drift - 0.5)
    dy = rng.normal(0, 5) + sunk

    # the fixture lets no part tilt farther than that
    tilt_degrees = np.clip(rng.normal(0, 1.2), -3.2, 3.2)
    tilt_rad = float(np.radians(tilt_degrees))
    return Pose(
        camera=camera,
        dx_px=dx,
        dy_px=dy,
        tilt_rad=tilt_rad,
        zoom=rng.uniform(0.985, 1.02),
        roll_px=rng.uniform(-7, 7),
        focus_px=rng.uniform(0.35, 0.75),
    )


def draw_lamp(rng: Generator, camera: str, drift: float) -> Lamp:
    """The lamp ages and is readjusted as the line runs, and differs a little from shot to shot."""
    # the second camera sees the same lamp from the other side
    side = np.pi * CAMERAS.index(camera)

    # a fifth darker from the first part to the last, and twice brighter again on the way
    readjusted = 0.10 * np.sin(2 * np.pi * 2.1 * drift)
    ageing = 1.08 - 0.22 * drift + readjusted
    gain = ageing * rng.uniform(0.82, 1.22)
    ring_tilt = rng.uniform(0.52, 0.62)
    ring_width = rng.uniform(0.17, 0.23)

    # the ring turns as the line runs, and the bar stays
    azimuth = side + 0.9 + 0.6 * drift + rng.normal(0, 0.35)
    uneven = rng.uniform(0.25, 0.65)
    bar_azimuth = side + 4.2 + rng.normal(0, 0.5)
    return Lamp(
        gain=float(gain),
        ring_tilt=ring_tilt,
        ring_width=ring_width,
        azimuth_rad=float(azimuth),
        uneven=uneven,
        bar_azimuth_rad=float(bar_azimuth),
        bar_tilt=rng.uniform(0.28, 0.46),
        bar_gain=rng.uniform(0.3, 0.9),
    )


def placement(part: Part, pose: Pose, grid: Grid, size: Size, scale: float) -> Matrix:
    """The 2 x 3 matrix from grid points to frame pixels. `Ch01` hangs the other way up."""
    half_turn = np.pi * CAMERAS.index(pose.camera)
    angle = pose.tilt_rad + half_turn
    cos = np.cos(angle)
    sin = np.sin(angle)
    rotation = np.array([[cos, -sin], [sin, cos]])
    step = scale * pose.zoom / grid.per_px
    turn = step * rotation

    # the middle of the part comes to lie near that of the frame
    middle = middle_of(part) + grid.left_px
    anchor = np.array([middle, HALF_HEIGHT_PX]) * grid.per_px
    shift = np.array([pose.dx_px, pose.dy_px]) * scale
    width, height = size
    centre = np.array([width / 2, height / 2])
    target = centre + shift
    offset = target - turn @ anchor
    return np.hstack([turn, offset[:, None]])


def middle_of(part: Part) -> float:
    """The point of the axis that is laid in the middle of the frame."""
    return part.knurling.length_px / 2 + RIVET_SIDE_PX
