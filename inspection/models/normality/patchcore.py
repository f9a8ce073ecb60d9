"""PatchCore: the nearest of the normal crops' features, wherever it was (Roth et al. 2022)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.models.normality.coreset import greedy_centres
from inspection.models.normality.detector import PLACEHOLDER_BACKBONE, map_generator


class Patchcore:
    """The distance of each place from the nearest feature of a memory bank.

    The bank is a greedy k-centre coreset of all places of all normal crops. Unlike anomalib's, the
    features are not averaged over 3 x 3 places first, which on the sample line told less (AUROC
    0.976 in place of 0.981 on the knurling, 0.974 of 0.979 on the rivet), and the score is
    that of every model here, the mean of the map's hottest places, not its maximum reweighted.
    """

    def __init__(self, features: nn.Module, *, bank_size: int, seed: int) -> None:
        self.bank_size = bank_size
        self.seed = seed
        self.module = _patchcore(features)

    def fit(self, standard: Tensor) -> None:
        """Choose the features that the bank keeps."""
        embedding = self.module.reshape_embedding(standard)
        chosen = greedy_centres(embedding, self.bank_size, self.seed)
        self.module.memory_bank = embedding[chosen]

    def distances(self, standard: Tensor) -> Tensor:
        """Euclidean distances (N, 1, h, w) from the nearest feature of the bank."""
        return nearest(standard, self.module.memory_bank)


def nearest(standard: Tensor, bank: Tensor) -> Tensor:
    """Distances (N, 1, h, w) of features (N, C, h, w) from the nearest of a bank (K, C).

    As anomalib's `nearest_neighbors` finds them. Written as a convolution it is one fast operator
    in every runtime, for any number of crops, where anomalib's loop is exported for one number.
    """
    # |x - b|^2 = |b|^2 - 2 x b + |x|^2, whose last term is the same for all of the bank
    kernels = -2 * bank[:, :, None, None]
    closest = F.conv2d(standard, kernels, bank.square().sum(dim=1))
    squared = closest.amin(dim=1, keepdim=True) + standard.square().sum(1, keepdim=True)
    return squared.clamp(min=0).sqrt()


def _patchcore(features: nn.Module) -> Any:
    """anomalib's PatchCore with our features in the place of the backbone it builds by name."""
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    with torch.random.fork_rng():
        patchcore = PatchcoreModel(["layer1"], PLACEHOLDER_BACKBONE, pre_trained=False)
    patchcore.feature_extractor = features  # type: ignore[assignment]
    patchcore.anomaly_map_generator = map_generator()
    return patchcore
