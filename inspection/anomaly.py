"""The anomaly model: anomalib's PaDiM on our own classifier's backbone, fitted on normals only."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.cam import as_tensor
from inspection.classifier import DefectClassifier, fixed_size
from inspection.crops import TARGET_STRIDE
from inspection.regions import Floats, Image

PLACEHOLDER_BACKBONE = "resnet18"
LAYERS = ("stage1", "stage2", "stage3")


class AnomalySettings(BaseModel):
    """What rebuilds an anomaly model before its weights are loaded; stored beside them as JSON.

    `size_px` is (width, height) of the crop; `mean` and `std` are of the normals it was fitted on,
    in grey levels; `n_features` how many of the backbone's channels PaDiM keeps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_px: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layers: tuple[str, ...] = LAYERS
    n_features: int
    n_fitted: int
    seed: int


class BackboneFeatures(nn.Module):
    """Crops (N, C, H, W), 0..255, to the feature maps of chosen stages of a trained classifier."""

    mean: Tensor
    std: Tensor

    def __init__(self, classifier: DefectClassifier, settings: AnomalySettings) -> None:
        super().__init__()
        self.classifier = classifier
        self.layers = settings.layers
        self.size = fixed_size(classifier.architecture)
        shape = (1, len(settings.mean), 1, 1)
        self.register_buffer("mean", torch.tensor(settings.mean).reshape(shape))
        self.register_buffer("std", torch.tensor(settings.std).reshape(shape))

    def forward(self, crops: Tensor) -> dict[str, Tensor]:
        """Feature maps (N, C, h, w) by layer, finest first."""
        standard = (crops.float() - self.mean) / self.std
        if self.size is not None:
            standard = F.interpolate(standard, size=self.size, mode="bilinear")
        maps = dict(zip(LAYERS, self.classifier.stages_of(standard), strict=True))
        return {layer: maps[layer] for layer in self.layers}


class AnomalyModel(nn.Module):
    """Crops (N, H, W, C) uint8 to a raw score (N,) and a raw map (N, H / 4, W / 4).

    The score is the highest Mahalanobis distance of any place from the normals at that place;
    higher is more suspicious.
    """

    def __init__(self, classifier: DefectClassifier, settings: AnomalySettings) -> None:
        super().__init__()
        self.settings = settings
        self.padim = _padim(classifier, settings)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Raw scores and raw maps."""
        found = self.padim(crops.permute(0, 3, 1, 2).float())
        maps = F.avg_pool2d(found.anomaly_map, TARGET_STRIDE)
        return found.pred_score.reshape(-1), maps.squeeze(1)


def fit_anomaly_model(
    classifier: DefectClassifier, normals: Image, *, n_features: int, seed: int
) -> AnomalyModel:
    """Fit on crops (N, H, W, C) uint8 of normal parts."""
    pixels = np.asarray(normals, np.float64)
    settings = AnomalySettings(
        size_px=(normals.shape[2], normals.shape[1]),
        mean=tuple(pixels.mean(axis=(0, 1, 2)).round(3).tolist()),
        std=tuple((pixels.std(axis=(0, 1, 2)) + 1e-3).round(3).tolist()),
        n_features=min(n_features, sum(classifier.backbone.feature_info.channels())),
        n_fitted=len(normals),
        seed=seed,
    )
    model = AnomalyModel(classifier, settings)
    model.padim.train()
    model.padim.feature_extractor.eval()
    with torch.no_grad():
        for start in range(0, len(normals), 32):
            model.padim(as_tensor(normals[start : start + 32]).float())
        model.padim.fit()
    return model.eval()


@torch.inference_mode()
def anomalies(model: AnomalyModel, crops: Image) -> tuple[Floats, Floats]:
    """Raw scores (N,) and raw maps (N, H / 4, W / 4) of crops (N, H, W, C) uint8."""
    scores, maps = [], []
    for start in range(0, len(crops), 32):
        score, anomaly_map = model(torch.tensor(crops[start : start + 32]))
        scores.append(score.numpy())
        maps.append(anomaly_map.numpy())
    return np.concatenate(scores), np.concatenate(maps)


def own_weights(model: AnomalyModel) -> dict[str, Tensor]:
    """The weights that are not the classifier's."""
    return {
        name: value.contiguous()
        for name, value in model.state_dict().items()
        if ".classifier." not in name
    }


def load_anomaly_model(folder: Path, classifier: DefectClassifier) -> AnomalyModel:
    """Rebuild a fitted model on the classifier whose backbone it was fitted with."""
    from safetensors.torch import load_file

    text = (folder / "settings.json").read_text(encoding="utf-8")
    model = AnomalyModel(classifier, AnomalySettings.model_validate_json(text))
    weights = load_file(folder / "weights.safetensors")
    gaussian = model.padim.gaussian
    gaussian.mean = weights["padim.gaussian.mean"]
    gaussian.inv_covariance = weights["padim.gaussian.inv_covariance"]
    model.load_state_dict(weights, strict=False)
    return model.eval()


def _padim(classifier: DefectClassifier, settings: AnomalySettings) -> Any:
    """anomalib's PaDiM with our backbone in the place of the one it builds by name."""
    from anomalib.models.image.padim.torch_model import PadimModel

    with torch.random.fork_rng():
        padim = PadimModel(PLACEHOLDER_BACKBONE, ["layer1"], pre_trained=False, n_features=1)
    extractor = BackboneFeatures(classifier, settings)
    total = sum(classifier.backbone.feature_info.channels())
    chosen = np.random.default_rng(settings.seed).permutation(total)[: settings.n_features]
    padim.feature_extractor = extractor  # type: ignore[assignment]
    padim.layers = list(settings.layers)
    padim.backbone = classifier.architecture.backbone
    padim.n_features_original, padim.n_features = total, settings.n_features
    padim.idx = torch.from_numpy(np.sort(chosen))
    return padim
