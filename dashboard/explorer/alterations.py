"""A crop as the model may meet it: as it is, altered in a fixed way, or drawn as while training.

The fixed alterations go as far as the steps of inspection/models/augmentations.py do, and need
numpy and OpenCV alone. What is drawn is drawn by these steps themselves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from dashboard.pictures import rgb
from inspection.geometry import Image
from inspection.models.augmentations import AUGMENTATIONS, CENTRE, build_augmentation
from inspection.models.crops import TARGET_STRIDE

AS_IT_IS = "as it is"
DRAWN = "drawn: "  # begins the name of what a recipe of training draws
# The draws that can be asked for: more than anyone looks at, few enough to type.
MIN_DRAW, MAX_DRAW = 1, 99
# The rarest step is applied to three crops in ten: in 40 draws it stays away once in 1.6 million.
MAX_TRIES = 40
# A target is of 8 bits: its cells are told apart by the levels 1 to 255, and 0 is outside.
MAX_LEVEL = 255

# Grey levels: a fifth of the range, the most by which step `brightness` moves it.
BRIGHTNESS = 51
# Of the distance from mid-grey: step `brightness` takes away a fifth at most.
CONTRAST, MID_GREY = 0.8, 127.5
# Degrees: the most that step `pose` turns.
TURNED_DEGREES = 3.0
# Grey levels: the spread that ISO noise of middle intensity (0.3) has on crops of the sample line.
NOISE_STD = 12.0
NOISE_SEED = 0  # no outcome: any will do, but it has to stay the same
# Side of the box in px: the middle of what step `noise` draws from, 3 to 7.
BLUR_PX = 5
# The highest clip limit that step `clahe` draws, and its tiles a side.
CLAHE_LIMIT, CLAHE_TILES = 4.0, (8, 8)

Alter = Callable[[Image, Image], tuple[Image, Image]]


@dataclass(frozen=True)
class Alteration:
    """What is done to a crop, by its name; `draw` (1..99) matters to what is drawn alone.

    The same name and draw alter the same crop in the same way, always.
    """

    name: str
    draw: int = MIN_DRAW

    @property
    def is_none(self) -> bool:
        """Whether a crop stays as it is."""
        return self.name == AS_IT_IS

    def __call__(self, crop: Image, target: Image) -> tuple[Image, Image]:
        """The altered crop (H, W, C) and its target (H / 4, W / 4), both uint8.

        Raises KeyError where there is no alteration of this name.
        """
        if self.name.startswith(DRAWN):
            recipe = self.name.removeprefix(DRAWN)
            return _drawn(recipe, self.draw, crop, target)

        return FIXED[self.name](crop, target)

    def of_crop(self, crop: Image) -> Image:
        """The altered crop (H, W, C) alone."""
        altered, _ = self(crop, _no_target(crop))
        return np.ascontiguousarray(altered)

    def origin_px(self, crop: Image, place_px: Sequence[float]) -> "Place | None":
        """Where in the crop as it is a place (x, y) of the altered one comes from.

        Both in pixels of the crop, to the middle of a 4 px cell. None where it comes from outside.
        """
        columns, rows = _cells_of(crop)
        x_px, y_px = place_px
        column = min(columns - 1, int(x_px / TARGET_STRIDE))
        row = min(rows - 1, int(y_px / TARGET_STRIDE))

        across = np.tile(_levels(columns), (rows, 1))
        down = np.tile(_levels(rows)[:, None], (1, columns))
        _, across = self(crop, across)
        _, down = self(crop, down)
        if across[row, column] == 0:
            return None

        return Place(
            _middle_px(across[row, column], columns),
            _middle_px(down[row, column], rows),
        )


@dataclass(frozen=True)
class Place:
    """A place in a crop, in pixels from its upper left corner."""

    x_px: float
    y_px: float

    def distance_px(self, other: "Place") -> float:
        """How far another place is."""
        return float(np.hypot(self.x_px - other.x_px, self.y_px - other.y_px))


def alterations() -> list[str]:
    """All alterations by name, `as it is` first; a recipe of training for each set of steps."""
    recipes = [
        f"{DRAWN}{name}"
        for name, recipe in AUGMENTATIONS.items()
        # centred forms have the steps of another recipe, and of the rim there is `rim covered`
        if recipe.steps and recipe.centre_fraction == (1.0, 1.0)
    ]
    return [*FIXED, *recipes]


def is_drawn(name: str) -> bool:
    """Whether an alteration is drawn by a recipe of training, so that its draw matters."""
    return name.startswith(DRAWN)


def _drawn(recipe: str, draw: int, crop: Image, target: Image) -> tuple[Image, Image]:
    """The first of a recipe's draws that changes the crop, from this seed on."""
    augment = build_augmentation(recipe, seed=draw)
    for _ in range(MAX_TRIES):
        altered, moved = augment(crop, target)
        if not np.array_equal(altered, crop):
            break
    return altered, moved


def _as_it_is(crop: Image, target: Image) -> tuple[Image, Image]:
    return crop, target


def _mirrored(crop: Image, target: Image) -> tuple[Image, Image]:
    return crop[:, ::-1], target[:, ::-1]


def _upside_down(crop: Image, target: Image) -> tuple[Image, Image]:
    return crop[::-1], target[::-1]


def _turned(crop: Image, target: Image) -> tuple[Image, Image]:
    """Turned about the middle; the edge repeats, and of the target nothing comes from outside."""

    def turned(picture: Image, interpolation: int, border: int) -> Any:
        height, width = picture.shape[:2]
        middle = ((width - 1) / 2, (height - 1) / 2)
        matrix = cv2.getRotationMatrix2D(middle, TURNED_DEGREES, 1.0)
        size = (width, height)
        return cv2.warpAffine(
            picture, matrix, size, flags=interpolation, borderMode=border
        )

    done = turned(crop, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    moved = turned(target, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)
    # OpenCV drops the axis of a single channel
    return done.reshape(crop.shape), moved


def _of_pixels(change: Callable[[Any], Any]) -> Alter:
    """An alteration that moves nothing: grey levels (H, W, C) float in and out."""

    def alter(crop: Image, target: Image) -> tuple[Image, Image]:
        changed = change(crop.astype(np.float32))
        return np.clip(np.rint(changed), 0, 255).astype(np.uint8), target

    return alter


def _darker(levels: Any) -> Any:
    return levels - BRIGHTNESS


def _brighter(levels: Any) -> Any:
    return levels + BRIGHTNESS


def _of_less_contrast(levels: Any) -> Any:
    return MID_GREY + CONTRAST * (levels - MID_GREY)


def _noisy(levels: Any) -> Any:
    generator = np.random.default_rng(NOISE_SEED)
    height, width, _ = levels.shape
    # the same for all channels: the sensor's noise is of brightness, not of colour
    return levels + generator.normal(0, NOISE_STD, (height, width, 1))


def _blurred(levels: Any) -> Any:
    return cv2.blur(levels, (BLUR_PX, BLUR_PX)).reshape(levels.shape)


def _equalised(crop: Image, target: Image) -> tuple[Image, Image]:
    """Contrast-limited adaptive histogram equalisation of lightness alone (Zuiderveld 1994)."""
    n_channels = crop.shape[2]
    lab = cv2.cvtColor(np.ascontiguousarray(rgb(crop)), cv2.COLOR_RGB2LAB)
    clahe = cv2.createCLAHE(CLAHE_LIMIT, CLAHE_TILES)
    lab[:, :, 0] = clahe.apply(lab[:, :, 0])
    back = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return np.asarray(back, np.uint8)[:, :, :n_channels], target


def _without_rim(crop: Image, target: Image) -> tuple[Image, Image]:
    """What the centred recipes leave out, covered by the pixels beside it."""
    height, width = crop.shape[:2]
    share_x, share_y = CENTRE
    left = round(width * (1 - share_x) / 2)
    top = round(height * (1 - share_y) / 2)
    centre = crop[top : height - top, left : width - left]
    covered = np.pad(centre, ((top, top), (left, left), (0, 0)), mode="edge")
    return covered, target


FIXED: Mapping[str, Alter] = {
    AS_IT_IS: _as_it_is,
    "mirrored": _mirrored,
    "upside down": _upside_down,
    "turned by 3 degrees": _turned,
    "darker": _of_pixels(_darker),
    "brighter": _of_pixels(_brighter),
    "less contrast": _of_pixels(_of_less_contrast),
    "CLAHE": _equalised,
    "noise": _of_pixels(_noisy),
    "blurred": _of_pixels(_blurred),
    "rim covered": _without_rim,
}


def _cells_of(crop: Image) -> tuple[int, int]:
    """The columns and rows of a crop's target."""
    height, width = crop.shape[:2]
    return width // TARGET_STRIDE, height // TARGET_STRIDE


def _no_target(crop: Image) -> Image:
    columns, rows = _cells_of(crop)
    return np.zeros((rows, columns), np.uint8)


def _levels(n: int) -> Image:
    """A level of 1..255 for each of `n` cells, rising; more cells than levels share some."""
    return np.linspace(1, MAX_LEVEL, n).round().astype(np.uint8)


def _middle_px(level: int, n: int) -> float:
    """The middle of the cell of this level, in pixels."""
    cell = (int(level) - 1) * (n - 1) / (MAX_LEVEL - 1)
    return TARGET_STRIDE * (round(cell) + 0.5)
