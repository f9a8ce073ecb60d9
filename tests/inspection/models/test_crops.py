import dataclasses
from pathlib import Path

import numpy as np
import pytest

from inspection.boxes import LabelledBox, boxes_cell
from inspection.errors import InspectionError
from inspection.geometry import Box, CropWindow, cut
from inspection.models.crops import (
    box_target,
    cells_inside,
    drawn,
    load_crops,
    mask_target,
    part_box,
    save_crops,
    window_of,
)
from tests.squares import draw_crops, joined

WINDOW = CropWindow(10, 20, 64, 32, size_px=(64, 32))
FRAME = (120, 80)  # width and height in pixels


def boxes_json(*boxes: tuple[str, Box]) -> str:
    return boxes_cell(LabelledBox(name, box, "coco") for name, box in boxes)


def test_crops_are_loaded_as_they_were_saved(tmp_path: Path) -> None:
    crops = draw_crops(2)
    save_crops(tmp_path, "knurling", crops)
    loaded = load_crops(tmp_path, "knurling")
    np.testing.assert_array_equal(loaded.images, crops.images)
    np.testing.assert_array_equal(loaded.targets, crops.targets)
    assert loaded.index.equals(crops.index)


def test_loaded_crops_cannot_be_changed_on_disk(tmp_path: Path) -> None:
    save_crops(tmp_path, "knurling", draw_crops(1))
    loaded = load_crops(tmp_path, "knurling")
    with pytest.raises(ValueError, match="read-only"):
        loaded.images[0] = 0


def test_arrays_and_index_of_different_length_are_refused(tmp_path: Path) -> None:
    crops = draw_crops(2)
    save_crops(tmp_path, "knurling", dataclasses.replace(crops, index=crops.index[:-1]))
    with pytest.raises(InspectionError, match="12 crops but 11 rows; run `dvc repro crop`"):
        load_crops(tmp_path, "knurling")


def test_a_fold_holds_its_own_crops_in_order() -> None:
    val = draw_crops(1, fold="val", seed=7)
    both = joined(draw_crops(2), val)
    np.testing.assert_array_equal(both.in_fold("val").images, val.images)
    assert both.in_fold("val").index["view_id"].tolist() == val.index["view_id"].tolist()
    assert len(both.in_fold("test")) == 0


def test_the_window_of_a_crop_is_kept_in_its_row(tmp_path: Path) -> None:
    crops = draw_crops(1)
    save_crops(tmp_path, "knurling", crops)
    row = next(load_crops(tmp_path, "knurling").index.itertuples())
    assert window_of(row) == CropWindow(0, 0, 64, 32, size_px=(64, 32), turned=False)


def test_a_turned_window_is_read_back_turned() -> None:
    crops = draw_crops(1)
    crops.index["turned"] = True
    assert window_of(crops.index.iloc[0]).turned


def test_the_largest_of_several_labelled_boxes_is_the_region() -> None:
    large, small = Box(0, 0, 30, 20), Box(50, 0, 10, 10)
    labelled = boxes_json(("rivet", small), ("rivet", large), ("dent", Box(0, 0, 90, 90)))
    assert part_box(labelled, "rivet") == large
    assert part_box(labelled, "knurling") is None


def test_cells_that_a_box_covers_counted_by_hand() -> None:
    target = box_target([Box(10 + 8, 20 + 4, 6, 4)], WINDOW, FRAME)
    assert target.shape == (8, 16)
    assert target[1].tolist() == [0, 0, 255, 128, *[0] * 12]
    assert target[[0, *range(2, 8)]].sum() == 0


def test_a_mask_covers_the_cells_that_its_box_covers() -> None:
    box = Box(10 + 8, 20 + 4, 12, 8)
    mask = np.zeros((80, 120), np.uint8)
    mask[24:32, 18:30] = 1
    np.testing.assert_array_equal(mask_target(mask, WINDOW), box_target([box], WINDOW, FRAME))


def test_a_mask_thinner_than_a_cell_marks_the_cells_that_it_touches() -> None:
    mask = np.zeros((80, 120), np.uint8)
    mask[26, 18:30] = 1  # a crack of 1 px along one row of cells
    target = mask_target(mask, WINDOW)
    box = box_target([Box(18, 24, 12, 4)], WINDOW, FRAME)
    np.testing.assert_array_equal(target, np.where(box > 0, 255, 0))


def test_a_target_is_turned_with_its_crop() -> None:
    turned = dataclasses.replace(WINDOW, turned=True)
    box = Box(18, 24, 8, 4)
    np.testing.assert_array_equal(
        box_target([box], turned, FRAME), box_target([box], WINDOW, FRAME)[::-1, ::-1]
    )


BESIDE = dataclasses.replace(WINDOW, x_px=-32, y_px=0)  # its left half lies outside of the frame


@pytest.mark.parametrize("turned", [False, True], ids=["upright", "turned"])
def test_beyond_the_frame_a_target_is_mirrored_as_the_crop_is(*, turned: bool) -> None:
    window = dataclasses.replace(BESIDE, turned=turned)
    box = Box(8, 4, 12, 8)
    mask = np.zeros((80, 120), np.uint8)
    mask[4:12, 8:20] = 255

    of_box = box_target([box], window, FRAME)
    of_mask = mask_target(mask, window)
    as_seen = cut(mask, dataclasses.replace(window, size_px=(16, 8)))

    np.testing.assert_array_equal(of_box, of_mask)
    np.testing.assert_array_equal(of_box, as_seen)
    assert of_box.any(axis=0).sum() == 6  # three columns of cells, and their mirror image


def test_rows_are_drawn_from_all_along_the_table_and_kept_in_order() -> None:
    rows = np.arange(1000, 2000)
    some = drawn(rows, 100, seed=0)
    assert len(set(some.tolist())) == 100
    assert (np.diff(some) > 0).all()
    assert 1400 < some.mean() < 1600
    assert drawn(rows[:5], 100, seed=0).tolist() == [1000, 1001, 1002, 1003, 1004]


def test_a_cell_with_a_single_pixel_inside_of_the_outline_counts() -> None:
    inside = np.zeros((16, 32), np.uint8)
    inside[7, 11] = 1
    cells = cells_inside(inside)
    assert cells.shape == (4, 8)
    assert np.argwhere(cells).tolist() == [[1, 2]]
