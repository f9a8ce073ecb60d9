import dataclasses

import cv2
import numpy as np
import pytest

from inspection.geometry import (
    Box,
    CropWindow,
    box_from_mask,
    coverage,
    crop_window,
    cut,
    intersection_over_union,
    is_turned,
    locator_input,
    mirrored_outside,
)

WINDOW = CropWindow(20, 10, 64, 32, size_px=(128, 64))


def frame_with(box: Box, *, size: tuple[int, int] = (120, 80)) -> np.ndarray:
    """A dark frame of (width, height) `size` with one bright box of whole pixels."""
    frame = np.full(size[::-1], 10, np.uint8)
    x, y = int(box.x_px), int(box.y_px)
    frame[y : y + int(box.height_px), x : x + int(box.width_px)] = 240
    return frame


def bright_box(image: np.ndarray) -> Box:
    """The box around what is bright."""
    x, y, width, height = cv2.boundingRect((image > 125).astype(np.uint8))
    return Box(x, y, width, height)


def near(one: Box, other: Box, within_px: float) -> bool:
    edges = zip(dataclasses.astuple(one), dataclasses.astuple(other), strict=True)
    return all(abs(a - b) <= within_px for a, b in edges)


def test_overlap_of_two_boxes_counted_by_hand() -> None:
    assert intersection_over_union(Box(0, 0, 4, 4), Box(2, 0, 4, 4)) == pytest.approx(8 / 24)
    assert intersection_over_union(Box(0, 0, 4, 4), Box(0, 0, 4, 4)) == 1
    assert intersection_over_union(Box(0, 0, 4, 4), Box(4, 0, 4, 4)) == 0
    assert intersection_over_union(Box(0, 0, 0, 0), Box(0, 0, 0, 0)) == 0


def test_a_box_is_clipped_to_the_image_and_empty_outside_of_it() -> None:
    assert Box(-5, 2, 10, 100).clipped(40, 30) == Box(0, 2, 5, 28)
    assert Box(50, 2, 10, 10).clipped(40, 30).area_px == 0


def test_a_margin_is_added_on_each_side() -> None:
    assert Box(10, 20, 100, 40).grown(0.1) == Box(0, 16, 120, 48)


def test_a_crop_window_has_the_aspect_of_the_crop_and_the_centre_of_the_box() -> None:
    tall = crop_window(Box(40, 20, 10, 30), size_px=(128, 64), margin_fraction=0)
    wide = crop_window(Box(10, 20, 90, 30), size_px=(128, 64), margin_fraction=0)
    assert (tall.width_px, tall.height_px) == (60, 30)
    assert (wide.width_px, wide.height_px) == (90, 45)
    assert tall.x_px + tall.width_px / 2 == pytest.approx(45, abs=0.5)
    assert wide.y_px + wide.height_px / 2 == pytest.approx(35, abs=0.5)
    assert tall.scale[0] == pytest.approx(tall.scale[1])


@pytest.mark.parametrize("turned", [False, True], ids=["upright", "turned"])
def test_a_drawn_square_lies_in_the_crop_where_the_window_maps_it(turned: bool) -> None:
    square = Box(40, 18, 8, 6)
    window = dataclasses.replace(WINDOW, turned=turned)
    crop = cut(frame_with(square), window)
    assert crop.shape == (64, 128)
    assert near(bright_box(crop), window.to_crop(square), within_px=1)


@pytest.mark.parametrize("turned", [False, True], ids=["upright", "turned"])
def test_the_way_from_the_crop_to_the_frame_and_back_changes_nothing(turned: bool) -> None:
    window = dataclasses.replace(WINDOW, turned=turned)
    box = Box(3.5, 7, 11, 5)
    assert near(window.to_crop(window.to_frame(box)), box, within_px=1e-9)


def test_a_turned_crop_is_the_upright_one_upside_down() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (80, 120)).astype(np.uint8)
    upright, turned = cut(frame, WINDOW), cut(frame, dataclasses.replace(WINDOW, turned=True))
    np.testing.assert_array_equal(turned, np.rot90(upright, 2))


def test_a_window_of_the_size_of_the_crop_cuts_the_very_pixels() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (80, 120, 3)).astype(np.uint8)
    crop = cut(frame, CropWindow(30, 40, 32, 16, size_px=(32, 16)))
    np.testing.assert_array_equal(crop, frame[40:56, 30:62])


@pytest.mark.parametrize("turned", [False, True], ids=["upright", "turned"])
def test_outside_the_frame_the_crop_shows_its_mirror_image(*, turned: bool) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (16, 16)).astype(np.uint8)
    window = CropWindow(-16, 0, 32, 16, size_px=(32, 16), turned=turned)

    crop = cut(frame, window)
    upright = crop[::-1, ::-1] if turned else crop

    np.testing.assert_array_equal(upright[:, 16:], frame)
    np.testing.assert_array_equal(upright[:, :16], frame[:, ::-1])


def test_values_over_a_crop_are_mirrored_where_the_frame_ends() -> None:
    window = CropWindow(-8, 0, 16, 8, size_px=(32, 16))
    values = np.arange(8, dtype=np.uint8).reshape(2, 4)  # a cell is 4 px of the frame wide
    mirrored = mirrored_outside(values, window, (8, 8))
    assert mirrored.tolist() == [[3, 2, 2, 3], [7, 6, 6, 7]]
    np.testing.assert_array_equal(mirrored_outside(values, window, (8, 8)), mirrored)

    within = CropWindow(0, 0, 8, 8, size_px=(32, 32))
    np.testing.assert_array_equal(mirrored_outside(values, within, (8, 8)), values)


def test_a_box_beyond_an_edge_is_brought_back_by_mirroring() -> None:
    assert Box(-6, 2, 4, 3).mirrored_into(20, 10) == Box(2, 2, 4, 3)
    assert Box(22, 11, 4, 2).mirrored_into(20, 10) == Box(14, 7, 4, 2)
    assert Box(-1, 8, 4, 3).mirrored_into(20, 10) == Box(-1, 8, 4, 3)  # its middle lies inside


def test_shrinking_keeps_the_energy_of_a_thin_line() -> None:
    frame = np.zeros((64, 64), np.uint8)
    frame[:, 31] = 200
    small = cut(frame, CropWindow(0, 0, 64, 64, size_px=(16, 16)))
    assert small[0].sum() == pytest.approx(200 / 4, abs=2)


def test_a_box_beside_the_image_is_empty_once_clipped_and_stays_within() -> None:
    assert Box(90, 10, 30, 20).clipped(80, 60) == Box(80, 10, 0, 20)
    assert Box(-9, -9, 4, 4).clipped(80, 60) == Box(0, 0, 0, 0)
    assert Box(70, 50, 30, 20).clipped(80, 60) == Box(70, 50, 10, 10)


def test_coverage_counted_by_hand() -> None:
    covered = coverage([Box(2, 0, 6, 4)], (4, 2), (16, 8))
    np.testing.assert_allclose(covered, [[0.5, 1, 0, 0], [0, 0, 0, 0]])


def test_of_several_boxes_a_cell_counts_the_one_that_covers_most() -> None:
    covered = coverage([Box(0, 0, 2, 4), Box(0, 0, 3, 4)], (4, 2), (16, 8))
    assert covered[0, 0] == pytest.approx(0.75)


@pytest.mark.parametrize(
    "box", [Box(13, 10, 37, 21), Box(0, 0, 30, 20), Box(41, 30, 23, 18)], ids=str
)
def test_a_box_is_read_from_its_coverage_to_half_a_cell(box: Box) -> None:
    found = box_from_mask(coverage([box], (16, 12), (64, 48)), (64, 48))
    assert found is not None
    assert near(found[0], box, within_px=2)
    assert found[1] > 0.7


def test_the_largest_of_two_areas_is_taken() -> None:
    large = Box(4, 4, 28, 36)
    two = coverage([large, Box(48, 8, 8, 8)], (16, 12), (64, 48))
    found = box_from_mask(two, (64, 48))
    assert found is not None
    assert intersection_over_union(found[0], large) > 0.9


def test_a_region_that_is_not_to_be_seen_has_no_box() -> None:
    assert box_from_mask(np.full((12, 16), 0.4, np.float32), (64, 48)) is None
    speck = np.zeros((12, 16), np.float32)
    speck[5, 5] = 1
    assert box_from_mask(speck, (64, 48)) is None


def test_a_part_is_turned_when_its_second_region_lies_left_of_the_first() -> None:
    knurling, rivet = Box(50, 0, 40, 20), Box(10, 0, 20, 20)
    orient = ("knurling", "rivet")
    assert is_turned({"knurling": knurling, "rivet": rivet}, orient)
    assert not is_turned({"knurling": rivet, "rivet": knurling}, orient)


def test_a_part_without_direction_or_with_a_region_missing_is_not_turned() -> None:
    boxes = {"knurling": Box(50, 0, 40, 20), "rivet": Box(10, 0, 20, 20)}
    assert not is_turned(boxes, None)
    assert not is_turned({"rivet": boxes["rivet"]}, ("knurling", "rivet"))


def test_the_locator_sees_any_frame_as_grey_and_of_its_own_size() -> None:
    red = np.zeros((60, 90, 3), np.uint8)
    red[..., 0] = 255
    seen = locator_input(red, (32, 24))
    assert seen.shape == (24, 32)
    assert (seen == 76).all()  # 0.299 * 255


@pytest.mark.parametrize("shape", [(1, 200_000), (200_000, 1)], ids=["wide", "high"])
def test_a_frame_of_an_absurd_shape_costs_no_more_than_its_crop(shape: tuple[int, int]) -> None:
    frame = np.full(shape, 9, np.uint8)
    whole = Box(0, 0, shape[1], shape[0])
    window = crop_window(whole, size_px=(64, 48), margin_fraction=0)
    np.testing.assert_array_equal(cut(frame, window), np.full((48, 64), 9, np.uint8))


def test_a_window_that_misses_the_frame_shows_its_nearest_edge() -> None:
    frame = np.arange(64, dtype=np.uint8).reshape(8, 8)
    crop = cut(frame, CropWindow(20, 2, 4, 4, size_px=(4, 4)))
    assert (crop == frame[2:6, 7:]).all()


def map_of(cells: dict[tuple[int, int], float]) -> np.ndarray:
    """A probability map of 12 x 16 cells; `cells` are by (row, column)."""
    probability = np.zeros((12, 16), np.float32)
    for place, value in cells.items():
        probability[place] = value
    return probability


def corner_of(n_cells: int) -> np.ndarray:
    """So many certain cells of a block of 4 x 4: its first row and column, then its inside."""
    row = [(4, 4 + n) for n in range(4)]
    column = [(5 + n, 4) for n in range(3)]
    inside = [(5, 5), (5, 6), (6, 5)]
    return map_of(dict.fromkeys((row + column + inside)[:n_cells], 1.0))


def test_a_region_fills_at_least_half_of_its_box() -> None:
    found = box_from_mask(corner_of(8), (64, 48))
    assert found is not None
    assert found[1] == 0.5
    assert box_from_mask(corner_of(7), (64, 48)) is None


def test_four_cells_are_a_region_and_three_are_a_speck() -> None:
    four = dict.fromkeys([(4, 4), (4, 5), (5, 4), (5, 5)], 1.0)
    assert box_from_mask(map_of(four), (64, 48)) is not None
    assert box_from_mask(map_of(dict.fromkeys([(4, 4), (4, 5), (4, 6)], 1.0)), (64, 48)) is None


def test_cells_belong_to_a_region_where_it_is_likelier_than_not() -> None:
    likely = dict.fromkeys([(4, 4), (4, 5), (5, 4), (5, 5)], 0.55)
    assert box_from_mask(map_of(likely), (64, 48)) is not None
    half_doubted = {(4, 4): 0.9, (4, 5): 0.9, (5, 4): 0.45, (5, 5): 0.45}
    assert box_from_mask(map_of(half_doubted), (64, 48)) is None


def test_the_margin_of_a_window_is_that_share_of_the_box_on_each_side() -> None:
    window = crop_window(Box(40, 20, 60, 30), size_px=(128, 64), margin_fraction=0.1)
    assert (window.x_px, window.y_px, window.width_px, window.height_px) == (34, 17, 72, 36)


def test_where_the_first_region_lies_exactly_over_the_second_the_part_is_not_turned() -> None:
    over, under = Box(10, 0, 20, 20), Box(15, 30, 10, 20)
    assert not is_turned({"a": over, "b": under}, ("a", "b"))
    left = dataclasses.replace(under, x_px=14.9)
    assert is_turned({"a": over, "b": left}, ("a", "b"))


def test_the_edge_of_a_faint_region_is_at_most_a_cell_off_its_cells() -> None:
    faint = {(row, column): 0.6 for row in (4, 5) for column in (6, 7, 8)}
    haze = {(row, column): 0.49 for row in (4, 5) for column in (5, 9)}
    found = box_from_mask(map_of(faint | haze), (64, 48))
    assert found is not None
    assert found[0].x_px == 4 * 5.5
    assert found[0].right_px == 4 * 9.5
