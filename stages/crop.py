"""Locate the regions of every part, and cut one crop per view and region."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from inspection.curation.folds import with_folds
from inspection.errors import InspectionError
from inspection.geometry import Box, CropWindow, Floats, Image, cut, locator_input
from inspection.images import decode_mask, read_frame
from inspection.line import CEILING_PIXELS, Line
from inspection.models.crop_sheet import N_CROPS, crop_sheet
from inspection.models.crops import (
    UNKNOWN,
    Crops,
    box_target,
    cells_inside,
    evenly_spaced,
    mask_target,
    save_crops,
    window_columns,
    window_of,
)
from inspection.models.framing import (
    defect_boxes,
    frame_view,
    located_regions,
    locator_agreement,
    locator_targets,
    require_boxes,
)
from inspection.models.locator import (
    STRIDE,
    Locator,
    RegionLocator,
    fit_locator,
    locate,
)
from inspection.parts import labels_of_parts
from inspection.runtime.framing import (
    crop_windows,
    cut_crops,
    find_regions,
    inside_outline,
)
from inspection.storage import read_table, replacing, write_json, write_table
from stages import program, sections
from stages.params.crop import CropParams

# Frames per step of the locator's training: some ten steps an epoch where 200 frames are boxed.
LOCATOR_BATCH = 16


@dataclass(frozen=True)
class Paths:
    """What the stage reads and writes."""

    data: Annotated[Path, "the frames"]
    manifest: Annotated[Path, "the clean manifest"]
    folds: Annotated[Path, "the fold of each view"]
    out: Annotated[Path, "folder for the crops"]
    metrics: Annotated[Path, "file for the metrics"]


def main() -> None:
    """Load the views of the folds, locate and cut their regions, save the crops."""
    paths = program.paths(Paths, __doc__)
    line, params = sections.read(
        sections.line("bit_depth", "channels", "normal", "orient", "regions"),
        sections.section("crop", CropParams),
    )
    views = with_folds(read_table(paths.manifest), read_table(paths.folds))

    regions = located_regions(line.regions)
    locator = None
    if regions:
        size_px = params.locator_size_px
        model = train_locator(views, line, regions, params, paths.data)
        save_locator(model, regions, size_px, paths.out)
        locator = RegionLocator(tuple(regions), size_px, partial(locate, model))
    cropped = cut_views(views, line, locator, paths.data, framing=params.framing)

    metrics: dict[str, Any] = {"framing": params.framing, "n_views": len(views)}
    lost = []
    for region in line.regions:
        crops, missing = crops_of(region, views, cropped)
        save_crops(paths.out, region, crops)
        save_sheet(paths.out, region, crops.index, line, paths.data)
        metrics[region] = _counts(crops, missing) | _agreement(region, views, cropped)
        lost.append(missing.assign(region=region))

    write_table(paths.out / "not_located.csv", pd.concat(lost))
    program.save_metrics(paths.metrics, metrics)


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


def cut_views(
    views: pd.DataFrame,
    line: Line,
    locator: RegionLocator | None,
    data: Path,
    *,
    framing: str,
) -> list[CutView]:
    """Decode each view once; locate its regions, and cut the crops of all of them."""
    part_labels = labels_of_parts(views, line.normal)

    def cut_one(view: Any) -> CutView:
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
            found = framed[region]
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
            row = {
                "view_id": view.view_id,
                "path": view.path,
                "part_id": view.part_id,
                "fold": view.fold,
                "cv_fold": view.cv_fold,
                "label": label,
                "part_label": part_labels[view.part_id],
                "framed_by": found.source,
                "confidence": found.confidence,
                "target": known_from,
                **window_columns(window),
            }
            crops[region] = CutCrop(images[region], target, row)

        return CutView(crops, locator_agreement(view, maps, located))

    return list(_in_threads(cut_one, views, "cut crops"))


def crops_of(
    region: str, views: pd.DataFrame, cropped: list[CutView]
) -> tuple[Crops, pd.DataFrame]:
    """The crops of one region, and the views in which it could not be found."""
    found = [view.crops[region] for view in cropped if region in view.crops]
    if not found:
        raise InspectionError(
            f"line.regions.{region}: found in none of {len(views)} views; box it in more frames, "
            "raise crop.locator_epochs, or set whole_frame: true"
        )

    crops = Crops(
        images=np.stack([crop.image for crop in found]),
        targets=np.stack([crop.target for crop in found]),
        index=pd.DataFrame([crop.row for crop in found]),
    )
    lost = [region not in view.crops for view in cropped]
    return crops, views.loc[lost, ["view_id", "path", "part_id", "label"]]


def train_locator(
    views: pd.DataFrame,
    line: Line,
    regions: list[str],
    params: CropParams,
    data: Path,
) -> Locator:
    """A locator that knows the part boxes of the train fold, and no other."""
    # Val tells how well parts are found that the locator never saw, so it must not teach.
    boxed = views[views["fold"] == "train"]
    require_boxes(boxed, regions)
    size = params.locator_size_px
    cells = (size[0] // STRIDE, size[1] // STRIDE)
    targets = locator_targets(boxed, regions, cells)
    # a frame in which nobody has boxed any region has nothing to teach; its cells are all NaN
    usable = np.flatnonzero(~np.isnan(targets).all(axis=(1, 2, 3)))
    drawn = np.random.default_rng(params.seed).permutation(usable)
    chosen = drawn[: params.locator_max_frames]

    def shrink(view: Any) -> Image:
        frame = read_frame(
            data / view.path, channels=line.channels, bit_depth=line.bit_depth
        )
        return locator_input(frame, size)

    frames = np.stack(list(_in_threads(shrink, boxed.iloc[chosen], "read frames")))
    return _fit(frames, targets[chosen], params)


def _fit(frames: Image, targets: Floats, params: CropParams) -> Locator:
    with tqdm(total=params.locator_epochs, desc="fit locator", disable=None) as bar:

        def progress(_: int, loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.4f}")
            bar.update()

        return fit_locator(
            frames,
            targets,
            epochs=params.locator_epochs,
            learning_rate=params.locator_learning_rate,
            batch_size=LOCATOR_BATCH,
            seed=params.seed,
            progress=progress,
        )


def save_locator(
    model: Locator, regions: list[str], size_px: tuple[int, int], out: Path
) -> None:
    """Write the weights, and beside them what their outputs are and what they take."""
    from safetensors.torch import save_file

    with replacing(out / "locator.safetensors") as temporary:
        save_file(model.state_dict(), temporary)
    settings = {"regions": regions, "size_px": list(size_px)}
    write_json(out / "locator.json", settings)


def save_sheet(
    out: Path, region: str, index: pd.DataFrame, line: Line, data: Path
) -> None:
    """Draw some crops with the region's outline, so that a person sees what the models see."""
    rows = index.iloc[evenly_spaced(len(index), N_CROPS)]
    uncovered = [
        cut(
            read_frame(
                data / row.path, channels=line.channels, bit_depth=line.bit_depth
            ),
            window_of(row),
        )
        for row in rows.itertuples(index=False)
    ]
    sheet = crop_sheet(uncovered, inside_outline(line.regions[region]))
    # OpenCV orders colours as BGR
    content = cv2.imencode(".png", sheet[:, :, ::-1])[1].tobytes()
    with replacing(out / f"{region}.png") as temporary:
        temporary.write_bytes(content)


def _mask(data: Path, view: Any) -> Image | None:
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


def _in_threads(
    work: Callable[[Any], Any], views: pd.DataFrame, what: str
) -> Iterator[Any]:
    with ThreadPoolExecutor() as pool:
        rows = list(views.itertuples(index=False))
        yield from tqdm(pool.map(work, rows), total=len(rows), desc=what, disable=None)


def _counts(crops: Crops, missing: pd.DataFrame) -> dict[str, Any]:
    return {
        "n_crops": len(crops),
        "n_not_located": len(missing),
        "framed_by": crops.index["framed_by"].value_counts().to_dict(),
        "labels": crops.index["label"].value_counts().to_dict(),
    }


def _agreement(
    region: str, views: pd.DataFrame, cropped: list[CutView]
) -> dict[str, float]:
    """How well the locator meets the labelled boxes of val: the usual IoU, and a bad one."""
    ious = [
        view.agreement[region]
        for view, fold in zip(cropped, views["fold"], strict=True)
        if fold == "val" and region in view.agreement
    ]
    if not ious:
        return {}

    # the median hides the few that are framed so badly that their defect is cut off
    bad, median = np.percentile(ious, [5, 50])
    return {
        "val_n_boxes": len(ious),
        "val_iou_median": round(float(median), 4),
        "val_iou_5_percent": round(float(bad), 4),
    }


if __name__ == "__main__":
    program.run("crop", main)
