"""What every model of normal crops is asked, and how its distances become a map."""

from typing import Any, Protocol

from torch import Tensor, nn
from torch.nn import functional as F

# What anomalib's models build by name before our features take its place: small, never run.
PLACEHOLDER_BACKBONE = "resnet18"


class Detector(Protocol):
    """One of anomalib's models, fitted on features (N, C, h, w) of normal crops.

    `module` is anomalib's own: it holds what was learned, and its generator enlarges and smooths
    the distances.
    """

    module: Any

    def fit(self, standard: Tensor) -> None:
        """Learn what is normal from features of unit variance."""

    def distances(self, standard: Tensor) -> Tensor:
        """How far each place (N, 1, h, w) is from what was learned, 0 for as normal as can be."""


class SeparableBlur(nn.Module):
    """A Gaussian blur of maps (N, 1, H, W) along x, then along y, the edge mirrored.

    It gives what anomalib's `GaussianBlur2d` gives by one kernel of 33 x 33 taps, which takes
    longer than backbone and distances together.
    """

    along_x: Tensor
    along_y: Tensor

    def __init__(self, kernel: Tensor) -> None:
        super().__init__()
        # A Gaussian of two dimensions is the product of its sums over either.
        self.register_buffer("along_x", kernel.sum(2, keepdim=True), persistent=False)
        self.register_buffer("along_y", kernel.sum(3, keepdim=True), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """The blurred maps (N, 1, H, W)."""
        reach_y, reach_x = self.along_y.shape[2] // 2, self.along_x.shape[3] // 2
        padded = F.pad(maps, (reach_x, reach_x, reach_y, reach_y), mode="reflect")
        return F.conv2d(F.conv2d(padded, self.along_x), self.along_y)


def map_generator() -> Any:
    """anomalib's generator of PaDiM's maps, with a blur that is separable."""
    from anomalib.models.image.padim.anomaly_map import AnomalyMapGenerator

    generator = AnomalyMapGenerator()
    generator.blur = SeparableBlur(generator.blur.kernel)  # type: ignore[assignment]
    return generator
