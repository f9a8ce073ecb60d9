import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from inspection.models.pasting import paste

CELL_PX = 4


def drawn(level: int, *, square_at: tuple[int, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A crop (64, 128, 1) of one grey, 80 darker in two by two cells at (column, row)."""
    crop, target = np.full((64, 128, 1), level, np.uint8), np.zeros((16, 32), np.uint8)
    if square_at is not None:
        column, row = square_at
        target[row : row + 2, column : column + 2] = 255
        crop[np.kron(target, np.ones((4, 4))) > 0] = level - 80
    return crop, target


def pasted(seed: int, *, at: tuple[int, int] = (10, 8)) -> tuple[np.ndarray, np.ndarray]:
    defect, target = drawn(200, square_at=at)
    background, _ = drawn(120)
    return paste(defect, target, background, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(6))
def test_the_defect_lies_where_the_new_target_says(seed: int) -> None:
    image, cells = pasted(seed)
    assert cells.sum() == 4 * 255
    covered = np.kron(cells, np.ones((CELL_PX, CELL_PX))) > 0
    assert image[covered].mean() < 75
    far = cv2.dilate(covered.astype(np.uint8), np.ones((37, 37), np.uint8)) == 0
    assert far.any()
    assert (image[far] == 120).all()


def test_the_brightness_of_the_other_part_does_not_come_along() -> None:
    image, _ = pasted(0)
    assert image.max() <= 121


def test_the_defect_is_shifted_but_never_out_of_the_crop() -> None:
    corners = {tuple(np.argwhere(pasted(seed, at=(0, 14))[1])[0]) for seed in range(40)}
    assert len(corners) > 3
    assert all(pasted(seed, at=(30, 0))[1].sum() == 4 * 255 for seed in range(40))
    assert {row for row, _ in corners} == {12, 13, 14}
    assert {column for _, column in corners} == {0, 1, 2, 3, 4}


def test_the_same_generator_pastes_the_same() -> None:
    np.testing.assert_array_equal(pasted(3)[0], pasted(3)[0])


def test_the_crops_that_are_given_stay_as_they_were() -> None:
    defect, target = drawn(200, square_at=(10, 8))
    background, _ = drawn(120)
    paste(defect, target, background, np.random.default_rng(0))
    assert (background == 120).all()
    assert defect.min() == 120


def edge_of(level: int = 120) -> np.ndarray:
    """How much of a pasted square of 32 px, 80 darker, is to be seen along its middle row, 0..1."""
    defect, target = np.full((96, 128, 1), level, np.uint8), np.zeros((24, 32), np.uint8)
    target[8:16, 12:20] = 255
    defect[np.kron(target, np.ones((4, 4))) > 0] = level - 80
    image, cells = paste(defect, target, np.full_like(defect, level), np.random.default_rng(0))
    rows = np.flatnonzero(np.kron(cells, np.ones((4, 4))).any(axis=1))
    columns = np.flatnonzero(np.kron(cells, np.ones((4, 4))).any(axis=0))
    middle = image[rows[len(rows) // 2], columns[0] : columns[-1] + 1, 0]
    return (level - middle.astype(float)) / 80


def test_the_edge_of_a_pasted_defect_is_feathered_alike_on_both_sides() -> None:
    seen = edge_of()
    # Two pixels beyond the label the blend is one half; sigma 3 px from there inwards.
    expected = [0.5 * (1 + math.erf((2.5 + n) / 3 / math.sqrt(2))) for n in range(4)]
    np.testing.assert_allclose(seen[:4], expected, atol=0.025)
    np.testing.assert_allclose(seen[::-1][:4], expected, atol=0.025)


def lightened(place: tuple[int, int, int, int]) -> bool:
    """Whether brighter ground at rows and columns counted from the defect's mask changes it."""
    defect, target = np.full((96, 128, 1), 120, np.uint8), np.zeros((24, 32), np.uint8)
    target[9:15, 13:19] = 255
    background = np.full_like(defect, 120)
    unmoved = SimpleNamespace(integers=lambda low, high: 0)
    plain, _ = paste(defect, target, background, unmoved)
    top, bottom, left, right = place
    background[top:bottom, left:right] = 250
    bright, _ = paste(defect, target, background, unmoved)
    return bool(bright[48, 64, 0] != plain[48, 64, 0])


# The mask grown by two pixels covers rows 34..61 and columns 50..77.
@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ((34, 62, 38, 39), (34, 62, 37, 38)),
        ((34, 62, 89, 90), (34, 62, 90, 91)),
        ((22, 23, 50, 78), (21, 22, 50, 78)),
        ((73, 74, 50, 78), (74, 75, 50, 78)),
    ],
    ids=["left", "right", "above", "below"],
)
def test_brightness_is_compared_up_to_twelve_pixels_around_the_defect(
    inside: tuple[int, int, int, int], outside: tuple[int, int, int, int]
) -> None:
    assert lightened(inside)
    assert not lightened(outside)
