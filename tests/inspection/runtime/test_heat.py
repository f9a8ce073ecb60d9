import cv2
import numpy as np
import pytest

from inspection.geometry import Box
from inspection.runtime.heat import hot_boxes, overlay, resized, scaled

CROP_PX = (64, 32)


def heat_on(*cells: tuple[slice, slice], peak: float = 0.9) -> np.ndarray:
    """Heat (8, 16) on rows and columns of cells of 4 x 4 px."""
    heat = np.zeros((8, 16), np.float32)
    for cell in cells:
        heat[cell] = peak
    return heat


def test_the_scale_is_absolute_not_stretched_per_heatmap() -> None:
    np.testing.assert_allclose(scaled([1.0, 2.0, 3.0, 9.0], 2.0, 4.0), [0, 0, 0.5, 1])
    faint = scaled([2.0, 2.1], 2.0, 4.0)
    assert faint.max() == pytest.approx(0.05)


def test_a_scale_without_range_does_not_divide_by_zero() -> None:
    assert scaled([1.0, 3.0], 2.0, 2.0).tolist() == [0.0, 1.0]


def test_a_hot_area_is_boxed_in_crop_pixels() -> None:
    [(box, peak)] = hot_boxes(heat_on(np.s_[2:4, 5:8]), CROP_PX, 0.5)
    assert box == Box(20, 8, 12, 8)
    assert peak == pytest.approx(0.9)


def test_several_hot_areas_give_several_boxes_hottest_first() -> None:
    heat = heat_on(np.s_[0:2, 0:2], peak=0.6) + heat_on(np.s_[5:7, 10:12], peak=0.8)
    boxes = hot_boxes(heat, CROP_PX, 0.5)
    assert [box for box, _ in boxes] == [Box(40, 20, 8, 8), Box(0, 0, 8, 8)]
    assert [peak for _, peak in boxes] == pytest.approx([0.8, 0.6])


def test_what_is_not_hot_or_too_small_is_not_boxed() -> None:
    assert hot_boxes(heat_on(np.s_[2:4, 5:8], peak=0.4), CROP_PX, 0.5) == []
    assert hot_boxes(heat_on(np.s_[2:3, 5:7]), CROP_PX, 0.5) == []


def test_coarse_heat_is_boxed_on_the_same_grid() -> None:
    coarse = np.zeros((4, 8), np.float32)
    coarse[1, 2:4] = 1
    [(box, _)] = hot_boxes(coarse, CROP_PX, 0.5)
    assert box == Box(16, 8, 16, 8)


def test_heat_is_spread_to_width_and_height() -> None:
    assert resized(heat_on(), CROP_PX).shape == (32, 64)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_overlay_leaves_what_is_cold_as_it_is(channels: int) -> None:
    crop = np.full((32, 64, channels), 90, np.uint8)
    picture = overlay(crop, heat_on(np.s_[2:6, 10:14], peak=1.0))
    assert picture.shape == (32, 64, 3)
    assert (picture[:, :32] == 90).all()
    red, _, blue = picture[16, 48].astype(int)
    assert red > blue + 20


@pytest.mark.parametrize(("n_cells", "is_boxed"), [(2, False), (3, True)])
def test_an_area_is_boxed_from_three_cells_on(n_cells: int, is_boxed: bool) -> None:
    assert bool(hot_boxes(heat_on(np.s_[2:3, 5 : 5 + n_cells]), CROP_PX, 0.5)) == is_boxed


def test_the_hottest_place_still_shows_a_third_of_what_lies_beneath() -> None:
    crop = np.full((32, 64, 1), 100, np.uint8)
    hottest = cv2.applyColorMap(np.array([[255]], np.uint8), cv2.COLORMAP_INFERNO)[0, 0, ::-1]
    picture = overlay(crop, np.ones((8, 16), np.float32))
    np.testing.assert_allclose(picture[16, 32], 0.35 * 100 + 0.65 * hottest, atol=1)
