"""How a crop looks, in numbers that no model stands behind: for drift of light and lens."""

import cv2
import numpy as np

from inspection.geometry import Image

# A crop darker than this has no contrast to speak of: one grey level of 255.
MIN_BRIGHTNESS = 1.0


def brightness(crop: Image) -> float:
    """The mean grey level of a crop (H, W, C) uint8, 0 (black) to 255."""
    return float(np.mean(crop))


def focus(crop: Image) -> float:
    """How sharp a crop (H, W, C) uint8 is: the spread of its Laplacian by its brightness, from 0.

    A blurred image has less of it. The brightness is divided out, so that a dimmer lamp alone
    changes nothing. Source: variance of the Laplacian (Pech-Pacheco et al., ICPR 2000).
    """
    grey = crop if crop.shape[2] == 1 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    edges = cv2.Laplacian(np.ascontiguousarray(grey), cv2.CV_16S)

    return float(np.std(edges)) / max(MIN_BRIGHTNESS, brightness(crop))
