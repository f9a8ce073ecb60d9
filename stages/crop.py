"""Locate the regions of every part, and cut one crop per view and region."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from tqdm import tqdm

from inspection.curation.folds import with_folds
from inspection.errors import InspectionError
from inspection.geometry import (
    Floats,
    Image,
    crop_window,
    cut,
    is_turned,
    locator_input,
)
from inspection.images import decode_mask, read_frame
from inspection.line import CEILING_PIXELS, Line
from inspection.models.crops import (
    Crops,
    box_target,
    mask_target,
    save_crops,
    window_columns,
)
from inspection.models.framing import (
    Framed,
    defect_boxes,
    frame_view,
    located_regions,
    locator_agreement,
    locator_targets,
    require_boxes,
)
from inspection.models.locator import STRIDE, Locator, fit_locator, locate
from inspection.parts import labels_of_parts
from inspection.storage import read_table, replacing, write_json, write_table
from stages import program


class CropParams(program.Params):
    """How regions are found.

    `framing: located` frames every crop as the service will, by the locator, which labelled boxes
    only train and check; `boxes` prefers a labelled box where there is one.
    """

    framing: Literal["located", "boxes"] = "located"
    locator_size_px: tuple[int, int] = (160, 128)
    locator_epochs: int = Field(default=30, ge=1, le=1000)
    locator_max_frames: int = Field(default=400, ge=1)
    locator_learning_rate: float = Field(default=0.01, gt=0, lt=1)
    seed: int = 0


def main() -> None:
    """Load the views of the folds, locate and cut their regions, save the crops."""
    paths = program.arguments(
        __doc__,
        data="the frames",
        manifest="the clean manifest",
        folds="the fold of each view",
        out="folder for the crops",
        metrics="file for the metrics",
    )
    line, params = program.params(line=Line, crop=CropParams)
    views = with_folds(read_table(paths.manifest), read_table(paths.folds))

    maps = _located(views, line, params, paths.data, paths.out)
    framed = [
        frame_view(view, line, {name: found[i] for name, found in maps.items()},
                   framing=params.framing)
        for i, view in enumerate(views.itertuples(index=False))
    ]  # fmt: skip
    metrics: dict[str, Any] = {"framing": params.framing, "n_views": len(views)}
    lost = []
    for region in line.regions:
        crops, missing = cut_region(views, line, region, framed, paths.data)
        save_crops(paths.out, region, crops)
        metrics[region] = _counts(crops, missing)
        lost.append(missing.assign(region=region))
    checked = views["fold"] == "val"
    val_maps = {region: found[checked.to_numpy()] for region, found in maps.items()}
    for region, ious in locator_agreement(views[checked], val_maps).items():
        metrics[region] |= _agreement(ious)

    write_table(paths.out / "not_located.csv", pd.concat(lost))
    program.save_metrics(paths.metrics, metrics)


def cut_region(
    views: pd.DataFrame,
    line: Line,
    region: str,
    framed: list[dict[str, Framed]],
    data: Path,
) -> tuple[Crops, pd.DataFrame]:
    """The crops of one region, and the views in which it could not be found."""
    settings = line.regions[region]
    part_labels = labels_of_parts(views, line.normal)

    def cut_one(number: int, view: Any) -> tuple[Image, Image, dict[str, Any]] | None:
        if region not in framed[number]:
            return None
        found = framed[number][region]
        boxes_here = {name: other.box for name, other in framed[number].items()}
        window = crop_window(
            found.box,
            size_px=settings.size_px,
            margin_fraction=settings.margin_fraction,
            turned=is_turned(boxes_here, line.orient),
        )
        image = cut(
            read_frame(
                data / view.path, channels=line.channels, bit_depth=line.bit_depth
            ),
            window,
        )
        boxes = defect_boxes(view, settings.shows)
        label = line.label_in(region, view.label)
        target, known_from = _target(
            data, view, window, boxes, is_normal=label == line.normal
        )
        row = {
            "view_id": view.view_id,
            "path": view.path,
            "part_id": view.part_id,
            "fold": view.fold,
            "label": label,
            "part_label": part_labels[view.part_id],
            "framed_by": found.source,
            "confidence": found.confidence,
            "target": known_from,
            **window_columns(window),
        }
        return image.reshape(*image.shape[:2], line.channels), target, row

    done = list(_in_threads(cut_one, views, f"cut {region}"))
    kept = [result for result in done if result is not None]
    if not kept:
        raise InspectionError(
            f"line.regions.{region}: found in none of {len(views)} views; box it in more frames, "
            "raise crop.locator_epochs, or set whole_frame: true"
        )
    images, targets, rows = zip(*kept, strict=True)
    missing = views[[result is None for result in done]][
        ["view_id", "path", "part_id", "label"]
    ]
    return Crops(np.stack(images), np.stack(targets), pd.DataFrame(rows)), missing


def _located(
    views: pd.DataFrame, line: Line, params: CropParams, data: Path, out: Path
) -> dict[str, Floats]:
    """Train the locator on the train fold's part boxes; probability maps of every view."""
    regions = located_regions(line)
    if not regions:
        return {}
    boxed = views[views["fold"] == "train"]
    require_boxes(boxed, regions)
    size = params.locator_size_px

    def shrink(_: int, view: Any) -> Image:
        return locator_input(
            read_frame(data / view.path, channels=1, bit_depth=line.bit_depth), size
        )

    frames = np.stack(list(_in_threads(shrink, views, "read frames")))
    cells = (size[0] // STRIDE, size[1] // STRIDE)
    targets = locator_targets(views, regions, cells)
    known = ~np.isnan(targets).all(axis=(1, 2, 3))
    usable = np.flatnonzero(known & (views["fold"] == "train").to_numpy())
    chosen = np.random.default_rng(params.seed).permutation(usable)[
        : params.locator_max_frames
    ]
    model = _fit(frames[chosen], targets[chosen], params)
    _save_locator(model, regions, size, out)
    maps = locate(model, frames)
    return {region: maps[:, number] for number, region in enumerate(regions)}


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
            batch_size=16,
            seed=params.seed,
            progress=progress,
        )


def _save_locator(
    model: Locator, regions: list[str], size: tuple[int, int], out: Path
) -> None:
    from safetensors.torch import save_file

    with replacing(out / "locator.safetensors") as temporary:
        save_file(model.state_dict(), temporary)
    write_json(out / "locator.json", {"regions": regions, "size_px": list(size)})


def _target(
    data: Path, view: Any, window: Any, boxes: list[Any], *, is_normal: bool
) -> tuple[Image, str]:
    """Where the defect lies in the crop, and what tells it; `unknown` where nothing marks it."""
    if is_normal:
        return box_target([], window), "normal"
    if view.mask_path:
        mask = decode_mask(
            (data / view.mask_path).read_bytes(), max_pixels=CEILING_PIXELS
        )
        target, known_from = mask_target(mask, window), "mask"
    else:
        target, known_from = box_target(boxes, window), "box"
    return target, known_from if target.any() else "unknown"


def _in_threads(
    work: Callable[[int, Any], Any], views: pd.DataFrame, what: str
) -> Iterator[Any]:
    with ThreadPoolExecutor() as pool:
        rows = list(views.itertuples(index=False))
        yield from tqdm(
            pool.map(work, range(len(rows)), rows),
            total=len(rows),
            desc=what,
            disable=None,
        )


def _counts(crops: Crops, missing: pd.DataFrame) -> dict[str, Any]:
    return {
        "n_crops": len(crops),
        "n_not_located": len(missing),
        "framed_by": crops.index["framed_by"].value_counts().to_dict(),
        "labels": crops.index["label"].value_counts().to_dict(),
    }


def _agreement(ious: list[float]) -> dict[str, float]:
    if not ious:
        return {}
    worst, median = np.percentile(ious, [5, 50])
    return {
        "val_n_boxes": len(ious),
        "val_iou_median": round(float(median), 4),
        "val_iou_5_percent": round(float(worst), 4),
    }


if __name__ == "__main__":
    program.run("crop", main)
