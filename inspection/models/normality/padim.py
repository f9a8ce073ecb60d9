"""PaDiM: at each place a Gaussian of the normal crops' features (Defard et al. 2021)."""

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.models.normality.detector import PLACEHOLDER_BACKBONE, map_generator

LAYER = "features"

# What anomalib's MultiVariateGaussian adds to the diagonal of every covariance, and cannot be told.
PADIM_RIDGE = 0.01

# In cells, nearest first, so that of equal fits the least shifted is taken.
SHIFTS = sorted(
    product((-1, 0, 1), repeat=2), key=lambda shift: abs(shift[0]) + abs(shift[1])
)


class Padim:
    """The Mahalanobis distance of each place from the normals at that place.

    The crop is laid on the normals where it fits best, up to a cell away: a region is never framed
    to the pixel. Features are scaled by a factor that makes anomalib's fixed ridge of 0.01 the
    shrinkage asked for: few normals cannot carry a full covariance.
    """

    def __init__(
        self, features: nn.Module, *, n_features: int, shrinkage: float
    ) -> None:
        self.factor = (PADIM_RIDGE / shrinkage) ** 0.5
        self.module = _padim(features, n_features)

    def fit(self, standard: Tensor) -> None:
        """Learn mean and covariance of every place."""
        self.module.gaussian.fit(self._embedding(standard))

    def distances(self, standard: Tensor) -> Tensor:
        """Distances (N, 1, h, w) where the crop fits best."""
        embedding = self._embedding(standard)
        gaussian = self.module.gaussian
        return best_fit(embedding, gaussian.mean, gaussian.inv_covariance)

    def _embedding(self, standard: Tensor) -> Tensor:
        return self.module.generate_embedding({LAYER: standard * self.factor})


def best_fit(embedding: Tensor, mean: Tensor, inv_covariance: Tensor) -> Tensor:
    """Mahalanobis distances (N, 1, h, w) of features (N, C, h, w), shifted to where they fit best.

    `mean` (C, h * w) and `inv_covariance` (h * w, C, C) are the normals' at each place. Each crop
    is tried at shifts of up to a cell; the likeliest, of least mean squared distance, is taken, and
    its distances are moved back to where they were in the crop.
    """
    n_crops, _, height, width = embedding.shape
    # Places first, and all shifts of all crops side by side: what is known of a place, most of what
    # is read here, is then read once and not once a shift.
    places = F.pad(embedding, (1, 1, 1, 1), mode="replicate").permute(2, 3, 0, 1)
    moved = [
        places[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] for dy, dx in SHIFTS
    ]
    delta = torch.cat(moved, dim=2).flatten(0, 1) - mean.T[:, None]
    squared = (torch.matmul(delta, inv_covariance) * delta).sum(dim=2)
    by_shift = squared.clamp(min=0).sqrt().T.reshape(-1, n_crops, 1, height, width)

    tried = torch.cat(
        [shifted(by_shift[i], -dy, -dx) for i, (dy, dx) in enumerate(SHIFTS)], dim=1
    )
    best = tried.square().mean(dim=(2, 3)).argmin(dim=1)
    return tried.gather(1, best[:, None, None, None].expand(-1, 1, height, width))


def shifted(maps: Tensor, dy: int, dx: int) -> Tensor:
    """Maps (N, C, h, w) moved up by `dy` and left by `dx` cells; the edge is repeated."""
    height, width = maps.shape[-2:]
    padded = F.pad(maps, (1, 1, 1, 1), mode="replicate")
    return padded[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]


def _padim(features: nn.Module, n_features: int) -> Any:
    """anomalib's PaDiM with our features in the place of the backbone it builds by name."""
    from anomalib.models.image.padim.torch_model import PadimModel

    with torch.random.fork_rng():
        padim = PadimModel(
            PLACEHOLDER_BACKBONE, ["layer1"], pre_trained=False, n_features=1
        )
    padim.feature_extractor = features  # type: ignore[assignment]
    padim.anomaly_map_generator = map_generator()
    padim.layers = [LAYER]
    padim.n_features_original = padim.n_features = n_features
    padim.idx = torch.arange(n_features)
    return padim
