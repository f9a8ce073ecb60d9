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
