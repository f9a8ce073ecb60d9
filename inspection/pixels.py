"""What becomes of decoded pixels: upright, of 8 bits, grey or colour."""

import cv2
import numpy as np

from inspection.errors import InspectionError

# EXIF orientations from 5 to 8 turn width into height.
FIRST_SIDEWAYS = 5
# samples that are converted to 8 bits at a time
STRIP_SAMPLES = 2**18  # no outcome: bounds memory to about 2 MB beside the image


class ImageError(InspectionError):
    """Bytes that are not an image we can inspect; `code` is the reason in one word.

    Codes: empty, not_an_image, truncated, corrupt, too_large, unsupported_depth, too_bright,
    several_images.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def to_eight_bits(deep: np.ndarray, bit_depth: int) -> np.ndarray:
    """uint8 of uint16 pixels, rounded; by strips, as the wider type takes twice their memory."""
    white = 2**bit_depth - 1
    brightest = int(deep.max())
    if brightest > white:
        raise ImageError(
            "too_bright",
            f"a pixel has the value {brightest}, and {bit_depth} bits hold {white} at most; "
            f"set line.bit_depth to {brightest.bit_length()} or more",
        )

    eight = np.empty(deep.shape, np.uint8)
    # strips across the longer side: a frame may be one row of many millions
    is_wide = deep.shape[1] > deep.shape[0]
    source = deep.swapaxes(0, 1) if is_wide else deep
    target = eight.swapaxes(0, 1) if is_wide else eight
    step = max(1, STRIP_SAMPLES // source[0].size)

    for first in range(0, len(source), step):
        strip = source[first : first + step].astype(np.uint32)
        strip *= 255
        strip += white // 2
        target[first : first + step] = strip // white
    return eight


def oriented(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn pixels (H, W, ...) as the EXIF orientation 1..8 says the camera was held."""
    if orientation >= FIRST_SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def with_channels(pixels: np.ndarray, *, channels: int) -> np.ndarray:
    """Pixels (H, W) or (H, W, 3) RGB as grey (H, W), or as colour (H, W, 3)."""
    is_grey = pixels.ndim == 2
    if channels == 1:
        return pixels if is_grey else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB) if is_grey else pixels
