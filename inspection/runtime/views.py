"""Views of a part: as they come in, and what the models measure in them."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from inspection.geometry import CropWindow, Floats, Image


@dataclass(frozen=True)
class View:
    """One look at a part: a name to call it by, and the image file's bytes as they came."""

    name: str
    content: bytes


@dataclass(frozen=True)
class DetectorOutput:
    """What a detector's model says of one crop, before calibration and thresholds.

    `values` holds the logits (classes,), the normal class first, or one raw anomaly score (1,);
    higher is more suspicious. `heat` (maps, h, w) is raw: one map per defect that the logits
    name, or one in all.
    """

    values: Floats
    heat: Floats

    @classmethod
    def of(cls, values: Any, heat: Any) -> Self:
        """What a model gives for one crop: values of any shape, heat (h, w) or (maps, h, w)."""
        return cls(
            values=np.atleast_1d(values),
            heat=np.reshape(heat, (-1, *heat.shape[-2:])),
        )

    @property
    def likeliest_map(self) -> int:
        """The number of the heatmap that belongs to the likeliest defect."""
        defects = self.values[1:]
        return int(np.argmax(defects)) if len(defects) else 0

    @property
    def raw_heat(self) -> Floats:
        """The raw heat (h, w) of the likeliest defect."""
        return self.heat[self.likeliest_map]


@dataclass(frozen=True)
class ViewOutputs:
    """What was measured in one view, before any threshold.

    `windows` and `crops` are by region, `detectors` holds raw outputs by detector; what belongs
    to a region that was not found in the frame is missing in them.
    """

    name: str
    sha256: str
    frame_size_px: tuple[int, int]
    windows: dict[str, CropWindow]
    crops: dict[str, Image]
    detectors: dict[str, DetectorOutput]
