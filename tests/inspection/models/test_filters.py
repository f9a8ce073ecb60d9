import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d, gaussian_filter, gaussian_filter1d

from inspection.models.filters import FilterBank, gaussian_derivative, separable

IMAGES = torch.rand(2, 1, 32, 48, generator=torch.Generator().manual_seed(0))


def shrunk(image: np.ndarray, by: int) -> np.ndarray:
    """Means of blocks of `by` x `by` pixels."""
    height, width = image.shape
    return image.reshape(height // by, by, width // by, by).mean(axis=(1, 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_there_are_as_many_features_as_it_says_on_a_quarter_of_the_grid(channels: int) -> None:
    features = FilterBank(channels)(IMAGES.expand(2, channels, 32, 48))
    assert features.shape == (2, FilterBank.n_channels(channels), 8, 12)
    assert FilterBank.n_channels(channels) == 14 * channels


@pytest.mark.parametrize(("first", "pool"), [(0, 2), (7, 4)], ids=["fine", "coarse"])
def test_brightness_is_a_gaussian_of_one_pixel_of_the_shrunken_image(first: int, pool: int) -> None:
    features = FilterBank(1)(IMAGES)[0, first].numpy()
    smooth = gaussian_filter(shrunk(IMAGES[0, 0].numpy(), pool), 1.0, mode="nearest", truncate=3)
    np.testing.assert_allclose(features, shrunk(smooth, 4 // pool), atol=1e-5)


def test_the_bell_is_that_of_scipy_and_adds_up_to_one() -> None:
    impulse = np.zeros(13)
    impulse[6] = 1
    taps = gaussian_derivative(2.0, 0).numpy()
    np.testing.assert_allclose(taps, gaussian_filter1d(impulse, 2.0, truncate=3), atol=1e-6)


@pytest.mark.parametrize("order", [1, 2])
def test_derivatives_answer_a_power_of_x_with_its_derivative(order: int) -> None:
    x = np.arange(-20, 21, dtype=np.float64)
    answer = correlate1d(x**order, gaussian_derivative(1.0, order).numpy().astype(float))
    assert abs(answer[20]) == pytest.approx((1, 2)[order - 1], rel=0.05)


def test_a_flat_image_has_brightness_alone() -> None:
    features = FilterBank(1)(torch.full((1, 1, 16, 16), 0.5))[0, :, 2, 2]
    np.testing.assert_allclose(features[[0, 7]], 0.5, atol=1e-5)
    others = [n for n in range(14) if n % 7]
    np.testing.assert_allclose(features[others], 0, atol=0.02)


def test_filtering_repeats_the_edge_and_runs_along_both_axes() -> None:
    kernel = torch.ones(1, 1, 1, 3)
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    np.testing.assert_array_equal(separable(image, kernel, kernel)[0, 0], [[18, 21], [24, 27]])
