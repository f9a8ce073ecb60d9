import numpy as np
import pytest

from inspection.adoption.pictures import bits_used, has_colour, look_at
from tests.pictures import encoded, part


def test_an_image_is_judged_by_its_pixels() -> None:
    grey = part(1)
    assert not look_at(encoded(grey)).is_mask
    assert look_at(encoded(grey)).marked_px == 0
    mask = (grey > 100).astype(np.uint8) * 255
    assert look_at(encoded(mask)).is_mask
    assert look_at(encoded(mask)).marked_px == np.count_nonzero(mask)
    assert look_at(encoded(mask * 0)).marked_px == 0
    assert look_at(encoded(np.kron(np.eye(4), np.full((16, 16), 255)), ".jpg")).is_mask


@pytest.mark.parametrize(("n_levels", "is_mask"), [(4, True), (5, False)])
def test_a_mask_has_four_levels_at_most(n_levels: int, is_mask: bool) -> None:
    levels = np.linspace(40, 200, n_levels).astype(np.uint8)
    assert look_at(encoded(np.resize(levels, (40, 40)))).is_mask is is_mask


@pytest.mark.parametrize(
    ("n_grey", "n_white", "is_mask"), [(159, 400, True), (160, 400, False), (146, 50, True),
                                       (151, 50, False)]
)  # fmt: skip
def test_of_a_mask_a_tenth_is_grey_at_most_and_three_times_what_is_marked(
    n_grey: int, n_white: int, is_mask: bool
) -> None:
    pixels = np.zeros(1600, np.uint8)
    pixels[:n_white] = 255
    pixels[n_white : n_white + n_grey] = np.resize(np.arange(50, 200), n_grey)
    assert look_at(encoded(pixels.reshape(40, 40))).is_mask is is_mask


@pytest.mark.parametrize(
    ("dark", "bright", "is_mask"), [(7, 248, True), (8, 248, False), (7, 247, False)]
)
def test_the_rings_of_jpeg_are_seven_grey_values_at_most(
    dark: int, bright: int, is_mask: bool
) -> None:
    """A fifth of the pixels each: five levels, so it is the distance from the ends that counts."""
    levels = np.array([0, 3, dark, bright, 255], np.uint8)
    assert look_at(encoded(np.resize(levels, (40, 40)))).is_mask is is_mask


@pytest.mark.parametrize(("tint", "is_coloured"), [(6, False), (7, True)])
def test_channels_differ_by_more_than_six_grey_values(tint: int, is_coloured: bool) -> None:
    grey = np.resize(np.arange(100, 160), (40, 40)).astype(np.uint8)
    assert look_at(encoded(np.dstack([grey, grey, grey - tint]))).is_coloured is is_coloured


def test_a_tenth_of_coloured_images_is_none() -> None:
    grey, red = (
        look_at(encoded(part(1))),
        look_at(encoded(np.dstack([part(1) * 0] * 2 + [part(1)]))),
    )
    assert not has_colour([red, *[grey] * 9])
    assert has_colour([*[red] * 11, *[grey] * 89])


@pytest.mark.parametrize(("brightest", "bits"), [(800, 10), (4095, 12), (9000, 14), (65535, 16)])
def test_the_bits_of_the_camera_are_read_off_sixteen_bit_files(brightest: int, bits: int) -> None:
    picture = part(1).astype(np.float64)
    dark = look_at(encoded((picture * brightest / picture.max()).astype(np.uint16)))
    assert (dark.is_mask, dark.bits) == (False, bits)
    eight = look_at(encoded(part(1)))
    assert bits_used([eight, dark]) == bits
    assert bits_used([eight]) == 16
