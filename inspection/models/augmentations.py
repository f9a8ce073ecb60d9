"""Named augmentations. albumentations stands behind this module and nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from inspection.geometry import Image

Augment = Callable[[Image, Image], tuple[Image, Image]]


@dataclass(frozen=True)
class Augmentation:
    """What a name stands for: random changes while training, and the centre that is looked at.

    `steps` are applied to train crops only, never at prediction. `centre_fraction` (x, y) is part
    of the model, so it holds at prediction too.
    """

    steps: tuple[str, ...]
    centre_fraction: tuple[float, float] = (1.0, 1.0)

    @property
    def mirrors(self) -> bool:
        """Whether crops are shown mirrored."""
        return "flip" in self.steps

    @property
    def sees_all(self) -> bool:
        """Whether the whole crop is looked at."""
        return self.centre_fraction == (1.0, 1.0)


# Of the crop's width and height. 550 x 240 of 600 x 250 px leave out the crop's rim, where the
# neighbouring region looks in and is otherwise taken for evidence.
CENTRE = (550 / 600, 240 / 250)
AUGMENTATIONS = {
    "basic": Augmentation(()),
    "flip": Augmentation(("flip",)),
    "noise": Augmentation(("noise",)),
    "clahe": Augmentation(("clahe",)),
    "heavy": Augmentation(("noise", "flip")),
    "line": Augmentation(("noise", "flip", "brightness", "pose")),
    "basic_centre": Augmentation((), CENTRE),
    "noise_centre": Augmentation(("noise",), CENTRE),
    "line_centre": Augmentation(("noise", "flip", "brightness", "pose"), CENTRE),
}


def build_augmentation(name: str, *, seed: int) -> Augment:
    """A function of a crop (H, W, C) and its target (H / 4, W / 4), both uint8, drawing anew at
    each call from a generator of its own."""
    import albumentations as A

    steps = [_step(step) for step in AUGMENTATIONS[name].steps]
    pipeline = A.Compose(steps, seed=seed)

    def augment(crop: Image, target: Image) -> tuple[Image, Image]:
        rgb = np.repeat(crop, 3, axis=2) if crop.shape[2] == 1 else crop
        full = np.kron(target, np.ones((4, 4), np.uint8))
        done = pipeline(image=rgb, mask=_fitted(full, crop.shape[:2]))
        image = done["image"][:, :, : crop.shape[2]]
        height, width = target.shape
        return image, np.ascontiguousarray(done["mask"][::4, ::4][:height, :width])

    return augment


def _fitted(mask: Image, size: tuple[int, ...]) -> Image:
    """The mask cut or padded with zeros to (H, W)."""
    fitted = np.zeros(size, np.uint8)
    height, width = min(size[0], mask.shape[0]), min(size[1], mask.shape[1])
    fitted[:height, :width] = mask[:height, :width]
    return fitted


def _step(name: str) -> Any:
    import albumentations as A

    steps: dict[str, Callable[[], Any]] = {
        # One half along each axis: all four directions come equally often.
        "flip": lambda: A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)]),
        # One crop in three: sharp, clean crops stay the rule, as they are on the line.
        "noise": lambda: A.OneOf([A.Blur(), A.AdvancedBlur(), A.ISONoise()], p=0.3),
        "clahe": lambda: A.CLAHE(p=0.5),
        # A fifth of the range: lights that age, or that another lot reflects more strongly.
        "brightness": lambda: A.RandomBrightnessContrast(0.2, 0.2, p=0.5),
        # What framing leaves over: 7 % of size, 3 degrees and 3 % of the crop; the edge repeats.
        "pose": lambda: A.Affine(
            scale=(0.93, 1.07),
            rotate=(-3, 3),
            translate_percent=0.03,
            p=0.5,
            border_mode=1,
        ),
    }
    return steps[name]()
