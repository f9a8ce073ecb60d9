from types import SimpleNamespace

import numpy as np
import pytest

from inspection.errors import InspectionError
from inspection.models.windows import Windows

# A crop of 256 x 128 px: targets in cells of 4 px, maps at strides 8, 16 and 32.
TARGETS = np.zeros((1, 32, 64), np.uint8)
MAPS = [np.zeros((1, 3, 128 // stride, 256 // stride)) for stride in (8, 16, 32)]


def windows(*window_px: int) -> Windows:
    return Windows.of((window_px[0], window_px[1]), TARGETS, MAPS)


@pytest.mark.parametrize(
    ("window_px", "cells"),
    [((128, 64), (2, 4)), ((512, 512), (4, 8)), ((47, 49), (2, 1)), ((1, 1), (1, 1))],
)
def test_a_window_is_of_whole_cells_and_at_most_the_crop(
    window_px: tuple[int, int], cells: tuple[int, int]
) -> None:
    found = windows(*window_px)
    assert found.crop == (4, 8)
    assert found.window == cells


def test_a_window_shows_the_same_place_on_every_map() -> None:
    found = windows(128, 64)
    x_px = np.arange(256) + 1000 * np.arange(128)[:, None]
    corners = set()
    for stride in (4, 8, 16, 32):
        cut = found.cut(x_px[::stride, ::stride], (1, 3))
        assert cut.shape == (64 // stride, 128 // stride)
        corners.add(int(cut[0, 0]))
    assert corners == {1000 * 32 + 3 * 32}


@pytest.mark.parametrize("marked", [(0, 0), (31, 63), (13, 20)])
def test_a_window_of_a_defective_crop_shows_the_defect(marked: tuple[int, int]) -> None:
    target = TARGETS[0].copy()
    target[marked] = 255
    found, generator = windows(128, 64), np.random.default_rng(0)
    starts = {found.draw(target, generator) for _ in range(200)}
    assert all(found.cut(target, start).any() for start in starts)
    assert len(starts) > 1 or marked in ((0, 0), (31, 63))


def test_windows_of_a_normal_crop_lie_everywhere_in_it() -> None:
    found, generator = windows(128, 64), np.random.default_rng(0)
    starts = {found.draw(TARGETS[0], generator) for _ in range(500)}
    assert starts == {(row, column) for row in range(3) for column in range(5)}


def test_maps_whose_cells_do_not_nest_are_refused_with_the_remedy() -> None:
    maps = [SimpleNamespace(shape=(1, 3, 15, 15)), SimpleNamespace(shape=(1, 3, 8, 8))]
    with pytest.raises(InspectionError, match=r"set train\.window_px to null"):
        Windows.of((64, 64), np.zeros((1, 64, 64), np.uint8), maps)
