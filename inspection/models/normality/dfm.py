"""DFM: what a few principal components of whole normal crops cannot rebuild (Ahuja et al. 2019)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.models.normality.detector import PLACEHOLDER_BACKBONE, map_generator

# Places along each axis that are averaged before a crop becomes one vector: anomalib averages 4,
# of maps of 16 x 16 places; the maps here have half as many and less.
POOLED_PLACES = 2


class Dfm:
    """The error of each place when a crop is rebuilt from principal components of normal crops.

    Components that hold 97 % of the normals' variance are kept, anomalib's default. The error is
    the root of the squared error that anomalib gives, so that it is a distance.
    """

    def __init__(self, features: nn.Module) -> None:
        self.module = _dfm(features)

    def fit(self, standard: Tensor) -> None:
        """Learn the components of whole crops."""
        self.module.pca_model.fit(_pooled(standard).flatten(1))

    def distances(self, standard: Tensor) -> Tensor:
        """Errors (N, 1, h / 2, w / 2)."""
        pooled = _pooled(standard)
        components = self.module.pca_model
        centred = pooled.flatten(1) - components.mean
        rebuilt = components.inverse_transform(centred @ components.singular_vectors)
        errors = (centred - rebuilt).square().reshape(pooled.shape)
        return errors.sum(dim=1, keepdim=True).sqrt()


def _pooled(standard: Tensor) -> Tensor:
    """Features (N, C, h, w) averaged over squares of places; those of the edge may be smaller."""
    return F.avg_pool2d(
        standard, POOLED_PLACES, ceil_mode=True, count_include_pad=False
    )


def _dfm(features: nn.Module) -> Any:
    """anomalib's DFM with our features in the place of the backbone it builds by name."""
    from anomalib.models.image.dfm.torch_model import DFMModel

    with torch.random.fork_rng():
        dfm = DFMModel(PLACEHOLDER_BACKBONE, "layer1", pre_trained=False)
    dfm.feature_extractor = features  # type: ignore[assignment]
    dfm.anomaly_map_generator = map_generator()
    return dfm
