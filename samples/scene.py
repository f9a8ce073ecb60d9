"""One view of one part: pose, lamp, background, and the frame with the truth about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from samples.background import draw_background, draw_dust
from samples.defects import Bools, Floats
from samples.grid import HALF_HEIGHT_PX, Grid
from samples.optics import Lamp, blurred, develop, lit
from samples.parts import REFERENCE_SIZE, Part, Size, draw_part
from samples.pose import (
    Matrix,
    aimed_at_rivet,
    draw_lamp,
    draw_pose,
    middle_of,
    placement,
    seen_from_behind,
)
from samples.surface import shape

Box = tuple[int, int, int, int]
# Where the seat of the rivet is boxed, from the end of the knurling on, and half of the box across,
# in radii of the knurling: with room for a rivet that stands off as far as any does.
RIVET_WINDOW_PX = (-6.0, 80.0)
RIVET_HALF_RADII = 1.24
# A small frame is drawn twice as fine as it is, up to this many points per reference px; none is
# drawn coarser than it is: the grooves would make moiré.
MAX_FINENESS = 2.0
# Of the frame's width, how much may lie left of the middle of the part: half, and a little more.
HALF_WIDTH_SHARE = 0.54
# Rod that is drawn beyond that, px: shift, tilt and zoom may bring it into the frame.
SPARE_ROD_PX = 30


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
    exposure: float = 1.0,
    at_rivet: bool = False,
    turned: bool = False,
    noise: Generator | None = None,
) -> SceneView:
    """Photograph `part` once. `drift` (0..1) is how far down the line the part came.

    `exposure` is a factor of the light. `at_rivet`: the camera is aimed at the rivet. `turned`: the
    part is seen from behind. `noise` is what the sensor's noise is drawn from, `rng` if None: two
    shots with one `rng` and two of these differ by noise and exposure alone.

    Pose, lamp and background are drawn without a look at the class of the part.
    """
    pose = draw_pose(rng, camera, drift)
    if at_rivet:
        pose = aimed_at_rivet(pose)
    if turned:
        pose = seen_from_behind(pose, part.knurling.radius_px, rng)
    lamp = draw_lamp(rng, camera, drift)
    lamp = replace(lamp, gain=lamp.gain * exposure)

    scale = _scale(size)
    grid = _grid(part, size, scale)
    picture, inside, defect = _render(part, grid, pose.roll_px, lamp)
    matrix = placement(part, pose, grid, size, scale)

    radiance = draw_background(rng, camera, size, scale, drift)
    blur = pose.focus_px * grid.per_px
    _paste(radiance, picture, inside, matrix, blur)
    draw_dust(rng, radiance, scale)

    # the middle of the lens is not quite that of the frame
    centre = rng.uniform(0.42, 0.58, 2).astype(np.float32)
    vignette = rng.uniform(0.5, 1.1)
    frame = develop(
        radiance,
        rng=rng if noise is None else noise,
        lamp=lamp,
        vignette=vignette,
        centre=centre,
    )

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


def _scale(size: Size) -> float:
    """Pixels of a frame per reference pixel: the part fits, whatever the shape of the frame."""
    width, height = size
    reference_width, reference_height = REFERENCE_SIZE
    across = width / reference_width
    down = height / reference_height
    return min(across, down)


def _grid(part: Part, size: Size, scale: float) -> Grid:
    """The points at which the part is drawn for a frame of that size."""
    # so much of the rod that it leaves the frame, whichever way the part is laid
    width, _ = size
    half_px = HALF_WIDTH_SHARE * width / scale
    left = max(0.0, half_px - middle_of(part)) + SPARE_ROD_PX

    twice = 2 * scale
    per_px = max(1.0, scale, min(MAX_FINENESS, twice))
    return Grid.of(part, per_px, left)


def _render(
    part: Part,
    grid: Grid,
    roll_px: float,
    lamp: Lamp,
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

    left = int(columns[0])
    right = int(columns[-1]) + 1
    top = int(rows[0])
    bottom = int(rows[-1]) + 1
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
    part = cv2.warpAffine(covered, matrix, size, flags=cv2.INTER_LINEAR)
    radiance *= 1 - alpha
    radiance += part


def _warp_mask(mask: Bools, matrix: Matrix, size: Size) -> Bools:
    """The mask in the frame: pixels of which more than half belong to the defect."""
    width, height = size
    if not mask.any():
        return np.zeros((height, width), np.bool_)

    share = mask.astype(np.float32)
    warped = cv2.warpAffine(share, matrix, size, flags=cv2.INTER_LINEAR)
    return np.asarray(warped > 0.5)


def _part_boxes(
    part: Part,
    matrix: Matrix,
    grid: Grid,
    size: Size,
) -> tuple[Box, Box]:
    """Boxes of the knurling and of the rivet's seat.

    The seat is a window of one size, whether or not the rivet is pressed home: its framing must
    not give the class away.
    """
    length = part.knurling.length_px
    radius = part.knurling.radius_px
    knurling = _frame_box((0, length), radius, matrix, grid, size)

    first, last = RIVET_WINDOW_PX
    window = (length + first, length + last)
    half = RIVET_HALF_RADII * radius
    seat = _frame_box(window, half, matrix, grid, size)
    return knurling, seat


def _frame_box(
    span: tuple[float, float],
    half: float,
    matrix: Matrix,
    grid: Grid,
    size: Size,
) -> Box:
    """The upright box, within the frame, around a rectangle on the part."""
    first, last = span
    corners = np.array(
        [
            (first, -half),
            (first, half),
            (last, -half),
            (last, half),
        ]
    )
    origin = np.array([grid.left_px, HALF_HEIGHT_PX])
    on_grid = (corners + origin) * grid.per_px

    turn = matrix[:, :2]
    offset = matrix[:, 2]
    points = on_grid @ turn.T + offset

    # outwards to whole pixels, within the frame
    lowest = np.floor(points.min(0))
    highest = np.ceil(points.max(0)).astype(int)
    low = np.clip(lowest, 0, None).astype(int)
    high = np.minimum(highest, size)

    left, top = low.tolist()
    width, height = (high - low).tolist()
    return left, top, width, height
