"""What the pixels of a folder's images are like: mask or photograph, grey or colour, which bits."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from inspection.images import ImageError, ImageFacts, decode, decode_mask, describe

# Grey values of a mask at most: black, white, and two codes of classes.
MASK_LEVELS = 4
# Grey values from an end of the range that still count as black or white: JPEG rings by as much.
NEAR_END = 7
# Share of pixels between black and white, at most: the rings of JPEG around what is marked.
MASK_REST = 0.1
# ... and no more of them than three times those that are marked: a photograph in the dark has
# grey noise and hardly a white pixel.
RING_SHARE = 3.0
CAMERA_BITS = (10, 12, 14, 16)
# Mean difference of the channels, in grey values: white balance of a grey part stays below it.
COLOUR_LEVELS = 6.0
# Share of coloured images from which crops are coloured: a few stray ones do not count.
COLOURED_SHARE = 0.1


@dataclass(frozen=True)
class Picture:
    """One image that was decoded: its facts, and what its pixels are like.

    `is_mask`: all black and white; `is_coloured`: its channels differ; `marked_px`: how many pixels
    a mask marks, 0 of a photograph; `bits`: how many bits hold the values of a 16-bit image, of
    those that cameras have.
    """

    facts: ImageFacts
    is_mask: bool
    is_coloured: bool
    marked_px: int = 0
    bits: int = 16


def look_at(content: bytes) -> Picture:
    """Judge the image of a file; raises ImageError where it cannot be read."""
    facts = describe(content)
    if facts.bit_depth > 8:
        pixels, bits = _decoded(content)
    else:
        pixels, bits = decode(content, channels=3), 16

    is_coloured = facts.channels == 3 and _spread(pixels) > COLOUR_LEVELS
    is_mask = _is_mask(pixels[..., 0])
    marked_px = int(np.count_nonzero(decode_mask(content))) if is_mask else 0
    return Picture(facts, is_mask, is_coloured, marked_px, bits)


def bits_used(pictures: Iterable[Picture]) -> int:
    """How many bits of 16-bit photographs are used: a camera of 12 that writes files of 16 leaves
    them nearly black. 16 where there are none."""
    deep = (one.bits for one in pictures if one.facts.bit_depth > 8)
    return max(deep, default=max(CAMERA_BITS))


def has_colour(pictures: Iterable[Picture]) -> bool:
    """True when more than a few images differ between their channels."""
    return float(np.mean([one.is_coloured for one in pictures])) > COLOURED_SHARE


def sizes_px(pictures: Iterable[Picture]) -> np.ndarray:
    """Width and height (images, 2) in pixels."""
    return np.array([(one.facts.width_px, one.facts.height_px) for one in pictures])


def _spread(pixels: np.ndarray) -> float:
    """Mean difference of the channels of pixels (H, W, 3) uint8, in grey values."""
    # channel by channel: a reduction over an axis of three takes ten times as long
    red, green, blue = np.moveaxis(pixels, 2, 0)
    brightest = np.maximum(np.maximum(red, green), blue)
    darkest = np.minimum(np.minimum(red, green), blue)
    return float((brightest - darkest).mean())


def _is_mask(grey: np.ndarray) -> bool:
    """Whether pixels (H, W) uint8 are black and white but for the rings of JPEG at their edge."""
    counts = np.bincount(grey.ravel(), minlength=256)
    if np.count_nonzero(counts) <= MASK_LEVELS:
        return True
    black = int(counts[: NEAR_END + 1].sum())
    white = int(counts[255 - NEAR_END :].sum())
    between = grey.size - black - white
    marked = max(1, min(black, white))
    return between < MASK_REST * grey.size and between < RING_SHARE * marked


def _decoded(content: bytes) -> tuple[np.ndarray, int]:
    """RGB pixels of a 16-bit image over as few bits as hold it, and how many these are."""
    *fewer, most = CAMERA_BITS
    for bits in fewer:
        try:
            return decode(content, channels=3, bit_depth=bits), bits
        except ImageError as error:
            if error.code != "too_bright":
                raise
    return decode(content, channels=3, bit_depth=most), most
