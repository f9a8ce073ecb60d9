"""Crops on disk: a uint8 memory map per region, with an index that leads back to the frame."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from inspection.boxes import boxes_of, parse_boxes
from inspection.errors import InspectionError
from inspection.geometry import (
    Box,
    CropWindow,
    Floats,
    Image,
    coverage,
    cut,
    mirrored_outside,
)
from inspection.storage import read_table, replacing, write_table

# Crop pixels per cell of a target: the grid of the finest feature maps that heat is computed on, so
# a finer truth could not be met. Stored crops carry it.
TARGET_STRIDE = 4

# The `target` of a defective crop in which nobody has marked where the defect is.
UNKNOWN = "unknown"

# In grey levels. no outcome: it only keeps crops of one grey from dividing by nothing.
MIN_PIXEL_STD = 1e-3


@dataclass(frozen=True)
class Crops:
    """The crops of one region.

    `images` is (N, H, W, C) uint8, C = 1 (grey) or 3 (RGB). `targets` is (N, H / 4, W / 4) uint8:
    how much of each cell the labelled defect covers, 0..255. `index` has one row per crop, with
    `target` telling what the defect's place is known from: `mask`, `box`, `normal` (there is none)
    or `unknown`.
    """

    images: Image
    targets: Image
    index: pd.DataFrame

    def in_fold(self, fold: str) -> "Crops":
        """The crops of one fold, in order."""
        return self.rows(np.flatnonzero(self.index["fold"] == fold))

    def rows(self, rows: Any) -> "Crops":
        """The crops at the given row numbers."""
        index = self.index.iloc[rows].reset_index(drop=True)
        return Crops(self.images[rows], self.targets[rows], index)

    def without_images(self) -> "Crops":
        """The same with empty pictures, for what needs labels and targets alone: it is small."""
        return Crops(self.images[:, :0, :0], self.targets, self.index)

    def __len__(self) -> int:
        return len(self.index)


def save_crops(folder: Path, region: str, crops: Crops) -> None:
    """Write the crops of a region; the index comes last, so a table without it is unfinished."""
    for name, array in ((region, crops.images), (f"{region}.targets", crops.targets)):
        with (
            replacing(folder / f"{name}.npy") as temporary,
            temporary.open("wb") as file,
        ):
            np.save(file, array, allow_pickle=False)
    write_table(folder / f"{region}.parquet", crops.index)


def load_crops(folder: Path, region: str) -> Crops:
    """Map the crops of a region into memory, read-only."""
    index = read_table(folder / f"{region}.parquet")
    images = np.load(folder / f"{region}.npy", mmap_mode="r", allow_pickle=False)
    targets = np.load(
        folder / f"{region}.targets.npy", mmap_mode="r", allow_pickle=False
    )
    if not len(images) == len(targets) == len(index):
        raise InspectionError(
            f"{folder}/{region}: {len(images)} crops but {len(index)} rows; run `dvc repro crop`"
        )
    return Crops(images, targets, index)


def pixel_statistics(images: Image) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and spread of crops (N, H, W, C), in grey levels 0..255, per channel."""
    pixels = np.asarray(images, np.float64)
    mean = pixels.mean(axis=(0, 1, 2)).round(3)
    std = (pixels.std(axis=(0, 1, 2)) + MIN_PIXEL_STD).round(3)
    return tuple(mean.tolist()), tuple(std.tolist())


def window_of(row: Any) -> CropWindow:
    """The crop window of an index row."""
    return CropWindow(
        x_px=int(row.window_x_px),
        y_px=int(row.window_y_px),
        width_px=int(row.window_width_px),
        height_px=int(row.window_height_px),
        size_px=(int(row.crop_width_px), int(row.crop_height_px)),
        turned=bool(row.turned),
    )


def evenly_spaced(n_rows: int, n: int) -> Any:
    """At most `n` of the row numbers 0..`n_rows` - 1, evenly spaced, both ends among them.

    >>> evenly_spaced(10, 4).tolist(), evenly_spaced(2, 4).tolist()
    ([0, 3, 6, 9], [0, 1])
    """
    return np.linspace(0, n_rows - 1, min(n, n_rows)).round().astype(int)


def drawn(rows: Any, n: int, seed: int) -> Any:
    """At most `n` of the row numbers, drawn at random and put in order.

    Crops lie in the order of their paths, so the first ones are those of one camera.
    """
    return np.sort(np.random.default_rng(seed).permutation(rows)[:n])


def window_columns(window: CropWindow) -> dict[str, int | bool]:
    """The columns of an index row that hold a crop window."""
    return {
        "window_x_px": window.x_px,
        "window_y_px": window.y_px,
        "window_width_px": window.width_px,
        "window_height_px": window.height_px,
        "crop_width_px": window.size_px[0],
        "crop_height_px": window.size_px[1],
        "turned": window.turned,
    }


def part_box(boxes_json: str, region: str) -> Box | None:
    """The labelled box of a region: the largest one where a person drew several."""
    found = boxes_of(parse_boxes(boxes_json), {region})
    return max(found, key=lambda box: box.area_px) if found else None


def box_target(
    boxes: list[Box], window: CropWindow, frame_size_px: tuple[int, int]
) -> Image:
    """How much of each target cell the boxes (frame pixels) cover: (H / 4, W / 4) uint8.

    Beyond the (width, height) frame, where the crop shows its mirror image, so does the target.
    """
    width, height = window.size_px
    in_crop = [window.to_crop(box) for box in boxes]
    covered: Floats = coverage(
        in_crop, (width // TARGET_STRIDE, height // TARGET_STRIDE), (width, height)
    )
    target = (covered * 255).round().astype(np.uint8)
    return mirrored_outside(target, window, frame_size_px)


def cells_inside(inside: Image) -> Image:
    """Which target cells (H / 4, W / 4) have a pixel inside an outline (H, W), 1 or 0."""
    height, width = (side // TARGET_STRIDE for side in inside.shape)
    whole = inside[: height * TARGET_STRIDE, : width * TARGET_STRIDE]
    blocks = whole.reshape(height, TARGET_STRIDE, width, TARGET_STRIDE)
    return np.asarray(blocks.max(axis=(1, 3)))


def mask_target(mask: Image, window: CropWindow) -> Image:
    """Which target cells a frame-sized mask (non-zero = defect) touches, as uint8, 255 or 0.

    A crack is thinner than a cell: its share of one would say that it is rather not there, and
    evidence would be learned beside it.
    """
    width, height = window.size_px
    cells = (width // TARGET_STRIDE, height // TARGET_STRIDE)
    small = replace(window, size_px=cells)
    binary = np.where(mask > 0, 255, 0).astype(np.uint8)
    covered = cut(binary, small)
    return np.where(covered > 0, 255, 0).astype(np.uint8)
