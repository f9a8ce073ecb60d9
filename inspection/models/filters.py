"""A fixed bank of Gaussian derivative filters: features that need no training and no weights."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# How much the image is shrunk for each scale, in pixels: scratches and seams are some two to eight
# pixels wide. At full size, sensor noise drowns the derivatives.
POOLS = (2, 4)

# Sigma of the filters in pixels of the shrunken image: the smallest at which a sampled Gaussian
# derivative is still true to the continuous one (Lindeberg 1994).
SIGMA_CELLS = 1.0

# Per channel and scale: see FilterBank.
N_RESPONSES = 7

# Crop pixels per feature cell: the grid of targets and heat, so that maps need no resampling.
STRIDE = 4


class FilterBank(nn.Module):
    """Standardised images (N, C, H, W) to features (N, channels, H / 4, W / 4).

    Per channel and scale: brightness, both first derivatives, the Laplacian, the energy of what is
    finer than the scale, and the mean strength of either derivative. The scales are a sigma of two
    and of four pixels, taken on images shrunk by as much.
    """

    def __init__(self, image_channels: int) -> None:
        super().__init__()
        for order in range(3):
            kernel = gaussian_derivative(SIGMA_CELLS, order).repeat(
                image_channels, 1, 1, 1
            )
            self.register_buffer(f"kernel_{order}", kernel, persistent=False)

    @staticmethod
    def n_channels(image_channels: int) -> int:
        """How many features there are for images of one or three channels."""
        return image_channels * len(POOLS) * N_RESPONSES

    def forward(self, images: Tensor) -> Tensor:
        """The responses of all filters, averaged over cells of 4 x 4 pixels."""
        scales = []
        for pool in POOLS:
            responses = torch.cat(self._responses(F.avg_pool2d(images, pool)), dim=1)
            scales.append(F.avg_pool2d(responses, STRIDE // pool))
        return torch.cat(scales, dim=1)

    def _responses(self, images: Tensor) -> list[Tensor]:
        smooth, first, second = (getattr(self, f"kernel_{order}") for order in range(3))
        brightness = separable(images, smooth, smooth)
        along_x = separable(images, first, smooth)
        along_y = separable(images, smooth, first)
        laplacian = separable(images, second, smooth) + separable(
            images, smooth, second
        )
        energy = separable((images - brightness) ** 2, smooth, smooth)
        strength_x = separable(along_x.abs(), smooth, smooth)
        strength_y = separable(along_y.abs(), smooth, smooth)
        return [brightness, along_x, along_y, laplacian, (energy.clamp(min=0) + 1e-6).sqrt(),
                strength_x, strength_y]  # fmt: skip


def gaussian_derivative(sigma: float, order: int) -> Tensor:
    """A Gaussian of `sigma` pixels or its first or second derivative, scaled by sigma^order.

    Returns the taps (2 * ceil(3 sigma) + 1,).
    """
    reach = math.ceil(3 * sigma)
    x = torch.arange(-reach, reach + 1, dtype=torch.float32) / sigma
    bell = torch.exp(-(x**2) / 2)
    bell = bell / bell.sum()
    return (bell, -x * bell, (x**2 - 1) * bell)[order]


def separable(images: Tensor, along_x: Tensor, along_y: Tensor) -> Tensor:
    """Filter (N, C, H, W) along x, then along y; the image's edge is repeated outwards.

    The kernels are (C, 1, 1, taps), one per channel.
    """
    channels, _, _, taps = along_x.shape
    reach = taps // 2
    padded = F.pad(images, (reach, reach, reach, reach), mode="replicate")
    filtered = F.conv2d(padded, along_x, groups=channels)
    return F.conv2d(filtered, along_y.transpose(2, 3), groups=channels)
