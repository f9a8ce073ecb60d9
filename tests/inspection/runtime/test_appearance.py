import cv2
import numpy as np
import pytest

from inspection.runtime.appearance import brightness, focus


def texture(channels: int = 1) -> np.ndarray:
    """A crop (64, 96, channels) of random grey squares."""
    squares = np.random.default_rng(0).integers(40, 200, (16, 24)).astype(np.uint8)
    grey = np.kron(squares, np.ones((4, 4), np.uint8))
    return np.repeat(grey[:, :, None], channels, axis=2)


def test_brightness_is_the_mean_grey_level() -> None:
    crop = np.full((4, 4, 1), 30, np.uint8)
    crop[:2] = 90

    assert brightness(crop) == 60


def test_a_blurred_crop_is_less_in_focus() -> None:
    sharp = texture()
    values = [focus(sharp)]
    for sigma in (1, 2, 4):
        blurred = cv2.GaussianBlur(sharp, (0, 0), sigma)
        values.append(focus(blurred[:, :, None]))

    assert values == sorted(values, reverse=True)
    assert values[1] < values[0] / 2


def test_a_dimmer_lamp_changes_brightness_and_not_focus() -> None:
    crop = texture()
    dim = np.round(crop * 0.7).astype(np.uint8)

    assert brightness(dim) == pytest.approx(0.7 * brightness(crop), rel=0.01)
    assert focus(dim) == pytest.approx(focus(crop), rel=0.02)


def test_colour_looks_like_the_grey_of_it() -> None:
    assert focus(texture(3)) == pytest.approx(focus(texture(1)))


def test_a_black_crop_has_no_focus_and_no_error() -> None:
    black = np.zeros((8, 8, 1), np.uint8)

    assert (brightness(black), focus(black)) == (0, 0)


@pytest.mark.parametrize(("level", "divided_by"), [(0.9, 1.0), (1.1, 1.1)])
def test_a_crop_darker_than_one_grey_level_is_not_brightened_up(
    level: float, divided_by: float
) -> None:
    crop = np.zeros((10, 10, 1), np.uint8)
    crop[:, 0] = round(10 * level)
    edges = cv2.Laplacian(crop[..., 0], cv2.CV_16S)

    assert brightness(crop) == pytest.approx(level)
    assert focus(crop) == pytest.approx(float(np.std(edges)) / divided_by)
