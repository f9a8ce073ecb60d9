"""Locate the regions of every part, and cut one crop per view and region."""

from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from inspection.curation.folds import with_folds
from inspection.errors import InspectionError
from inspection.geometry import Floats, Image, cut
from inspection.images import read_frame
from inspection.line import Line
from inspection.models.crop_sheet import N_CROPS, crop_sheet
from inspection.models.crops import Crops, evenly_spaced, save_crops, window_of
from inspection.models.framing import located_regions, locator_targets, require_boxes
from inspection.models.locator import STRIDE, Locator, RegionLocator, fit_locator
from inspection.over_views import LIBRARIES, over_views
from inspection.parts import labels_of_parts
from inspection.runtime.framing import inside_outline
from inspection.storage import read_table, replacing, write_json, write_table
from stages import program, sections
from stages.params.crop import CropParams
from stages.per_view.cutting import CutView, cut_view, locate_by, shrunk
from stages.per_view.items import ViewToCut

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
        weights = save_locator(model, regions, size_px, paths.out)
        locator = RegionLocator(tuple(regions), size_px, partial(locate_by, weights))
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


def cut_views(
    views: pd.DataFrame,
    line: Line,
    locator: RegionLocator | None,
    data: Path,
    *,
    framing: str,
) -> list[CutView]:
    """Decode each view once; locate its regions, and cut the crops of all of them."""
    cut_one = partial(cut_view, line=line, locator=locator, framing=framing)
    found = over_views(
        cut_one,
        _to_cut(views, line),
        data=data,
        what="cut crops",
        libraries=(*LIBRARIES, "torch") if locator else LIBRARIES,
    )
    return list(found)


def _to_cut(views: pd.DataFrame, line: Line) -> list[ViewToCut]:
    part_labels = labels_of_parts(views, line.normal)
    table = views.assign(part_label=views["part_id"].map(part_labels))
    wanted = [field.name for field in fields(ViewToCut)]
    return [ViewToCut(*row) for row in table[wanted].itertuples(index=False)]


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

    shrink = partial(shrunk, line=line, size_px=size)
    shown = _to_cut(boxed.iloc[chosen], line)
    frames = np.stack(list(over_views(shrink, shown, data=data, what="read frames")))
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
) -> bytes:
    """Write the weights, and beside them what their outputs are and what they take.

    Returns the weights as they are written.
    """
    from safetensors.torch import save_file

    file = out / "locator.safetensors"
    with replacing(file) as temporary:
        save_file(model.state_dict(), temporary)
    settings = {"regions": regions, "size_px": list(size_px)}
    write_json(out / "locator.json", settings)
    return file.read_bytes()


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
