"""The points at which a part is drawn, before it is laid into the frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from samples.defects import Floats
from samples.parts import Part

# Beyond the knurling, and from the axis: more than any rivet needs, the flange being the widest.
RIGHT_PX = 100.0
HALF_HEIGHT_PX = 72.0
# Points that are worked on at once: some ten arrays of them fit a core's cache.
BAND_POINTS = 30_000


@dataclass(frozen=True)
class Grid:
    """Points at which the part is drawn: n_u along it, n_v across it, `per_px` of them per px.

    The first lies `left_px` before the knurling begins.
    """

    u: Floats
    """Places along the axis, px from the start of the knurling."""
    v: Floats
    """Places across the part, px from the axis."""
    per_px: float
    left_px: float

    @classmethod
    def of(cls, part: Part, per_px: float, left_px: float) -> Grid:
        """The grid that covers `left_px` of rod, the knurling and the rivet of `part`."""
        length = part.knurling.length_px + left_px + RIGHT_PX
        height = 2 * HALF_HEIGHT_PX
        u = _centres(length, per_px) - np.float32(left_px)
        v = _centres(height, per_px) - np.float32(HALF_HEIGHT_PX)
        return cls(u, v, per_px, left_px)

    def bands(self) -> Iterator[tuple[slice, Grid]]:
        """The grid cut into bands of rows so small that their arrays stay in the cache."""
        n_rows = max(1, BAND_POINTS // self.u.size)
        for first in range(0, self.v.size, n_rows):
            last = min(first + n_rows, self.v.size)
            rows = slice(first, last)
            band = Grid(
                self.u,
                self.v[rows],
                self.per_px,
                self.left_px,
            )
            yield rows, band


def _centres(length_px: float, per_px: float) -> Floats:
    """The middles of the cells into which a length is divided."""
    n = round(length_px * per_px)
    cells = np.arange(n, dtype=np.float32)
    return (cells + 0.5) / np.float32(per_px)
