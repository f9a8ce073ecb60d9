import numpy as np
import pytest
from PIL import Image, ImageOps

from inspection.pixels import ImageError, oriented, to_eight_bits, with_channels

GREY = np.random.default_rng(0).integers(0, 256, (5, 7), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_turned_as_pillow_turns_them(orientation: int) -> None:
    image = Image.fromarray(COLOUR)
    image.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(oriented(COLOUR, orientation), ImageOps.exif_transpose(image))


@pytest.mark.parametrize("bit_depth", [10, 12, 16])
def test_deep_pixels_are_scaled_to_the_nearest_of_256_levels(bit_depth: int) -> None:
    white = 2**bit_depth - 1
    deep = np.linspace(0, white, 99).round().astype(np.uint16).reshape(9, 11)
    np.testing.assert_array_equal(to_eight_bits(deep, bit_depth), np.round(deep / white * 255))


def test_a_pixel_beyond_the_bits_is_refused_with_how_many_it_takes() -> None:
    deep = np.full((2, 2), 4096, np.uint16)
    with pytest.raises(ImageError, match=r"set line\.bit_depth to 13 or more") as refused:
        to_eight_bits(deep, 12)
    assert refused.value.code == "too_bright"


def test_grey_becomes_three_equal_channels_and_colour_becomes_grey() -> None:
    assert with_channels(GREY, channels=1) is GREY
    assert with_channels(COLOUR, channels=3) is COLOUR
    as_colour = with_channels(GREY, channels=3)
    assert all((as_colour[..., channel] == GREY).all() for channel in range(3))
    np.testing.assert_array_equal(with_channels(as_colour, channels=1), GREY)
