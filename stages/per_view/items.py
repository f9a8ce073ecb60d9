"""What a loop over views is over. Workers read it first, so this module imports nothing heavy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RawFile:
    """A file of the data, an image or a mask."""

    path: str


@dataclass(frozen=True)
class CameraView:
    """A view, and the camera that took it."""

    path: str
    camera: str


@dataclass(frozen=True)
class ViewToCut:
    """What of a row of the clean manifest, and of its fold, goes into the crops of a view.

    `boxes` is a cell of the manifest; `part_label` is the label of the part.
    """

    view_id: str
    path: str
    part_id: str
    fold: str
    cv_fold: int
    label: str
    part_label: str
    width_px: int
    height_px: int
    boxes: str
    mask_path: str
