import subprocess
import sys

import albumentations as A
import cv2
import numpy as np
import pytest

from dashboard.explorer.alterations import (
    AS_IT_IS,
    DRAWN,
    FIXED,
    NOISE_STD,
    Alteration,
    Place,
    alterations,
    is_drawn,
)
from inspection.geometry import Image
from tests.architecture import ROOT

SPATIAL = ("mirrored", "upside down", "turned by 3 degrees")


def crop_of(channels: int = 1) -> Image:
    """A crop (80, 160) of grain that no alteration leaves as it is, or clips."""
    grain = np.random.default_rng(0).normal(120, 12, (80, 160, channels))
    return grain.round().astype(np.uint8)


def test_there_is_each_recipe_of_training_whose_steps_differ() -> None:
    assert alterations()[0] == AS_IT_IS
    drawn = [name for name in alterations() if is_drawn(name)]
    assert drawn == [f"{DRAWN}{name}" for name in ("flip", "noise", "clahe", "heavy", "line")]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", alterations())
def test_every_alteration_keeps_the_form_of_a_crop_and_comes_out_the_same_again(
    name: str, channels: int
) -> None:
    crop = crop_of(channels)
    kept = crop.copy()
    altered = Alteration(name, draw=3).of_crop(crop)
    assert (altered.shape, altered.dtype) == (crop.shape, np.uint8)
    assert np.array_equal(altered, crop) is (name == AS_IT_IS)
    assert np.array_equal(altered, Alteration(name, draw=3).of_crop(crop))
    assert np.array_equal(crop, kept)


def test_another_draw_is_another_picture() -> None:
    crop = crop_of()
    first, second = (Alteration("drawn: line", draw).of_crop(crop) for draw in (1, 2))
    assert not np.array_equal(first, second)


def test_mirrored_and_turned_twice_a_crop_is_what_it_was() -> None:
    crop = crop_of()
    for name in ("mirrored", "upside down"):
        alteration = Alteration(name)
        assert np.array_equal(alteration.of_crop(alteration.of_crop(crop)), crop)
    assert Alteration("mirrored").of_crop(crop)[0, 0] == crop[0, -1]
    assert Alteration("upside down").of_crop(crop)[0, 0] == crop[-1, 0]


@pytest.mark.parametrize(("name", "mean"), [("darker", 69), ("brighter", 171)])
def test_brightness_moves_by_a_fifth_of_the_range(name: str, mean: float) -> None:
    assert Alteration(name).of_crop(crop_of()).mean() == pytest.approx(mean, abs=0.5)


def test_contrast_loses_a_fifth_and_noise_spreads_as_it_says() -> None:
    crop = crop_of()
    calm = Alteration("less contrast").of_crop(crop)
    assert calm.std() == pytest.approx(0.8 * crop.std(), rel=0.01)
    even = np.full((80, 160, 1), 120, np.uint8)
    assert Alteration("noise").of_crop(even).std() == pytest.approx(NOISE_STD, rel=0.03)


def test_clahe_is_that_of_the_recipe_at_its_strongest() -> None:
    crop = crop_of()
    rgb = np.repeat(crop, 3, axis=2)
    wanted = A.CLAHE(clip_limit=(4, 4), p=1)(image=rgb)["image"][:, :, :1]
    found = Alteration("CLAHE").of_crop(crop)
    assert np.abs(found.astype(int) - wanted).max() <= 1


def test_what_lies_in_the_rim_is_covered() -> None:
    crop = np.full((250, 600, 1), 100, np.uint8)
    crop[:, :25] = crop[:, -25:] = crop[:5] = crop[-5:] = 200
    assert (Alteration("rim covered").of_crop(crop) == 100).all()
    crop[5, 25] = 200
    assert (Alteration("rim covered").of_crop(crop) == 200).any()


@pytest.mark.parametrize("name", [*SPATIAL, "drawn: flip", "drawn: line"])
def test_a_place_is_followed_back_to_the_crop_as_it_is(name: str) -> None:
    """A bright spot is drawn at a known place, found in the altered crop, and followed back."""
    crop = np.full((80, 160, 1), 60, np.uint8)
    cv2.circle(crop, (110, 30), 5, 220, -1)
    alteration = Alteration(name, draw=2)
    moved = cv2.GaussianBlur(alteration.of_crop(crop)[:, :, 0], (9, 9), 2)
    row, column = np.unravel_index(int(moved.argmax()), moved.shape)
    assert np.hypot(column - 110, row - 30) > 2
    origin = alteration.origin_px(crop, (float(column), float(row)))
    assert origin is not None
    # a cell of 4 px either way
    assert origin.distance_px(Place(110, 30)) <= 6


def test_what_moves_nothing_leaves_each_place_in_its_cell() -> None:
    crop = crop_of()
    for name in FIXED.keys() - set(SPATIAL):
        assert Alteration(name).origin_px(crop, (90, 41)) == Place(90, 42)
    assert Alteration(AS_IT_IS).origin_px(crop, (159.9, 79.9)) == Place(158, 78)


def test_what_comes_from_outside_has_no_origin() -> None:
    """Turned counterclockwise, the upper left corner shows what lay above the crop."""
    assert Alteration("turned by 3 degrees").origin_px(crop_of(), (1, 1)) is None


def test_no_fixed_alteration_needs_torch_or_albumentations() -> None:
    code = (
        "import sys, numpy as np\n"
        "from dashboard.explorer.alterations import FIXED, Alteration\n"
        "crop = np.zeros((80, 160, 1), np.uint8)\n"
        "for name in FIXED: Alteration(name).of_crop(crop)\n"
        "assert not {'torch', 'albumentations'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
