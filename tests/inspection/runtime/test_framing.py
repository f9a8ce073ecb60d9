import numpy as np
import pytest

from inspection.geometry import Box, CropWindow, coverage, cut
from inspection.line import Region
from inspection.runtime.framing import Located, crop_windows, cut_crops, find_regions, whole_frame

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
    crop = cut_crops(frame, windows)["rod"]
    assert crop.shape == (32, 64, channels)
    np.testing.assert_array_equal(crop.squeeze(), cut(frame, windows["rod"]))
