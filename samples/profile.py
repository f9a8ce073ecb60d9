"""The body of revolution that a part is: its radius along the axis."""

from __future__ import annotations

import numpy as np

from samples.defects import Floats
from samples.parts import Part

# Before any point that is drawn, px: the rod runs out of the frame.
FAR_LEFT_PX = -1e4
# Of the rivet's length: the body is straight up to here, and the dome is the rest.
DOME_FROM = 0.6
DOME_SHARE = 0.4
# Of the superellipse of the dome: 2 would be an ellipse, and more is fuller.
DOME_EXPONENT = 2.6
# (place along the axis in px, radius in px)
Knot = tuple[float, float]


def profile(part: Part, u: Floats) -> Floats:
    """Radius of the part at `u`, px; shape of `u`."""
    knots = _knots_of_rod(part) + _knots_of_rivet(part)
    places = [place for place, _ in knots]
    radii = [radius for _, radius in knots]
    radius = np.interp(u, places, radii)

    # the dome: a superellipse, a little fuller than a ball
    rivet = part.rivet
    head = _head(part)
    dome_from = head + DOME_FROM * rivet.length_px
    dome_length = DOME_SHARE * rivet.length_px
    t = np.clip((u - dome_from) / dome_length, 0, 1)
    radius = radius * (1 - t**DOME_EXPONENT) ** (1 / DOME_EXPONENT)

    is_beyond = u > head + rivet.length_px
    return np.where(is_beyond, 0, radius).astype(np.float32)


def _head(part: Part) -> float:
    """Where the rivet's head begins, px: after the knurling and the gap."""
    return part.knurling.length_px + part.rivet.gap_px


def _knots_of_rod(part: Part) -> list[Knot]:
    """Rod, relief groove and knurling."""
    radius = part.knurling.radius_px
    end = part.knurling.length_px

    # places along the axis, and radii in shares of the knurling's
    shares = [
        # the rod
        (FAR_LEFT_PX, 0.87),
        (-16, 0.87),
        # the relief groove, with a slope on either side
        (-13, 0.82),
        (-3, 0.82),
        (-1, 0.90),
        # the knurling, chamfered at both ends
        (5, 1.0),
        (end - 4, 1.0),
        (end, 0.93),
    ]
    return [(place, share * radius) for place, share in shares]


def _knots_of_rivet(part: Part) -> list[Knot]:
    """Shank in the gap, rounded edge of the flange, flange, body."""
    rivet = part.rivet
    radius = part.knurling.radius_px
    flange = rivet.flange_radius * radius
    body = rivet.body_radius * radius
    shank = rivet.shank_radius * radius

    gap_from = part.knurling.length_px
    head = _head(part)
    flange_to = head + rivet.flange_px
    return [
        # 0.3 px for a wall that is all but upright
        (gap_from + 0.3, shank),
        (head - 0.3, shank),
        (head, 0.93 * flange),
        # the edge is round over 2.5 px, and the step to the body leans over 3
        (head + 2.5, flange),
        (flange_to, flange),
        (flange_to + 3, body),
    ]
