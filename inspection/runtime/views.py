"""Views of a part: as they come in, and as the models see them."""

from dataclasses import dataclass

from inspection.geometry import CropWindow, Floats, Image


@dataclass(frozen=True)
class View:
    """One look at a part: a name to call it by, and the image file's bytes as they came."""

    name: str
    content: bytes


@dataclass(frozen=True)
class ViewOutputs:
    """What the models see in one view, before any threshold.

    `windows` and `crops` are by region; a region that was not found is missing in them. `logits`
    and `raw_heat` (defects, h, w) come from the classifier, `raw_anomaly` and `raw_map` (h, w)
    from the anomaly model; None where their region was not found.
    """

    name: str
    sha256: str
    frame_size_px: tuple[int, int]
    windows: dict[str, CropWindow]
    crops: dict[str, Image]
    logits: Floats | None
    raw_heat: Floats | None
    raw_anomaly: float | None
    raw_map: Floats | None
