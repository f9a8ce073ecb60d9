"""Windows of large crops, from which a head learns.

A step on windows takes the time of a small crop, however large the crop is that is judged later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inspection.errors import InspectionError
from inspection.geometry import Image
from inspection.models.crops import TARGET_STRIDE

# Where a window begins: row and column, in cells of the coarsest maps.
Start = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """Windows of one size, on maps of several resolutions that show the same crop.

    `crop` and `window` are (rows, columns) in cells of the coarsest of the maps: windows begin and
    end where its cells do, and so show the same of the crop on every map.
    """

    crop: tuple[int, int]
    window: tuple[int, int]

    @classmethod
    def of(
        cls, window_px: tuple[int, int], targets: Image, maps: Sequence[Any]
    ) -> "Windows":
        """Windows of (width, height) crop pixels, to the nearest cell, at most the whole crop.

        `targets` are (N, H / 4, W / 4), `maps` feature maps (..., h, w), finest first. Raises
        InspectionError where the cells of the coarsest map are no whole cells of all others.
        """
        crop = maps[-1].shape[-2:]
        grids = [targets.shape[-2:], *(one.shape[-2:] for one in maps)]
        if any(side % n for grid in grids for side, n in zip(grid, crop, strict=True)):
            raise InspectionError(
                f"train.window_px: feature maps of {grids[1:]} cells cannot be cut into windows; "
                "take a crop whose sides are multiples of 32 px, or set train.window_px to null"
            )
        sides_px = [side * TARGET_STRIDE for side in targets.shape[-2:]]
        window = [
            min(n, max(1, round(n * wanted_px / side_px)))
            for n, wanted_px, side_px in zip(
                crop, reversed(window_px), sides_px, strict=True
            )
        ]
        return cls((int(crop[0]), int(crop[1])), (window[0], window[1]))

    def draw(self, target: Image, generator: np.random.Generator) -> Start:
        """A window at random; where the target (H / 4, W / 4) marks a defect, one that shows it.

        Of a defect that is larger than the window, it shows a part.
        """
        rows, columns = np.nonzero(target)
        if not len(rows):
            return self._drawn((0, 0), self.crop, generator)

        marked = int(generator.integers(len(rows)))
        cell = [
            int(place[marked]) * n // side
            for place, n, side in zip(
                (rows, columns), self.crop, target.shape, strict=True
            )
        ]
        first = [max(0, at - n + 1) for at, n in zip(cell, self.window, strict=True)]
        return self._drawn((first[0], first[1]), (cell[0] + 1, cell[1] + 1), generator)

    def _drawn(self, first: Start, end: Start, generator: np.random.Generator) -> Start:
        """Where a window begins that begins at `first` or later, before `end`, and fits."""
        row, column = (
            int(generator.integers(least, min(beyond, n - size + 1)))
            for least, beyond, n, size in zip(
                first, end, self.crop, self.window, strict=True
            )
        )
        return row, column

    def cut(self, grid: Any, start: Start) -> Any:
        """What a window shows of a map or target (..., h, w)."""
        height, width = grid.shape[-2:]
        row, column = (
            slice(at * side // n, (at + size) * side // n)
            for at, size, n, side in zip(
                start, self.window, self.crop, (height, width), strict=True
            )
        )
        return grid[..., row, column]
