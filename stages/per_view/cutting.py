"""The crops of a view: its regions located and cut, and where the defect lies in them."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspection.geometry import Box, CropWindow, Floats, Image, locator_input
from inspection.images import decode_mask, read_frame
from inspection.line import CEILING_PIXELS, Line
from inspection.models.crops import (
    UNKNOWN,
    box_target,
    cells_inside,
    mask_target,
    window_columns,
)
from inspection.models.framing import (
    Framed,
    defect_boxes,
    frame_view,
    locator_agreement,
)
from inspection.runtime.framing import (
    crop_windows,
    cut_crops,
    find_regions,
    inside_outline,
)
from stages.per_view.items import ViewToCut

if TYPE_CHECKING:
    from inspection.models.locator import Locator, RegionLocator

# Of the locator, wherever it runs. With one thread a sum is another in its last bit than with two,
# and with more it is that of two: so it does not depend on how many cores a worker has.
LOCATOR_THREADS = 2


@dataclass(frozen=True)
class CutCrop:
    """A crop, where the defect lies in it (see Crops), and its row of the index."""

    image: Image
    target: Image
    row: dict[str, Any]


@dataclass(frozen=True)
class CutView:
    """The crops of a view by region, and by region how well the locator meets a label, IoU."""

    crops: dict[str, CutCrop]
    agreement: dict[str, float]


def cut_view(
    data: Path,
    view: ViewToCut,
    *,
    line: Line,
    locator: "RegionLocator | None",
    framing: str,
) -> CutView:
    """Decode a view of the folder `data` once; locate its regions, and cut the crops of all."""
    frame = read_frame(
        data / view.path, channels=line.channels, bit_depth=line.bit_depth
    )
    size_px = (frame.shape[1], frame.shape[0])
    maps = locator.maps(frame) if locator else {}
    located = find_regions(maps, size_px)
    framed = frame_view(view, line.regions, located, framing=framing)

    boxes = {region: found.box for region, found in framed.items()}
    windows = crop_windows(boxes, size_px, regions=line.regions, orient=line.orient)
    images = cut_crops(frame, windows, line.regions)

    # A normal view has no defect to place, whatever files lie beside it.
    mask = None if view.label == line.normal else _mask(data, view)
    crops = {}
    for region, window in windows.items():
        label = line.label_in(region, view.label)
        shown = defect_boxes(view, line.regions[region].shows)
        target, known_from = _target(
            window,
            size_px,
            mask,
            shown,
            inside=inside_outline(line.regions[region]),
            is_normal=label == line.normal,
        )
        row = _row(view, label, framed[region], known_from, window)
        crops[region] = CutCrop(images[region], target, row)

    return CutView(crops, locator_agreement(view, maps, located))


def shrunk(
    data: Path, view: ViewToCut, *, line: Line, size_px: tuple[int, int]
) -> Image:
    """A view of the folder `data` as the locator sees it, (height, width) uint8."""
    frame = read_frame(
        data / view.path, channels=line.channels, bit_depth=line.bit_depth
    )
    return locator_input(frame, size_px)


def locate_by(weights: bytes, frames: Image) -> Floats:
    """Probability maps (N, regions, H / 4, W / 4) by a locator, its weights as safetensors."""
    import torch

    from inspection.models.locator import locate

    # of the thread that asks: a worker's others have their own number
    torch.set_num_threads(LOCATOR_THREADS)
    return locate(_locator(weights), frames)


# once in a process: a worker gets the weights with every batch
@lru_cache(maxsize=1)
def _locator(weights: bytes) -> "Locator":
    from safetensors.torch import load

    from inspection.models.locator import Locator

    state = load(weights)
    model = Locator(len(state["head.bias"]))
    model.load_state_dict(state)
    return model.eval()


def _row(
    view: ViewToCut, label: str, framed: Framed, known_from: str, window: CropWindow
) -> dict[str, Any]:
    """A crop's row of the index; `known_from` says where its target is from."""
    return {
        "view_id": view.view_id,
        "path": view.path,
        "part_id": view.part_id,
        "fold": view.fold,
        "cv_fold": view.cv_fold,
        "label": label,
        "part_label": view.part_label,
        "framed_by": framed.source,
        "confidence": framed.confidence,
        "target": known_from,
        **window_columns(window),
    }


def _mask(data: Path, view: ViewToCut) -> Image | None:
    """The mask of a view, or None where nobody has drawn one."""
    if not view.mask_path:
        return None
    content = (data / view.mask_path).read_bytes()
    return decode_mask(content, max_pixels=CEILING_PIXELS)


def _target(
    window: CropWindow,
    frame_size_px: tuple[int, int],
    mask: Image | None,
    boxes: list[Box],
    *,
    inside: Image,
    is_normal: bool,
) -> tuple[Image, str]:
    """Where the defect lies in the crop, and what it is known from: see Crops.

    `inside` (H, W), 1 or 0, is where the crop shows the frame: nothing is to be found elsewhere.
    """
    if is_normal:
        return box_target([], window, frame_size_px), "normal"
    # a mask outlines the defect alone; a box holds much that is sound as well
    if mask is not None:
        target, known_from = mask_target(mask, window), "mask"
    else:
        target, known_from = box_target(boxes, window, frame_size_px), "box"
    target = target * cells_inside(inside)
    # the defect may lie outside of the crop: that does not make the crop a normal one
    return target, known_from if target.any() else UNKNOWN
