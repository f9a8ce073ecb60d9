import numpy as np
import pytest

from inspection.geometry import Box, CropWindow, coverage, cut
from inspection.line import Region
from inspection.runtime.framing import (
    Located,
    crop_windows,
    cut_crops,
    find_regions,
    inside_outline,
    whole_frame,
)

FRAME_PX = (64, 48)
CELLS = (16, 12)
REGIONS = {
    "rod": Region(size_px=(64, 32)),
    "rivet": Region(size_px=(32, 32), margin_fraction=0.25),
}
LEFT, RIGHT = Box(8, 8, 16, 8), Box(40, 8, 16, 8)


def windows_of(boxes: dict[str, Box], orient: tuple[str, str] | None = None) -> dict:
    return crop_windows(boxes, FRAME_PX, regions=REGIONS, orient=orient)


def test_a_region_is_located_where_its_map_shows_it() -> None:
    maps = {"rod": coverage([LEFT], CELLS, FRAME_PX), "rivet": np.zeros(CELLS[::-1], np.float32)}
    found = find_regions(maps, FRAME_PX)
    assert set(found) == {"rod"}
    assert found["rod"] == Located(LEFT, 1.0)


def test_a_region_without_a_box_has_no_window() -> None:
    assert set(windows_of({"rod": LEFT})) == {"rod"}


def test_each_region_has_its_own_size_and_margin() -> None:
    windows = windows_of({"rod": LEFT, "rivet": RIGHT})
    assert windows["rod"] == CropWindow(8, 8, 16, 8, size_px=(64, 32))
    assert windows["rivet"] == CropWindow(36, 0, 24, 24, size_px=(32, 32))


def test_the_whole_frame_is_a_window_without_any_box() -> None:
    regions = REGIONS | {"part": Region(size_px=(64, 48), whole_frame=True)}
    windows = crop_windows({}, FRAME_PX, regions=regions, orient=None)
    assert windows == {"part": CropWindow(0, 0, *FRAME_PX, size_px=(64, 48))}
    assert whole_frame(FRAME_PX) == Box(0, 0, 64, 48)


@pytest.mark.parametrize(
    ("rod", "rivet", "turned"), [(LEFT, RIGHT, False), (RIGHT, LEFT, True)], ids=["right", "wrong"]
)
def test_all_windows_of_a_part_are_turned_or_none(rod: Box, rivet: Box, turned: bool) -> None:
    windows = windows_of({"rod": rod, "rivet": rivet}, orient=("rod", "rivet"))
    assert [window.turned for window in windows.values()] == [turned, turned]


@pytest.mark.parametrize("channels", [1, 3])
def test_crops_have_a_channel_axis_and_the_pixels_of_their_window(channels: int) -> None:
    shape = FRAME_PX[::-1] if channels == 1 else (*FRAME_PX[::-1], 3)
    frame = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    windows = windows_of({"rod": LEFT})
    crop = cut_crops(frame, windows, REGIONS)["rod"]
    assert crop.shape == (32, 64, channels)
    np.testing.assert_array_equal(crop.squeeze(), cut(frame, windows["rod"]))


def test_what_lies_outside_of_the_outline_is_black() -> None:
    outline = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
    regions = {"rod": Region(size_px=(64, 32), outline=outline)}
    frame = np.full(FRAME_PX[::-1], 200, np.uint8)
    crop = cut_crops(frame, windows_of({"rod": LEFT}), regions)["rod"][:, :, 0]
    assert (crop[8:24, 16:48] == 200).all()
    assert crop.sum() == 200 * (24 - 8 + 1) * (48 - 16 + 1)


def test_dust_beside_the_part_is_seen_by_no_model() -> None:
    """A bright fibre off the part changes no pixel of the crop, one on the part does."""
    outline = ((0.1, 0.3), (0.9, 0.3), (0.9, 0.7), (0.1, 0.7))
    regions = {"rod": Region(size_px=(64, 32), outline=outline)}
    windows = windows_of({"rod": LEFT})
    frame = np.random.default_rng(0).integers(0, 255, FRAME_PX[::-1]).astype(np.uint8)
    clean = cut_crops(frame, windows, regions)["rod"]

    beside, on_it = frame.copy(), frame.copy()
    beside[8, 8:24] = 255
    on_it[12, 8:24] = 255
    np.testing.assert_array_equal(cut_crops(beside, windows, regions)["rod"], clean)
    assert (cut_crops(on_it, windows, regions)["rod"] != clean).any()


def test_the_outline_lies_alike_in_a_crop_that_is_turned() -> None:
    """It is drawn on the crop, where all parts lie alike."""
    region = Region(size_px=(64, 32), outline=((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
    frame = np.full(FRAME_PX[::-1], 200, np.uint8)
    windows = windows_of({"rod": RIGHT, "rivet": LEFT}, orient=("rod", "rivet"))
    assert windows["rod"].turned
    crop = cut_crops(frame, {"rod": windows["rod"]}, {"rod": region})["rod"]
    assert (crop[:, :32] == 200).all()
    assert not crop[:, 33:].any()


def test_a_region_without_an_outline_is_seen_whole() -> None:
    assert inside_outline(Region(size_px=(40, 32))).all()


def test_an_outline_of_the_whole_crop_leaves_nothing_out() -> None:
    corners = ((0, 0), (1, 0), (1, 1), (0, 1))
    assert inside_outline(Region(size_px=(40, 32), outline=corners)).all()
