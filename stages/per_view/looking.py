"""A view as the search for near-duplicates and for label issues sees it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from inspection.curation import duplicates, textures
from inspection.images import read_frame
from stages.per_view.items import CameraView


def looked_at(
    data: Path,
    view: CameraView,
    *,
    bit_depth: int,
    windows: Mapping[str, Sequence[textures.Window]],
    sizes_px: Sequence[tuple[int, int]],
) -> tuple[np.ndarray, np.ndarray]:
    """Thumbnail (H, W) and texture features (D,) of a view, decoded once.

    `windows` are those of each camera, and `sizes_px` what they are measured at: see `textures`.
    """
    pixels = read_frame(data / view.path, channels=1, bit_depth=bit_depth)
    features = textures.texture_features(pixels, windows[view.camera], sizes_px)
    return duplicates.thumbnail(pixels), features
