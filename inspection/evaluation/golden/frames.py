"""Golden frames: val frames that the inspector must crop as the crop stage did, to the byte.

The models learned from the crop stage's crops and are served the inspector's. Another decoder,
framing, turn or interpolation in one of the two shifts every score, and no parity of models
would notice it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from inspection.errors import InspectionError, raise_all
from inspection.evaluation.part_scores import Parts
from inspection.geometry import CropWindow, Image
from inspection.models.crops import Crops, evenly_spaced, window_of
from inspection.runtime.views import ViewOutputs

# Enough to meet every camera and class, and few enough that a window edge which falls
# on the tie between two pixels, where runtimes may round differently, is not met by
# chance: it takes an edge within some 1e-5 px of the tie, of 8 edges a frame.
N_FRAMES = 16
LABELLED = "labelled"


@dataclass(frozen=True)
class StoredCrop:
    """A crop (H, W, C) uint8 as the crop stage wrote it, and its window in the frame."""

    window: CropWindow
    image: Image


# By path of the view, then by region.
StoredCrops = dict[str, dict[str, StoredCrop]]


def golden_frames(crops: Mapping[str, Crops], n: int = N_FRAMES) -> StoredCrops:
    """The stored crops, by region, of at most `n` views, evenly drawn in their order.

    Views with a region that was framed by a labelled box are left out: the service has none.
    """
    by_label = set()
    found: StoredCrops = {}
    for region, of_region in crops.items():
        for number, row in enumerate(of_region.index.itertuples()):
            stored = StoredCrop(window_of(row), of_region.images[number])
            found.setdefault(str(row.path), {})[region] = stored
            if row.framed_by == LABELLED:
                by_label.add(str(row.path))

    usable = [path for path in found if path not in by_label]
    if not usable:
        return {}

    rows = evenly_spaced(len(usable), n)
    return {usable[row]: found[usable[row]] for row in rows}


def require_same_crops(stored: StoredCrops, parts: Parts) -> None:
    """Raise InspectionError where the inspector's crop of a golden frame is another one."""
    by_path = {view.name: view for views in parts.values() for view in views}
    missing = sorted(stored.keys() - by_path.keys())
    if missing:
        raise InspectionError(
            f"golden frames: {missing[:3]} were not measured; run `dvc repro assemble`"
        )

    problems: list[str] = []
    for path, by_region in stored.items():
        problems += _differences(by_region, by_path[path])
    raise_all(problems)


def _differences(stored: Mapping[str, StoredCrop], view: ViewOutputs) -> list[str]:
    """What is different in one view, as messages."""
    differences = {
        region: _difference(stored.get(region), view, region)
        for region in sorted({*stored, *view.windows})
    }
    return [
        f"{view.name}: {region} {what}; the inspector does not crop as stage crop does, so "
        "do not deploy; run `dvc repro -f crop` with these libraries"
        for region, what in differences.items()
        if what
    ]


def _difference(stored: StoredCrop | None, view: ViewOutputs, region: str) -> str:
    """How the inspector's crop of a region differs from the stored one; empty where not."""
    if stored is None:
        return "is found by the inspector alone"

    window = view.windows.get(region)
    if window is None:
        return "is found by stage crop alone"

    if window.turned != stored.window.turned:
        return "is turned by one of the two alone"

    if window != stored.window:
        return f"is cut at {_edges(window)}, stage crop cut at {_edges(stored.window)}"

    gaps = np.abs(view.crops[region].astype(int) - stored.image.astype(int))
    if gaps.any():
        return f"differs by up to {gaps.max()} grey levels in {np.mean(gaps > 0):.0%} of values"

    return ""


def _edges(window: CropWindow) -> str:
    corner = f"({window.x_px}, {window.y_px})"
    return f"{corner} px, {window.width_px} x {window.height_px} px"
