"""One view of one part: pose, lamp, background, and the frame with the truth about it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from samples.background import draw_background, draw_dust
from samples.defects import Bools, Floats
from samples.optics import Lamp, blurred, develop, lit
from samples.parts import REFERENCE_SIZE, Part, Size, draw_part
from samples.surface import HALF_HEIGHT_PX, Grid, shape

Box = tuple[int, int, int, int]
# 2 x 3: turns, scales and shifts.
Matrix = NDArray[np.float64]
CAMERAS = ("Ch00", "Ch01")
# Where the seat of the rivet is boxed, from the end of the knurling on, and half of the box across,
# in radii of the knurling: with room for a rivet that stands off as far as any does.
RIVET_WINDOW_PX = (-6.0, 80.0)
RIVET_HALF_RADII = 1.24


@dataclass(frozen=True)
class Pose:
    """Where the part lies in the frame. Lengths in reference px, `tilt_rad` counter-clockwise."""

    camera: str
    dx_px: float
    dy_px: float
    tilt_rad: float
    zoom: float
    roll_px: float
    focus_px: float


@dataclass(frozen=True)
class SceneView:
    """A frame and its truth; boxes are (x, y, width, height) in frame pixels."""

    frame: NDArray[np.uint8]
    mask: Bools
    label: str
    camera: str
    knurling_box: Box
    rivet_box: Box
    defect_box: Box | None


def draw_view(
    rng: Generator,
    *,
    label: str = "normal",
    size: Size = REFERENCE_SIZE,
    camera: str = "Ch00",
    severity: float | None = None,
) -> SceneView:
    """Draw one view of a fresh part; `size` is (width, height) px, `severity` 0..1 or drawn."""
    part = draw_part(rng, label=label, severity=severity)
    return shoot(part, rng, size=size, camera=camera)


def shoot(
    part: Part,
    rng: Generator,
    *,
    size: Size,
    camera: str,
    drift: float = 0.0,
) -> SceneView:
    """Photograph `part` once. `drift` (0..1) is how far down the line the part came.

    Pose, lamp and background are drawn without a look at the class of the part.
    """
    pose = draw_pose(rng, camera, drift)
    lamp = draw_lamp(rng, camera, drift)

    width, height = size
    reference_width, reference_height = REFERENCE_SIZE
    scale = min(width / reference_width, height / reference_height)

    # so much of the rod that it leaves the frame, whichever way the part is laid
    left = max(0.0, 0.54 * width / scale - _middle(part)) + 30
    # up to twice as fine as the frame, never coarser: the grooves would make moiré
    per_px = max(1.0, scale, min(2.0, 2 * scale))
    grid = Grid.of(part, per_px, left)
    picture, inside, defect = _render(part, grid, pose.roll_px, lamp)
    matrix = placement(part, pose, grid, size, scale)

    radiance = draw_background(rng, camera, size, scale, drift)
    _paste(radiance, picture, inside, matrix, pose.focus_px * grid.per_px)
    draw_dust(rng, radiance, scale)

    centre = rng.uniform(0.42, 0.58, 2).astype(np.float32)
    vignette = rng.uniform(0.5, 1.1)
    frame = develop(radiance, rng=rng, lamp=lamp, vignette=vignette, centre=centre)

    mask = _warp_mask(defect, matrix, size)
    knurling_box, rivet_box = _part_boxes(part, matrix, grid, size)
    return SceneView(
        frame=frame,
        mask=mask,
        label=part.label,
        camera=camera,
        knurling_box=knurling_box,
        rivet_box=rivet_box,
        defect_box=box_of(mask),
    )


def draw_pose(rng: Generator, camera: str, drift: float) -> Pose:
    """A pose near the taught one; the fixture creeps as the line runs."""
    # to and fro, and not by the same way for both cameras
    turns = 1.3 * drift + 0.25 * CAMERAS.index(camera)
    creep = float(np.sin(2 * np.pi * turns))
    dx = rng.normal(0, 5) + 9 * creep
    dy = rng.normal(0, 5) + 7 * (drift - 0.5)
    tilt_degrees = np.clip(rng.normal(0, 1.2), -3.2, 3.2)
    return Pose(
        camera=camera,
        dx_px=dx,
        dy_px=dy,
        tilt_rad=float(np.radians(tilt_degrees)),
        zoom=rng.uniform(0.985, 1.02),
        roll_px=rng.uniform(-7, 7),
        focus_px=rng.uniform(0.35, 0.75),
    )


def draw_lamp(rng: Generator, camera: str, drift: float) -> Lamp:
    """The lamp ages and is readjusted as the line runs, and differs a little from shot to shot."""
    side = np.pi * CAMERAS.index(camera)
    readjusted = 0.10 * np.sin(2 * np.pi * 2.1 * drift)
    ageing = 1.08 - 0.22 * drift + readjusted
    return Lamp(
        gain=float(ageing * rng.uniform(0.82, 1.22)),
        ring_tilt=rng.uniform(0.52, 0.62),
        ring_width=rng.uniform(0.17, 0.23),
        azimuth_rad=float(side + 0.9 + 0.6 * drift + rng.normal(0, 0.35)),
        uneven=rng.uniform(0.25, 0.65),
        bar_azimuth_rad=float(side + 4.2 + rng.normal(0, 0.5)),
        bar_tilt=rng.uniform(0.28, 0.46),
        bar_gain=rng.uniform(0.3, 0.9),
    )


def placement(part: Part, pose: Pose, grid: Grid, size: Size, scale: float) -> Matrix:
    """The 2 x 3 matrix from grid points to frame pixels. `Ch01` hangs the other way up."""
    angle = pose.tilt_rad + np.pi * CAMERAS.index(pose.camera)
    cos, sin = np.cos(angle), np.sin(angle)
    step = scale * pose.zoom / grid.per_px
    turn = step * np.array([[cos, -sin], [sin, cos]])

    # the middle of the part comes to lie near that of the frame
    middle = _middle(part) + grid.left_px
    anchor = np.array([middle, HALF_HEIGHT_PX]) * grid.per_px
    shift = np.array([pose.dx_px, pose.dy_px]) * scale
    width, height = size
    target = np.array([width / 2, height / 2]) + shift
    offset = target - turn @ anchor
    return np.hstack([turn, offset[:, None]])


def _middle(part: Part) -> float:
    """The point of the axis that is laid in the middle of the frame."""
    return part.knurling.length_px / 2 + 34


def _render(
    part: Part, grid: Grid, roll_px: float, lamp: Lamp
) -> tuple[Floats, Bools, Bools]:
    """Radiance, silhouette and defect on the grid, each (n_v, n_u)."""
    size = (grid.v.size, grid.u.size)
    picture = np.zeros(size, np.float32)
    inside = np.zeros(size, np.bool_)
    defect = np.zeros(size, np.bool_)
    for rows, band in grid.bands():
        surface = shape(part, band, roll_px)
        picture[rows] = lit(surface, lamp)
        inside[rows] = surface.inside
        defect[rows] = surface.defect
    return picture, inside, defect


def box_of(mask: Bools) -> Box | None:
    """The smallest box around the true pixels, None when there are none."""
    rows = np.flatnonzero(mask.any(1))
    columns = np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return None

    left, right = int(columns[0]), int(columns[-1]) + 1
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    return left, top, right - left, bottom - top


def _paste(
    radiance: Floats,
    picture: Floats,
    inside: Bools,
    matrix: Matrix,
    blur: float,
) -> None:
    """Lay the part over what is behind it, with a soft edge."""
    height, width = radiance.shape
    size = (width, height)
    sharp = inside.astype(np.float32)
    cover = blurred(sharp, blur)
    covered = blurred(picture * sharp, blur)

    alpha = cv2.warpAffine(cover, matrix, size, flags=cv2.INTER_LINEAR)
    radiance *= 1 - alpha
    radiance += cv2.warpAffine(covered, matrix, size, flags=cv2.INTER_LINEAR)


def _warp_mask(mask: Bools, matrix: Matrix, size: Size) -> Bools:
    """The mask in the frame: pixels of which more than half belong to the defect."""
    width, height = size
    if not mask.any():
        return np.zeros((height, width), np.bool_)

    share = mask.astype(np.float32)
    warped = cv2.warpAffine(share, matrix, size, flags=cv2.INTER_LINEAR)
    return np.asarray(warped > 0.5)


def _part_boxes(part: Part, matrix: Matrix, grid: Grid, size: Size) -> tuple[Box, Box]:
    """Boxes of the knurling and of the rivet's seat.

    The seat is a window of one size, whether or not the rivet is pressed home: its framing must
    not give the class away.
    """
    length = part.knurling.length_px
    radius = part.knurling.radius_px
    knurling = _frame_box((0, length), radius, matrix, grid, size)

    first, last = RIVET_WINDOW_PX
    window = (length + first, length + last)
    seat = _frame_box(window, RIVET_HALF_RADII * radius, matrix, grid, size)
    return knurling, seat


def _frame_box(
    span: tuple[float, float],
    half: float,
    matrix: Matrix,
    grid: Grid,
    size: Size,
) -> Box:
    """The upright box, within the frame, around a rectangle on the part."""
    corners = np.array([(u, v) for u in span for v in (-half, half)])
    origin = np.array([grid.left_px, HALF_HEIGHT_PX])
    on_grid = (corners + origin) * grid.per_px

    turn, offset = matrix[:, :2], matrix[:, 2]
    points = on_grid @ turn.T + offset
    low = np.clip(np.floor(points.min(0)), 0, None).astype(int)
    high = np.minimum(np.ceil(points.max(0)).astype(int), size)

    left, top = low.tolist()
    width, height = (high - low).tolist()
    return left, top, width, height
