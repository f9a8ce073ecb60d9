import numpy as np
import pytest

from inspection.models.augmentations import AUGMENTATIONS, Augment, build_augmentation
from tests.squares import draw_crop

FLIPPING = ("flip", "heavy", "line", "line_centre")


def draws(augment: Augment, n: int = 12) -> list[tuple[np.ndarray, np.ndarray]]:
    """The bright square of seed 3 as it comes out of several draws."""
    return [augment(*draw_crop("bright", 3)) for _ in range(n)]


def brightest_cell(image: np.ndarray) -> tuple[int, ...]:
    cells = image[:, :, 0].reshape(8, 4, 16, 4).mean(axis=(1, 3))
    return tuple(int(i) for i in np.unravel_index(cells.argmax(), cells.shape))


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
@pytest.mark.parametrize("channels", [1, 3])
def test_size_and_kind_of_crop_and_target_are_kept(name: str, channels: int) -> None:
    crop, target = draw_crop("bright", 0)
    augment = build_augmentation(name, seed=0)
    for _ in range(4):
        image, moved = augment(np.repeat(crop, channels, axis=2), target)
        assert (image.shape, image.dtype) == ((32, 64, channels), np.uint8)
        assert (moved.shape, moved.dtype) == ((8, 16), np.uint8)


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
def test_the_target_stays_on_the_square(name: str) -> None:
    for image, target in draws(build_augmentation(name, seed=1)):
        row, column = brightest_cell(image)
        assert target[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].max() == 255


@pytest.mark.parametrize("name", FLIPPING)
def test_flips_come_in_all_four_directions(name: str) -> None:
    steady = {brightest_cell(image) for image, _ in draws(build_augmentation(name, seed=0), 24)}
    rows, columns = {row > 3 for row, _ in steady}, {column > 7 for _, column in steady}
    assert rows == columns == {True, False}


def test_a_flipped_target_covers_exactly_the_flipped_square() -> None:
    for image, target in draws(build_augmentation("flip", seed=0)):
        bright = (image[:, :, 0] > 200).astype(np.uint8)
        np.testing.assert_array_equal(np.kron(target > 0, np.ones((4, 4))), bright)


def test_basic_changes_nothing() -> None:
    crop, target = draw_crop("bright", 3)
    for image, moved in draws(build_augmentation("basic", seed=0), 3):
        np.testing.assert_array_equal(image, crop)
        np.testing.assert_array_equal(moved, target)


def test_the_same_seed_draws_the_same_and_another_one_differs() -> None:
    one, same, other = (
        np.stack([image for image, _ in draws(build_augmentation("line", seed=seed))])
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_no_global_generator_is_touched() -> None:
    before = np.random.get_state()[1].copy()
    draws(build_augmentation("line", seed=0), 3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_a_crop_that_is_not_whole_in_cells_keeps_its_target_size() -> None:
    crop, target = np.zeros((30, 62, 1), np.uint8), np.zeros((7, 15), np.uint8)
    image, moved = build_augmentation("flip", seed=0)(crop, target)
    assert (image.shape, moved.shape) == ((30, 62, 1), (7, 15))


def test_the_centre_leaves_out_a_twelfth_of_the_width_and_a_twenty_fifth_of_the_height() -> None:
    for name in ("basic_centre", "noise_centre", "line_centre"):
        assert AUGMENTATIONS[name].centre_fraction == (pytest.approx(11 / 12), 0.96)
