"""The anomaly model: anomalib's PaDiM on features that need no hub, fitted on normals only."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.geometry import Floats, Image
from inspection.line import Frozen
from inspection.models.classifier import DefectClassifier, fixed_size
from inspection.models.compiled import Compute, compiled
from inspection.models.crops import TARGET_STRIDE, pixel_statistics
from inspection.models.filters import FilterBank
from inspection.models.weights import NONE

PLACEHOLDER_BACKBONE = "resnet18"
LAYER = "features"

# What anomalib's MultiVariateGaussian adds to the diagonal of every covariance, and cannot be told.
PADIM_RIDGE = 0.01
KINDS = ("filters", "classifier")

# Stages of the backbone, finest first, whose features tell what is normal: strides 8 and 16. One
# cell of stride 32 sees most of a crop, and tells the part rather than the place.
N_BACKBONE_STAGES = 2

# Places of stride 8 beyond which those of stride 16 are taken: a quarter as many, which tell as
# much. AUROC on unseen parts of the sample line: 0.993 and 0.995 on the knurling of 448 places, but
# 0.858 and 0.810 on the rivet of 160; on the magnetic tiles of 896 places 0.850 and 0.855.
MAX_FINE_PLACES = 400

# no outcome: crops that are judged at once; more only take memory
BATCH_SIZE = 32

MIN_SPREAD = (
    1e-6  # no outcome: keeps a channel that never changes from dividing by nothing
)

# Copies of each normal, moved and brightened at random: few normals show few of the places that
# framing puts a part to, and three copies quadruple them.
N_JITTERED = 3

# Crop pixels along each axis, which is what framing errs by; `best_fit` makes up for a whole cell.
JITTER_PX = 2

# Brightness factors of the copies: within a shift, lights drift by some percent.
MIN_GAIN = 0.9
MAX_GAIN = 1.1

# Crops that are fitted, copies counted: the features of all of them are held in memory at once.
# With more normals than a quarter of this there are fewer copies, for which there is less need.
MAX_FITTED = 1100

# In cells, nearest first, so that of equal fits the least shifted is taken.
SHIFTS = sorted(
    product((-1, 0, 1), repeat=2), key=lambda shift: abs(shift[0]) + abs(shift[1])
)


class AnomalySettings(Frozen):
    """What rebuilds an anomaly model before its weights are loaded; stored beside them as JSON.

    `kind` says where features come from: `filters` (a fixed bank of Gaussian derivatives, see
    inspection/models/filters.py) or `classifier` (the backbone of our own). `size_px` is
    (width, height) of the crop; `mean` and `std` are of the normals it was fitted on, in grey
    levels. `shrinkage` is the ridge on the covariance of features of unit variance;
    `score_fraction` the share of the hottest places whose mean is the score.
    """

    kind: str
    size_px: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    n_features: int
    n_channels: int
    shrinkage: float
    score_fraction: float
    n_fitted: int
    seed: int


class CropFeatures(nn.Module):
    """Crops (N, C, H, W), 0..255, to one standardised feature map per crop.

    Features have unit variance over the normals, but for a factor that makes anomalib's fixed
    ridge of 0.01 the shrinkage asked for: few normals cannot carry a full covariance. Where there
    are more channels than `n_features`, they are projected onto as many directions drawn at
    random, orthogonal to each other (Kim et al. 2021): that keeps more of what they tell than
    picking channels does, at the same size of the covariance.
    """

    mean: Tensor
    std: Tensor
    feature_mean: Tensor
    feature_std: Tensor
    directions: Tensor

    def __init__(self, extractor: nn.Module, settings: AnomalySettings) -> None:
        super().__init__()
        self.extractor = extractor
        self.factor = (PADIM_RIDGE / settings.shrinkage) ** 0.5
        shape = (1, len(settings.mean), 1, 1)
        self.register_buffer("mean", torch.tensor(settings.mean).reshape(shape))
        self.register_buffer("std", torch.tensor(settings.std).reshape(shape))
        self.register_buffer("feature_mean", torch.zeros(1, settings.n_channels, 1, 1))
        self.register_buffer("feature_std", torch.ones(1, settings.n_channels, 1, 1))
        self.register_buffer("directions", _directions(settings))

    def raw(self, crops: Tensor) -> Tensor:
        """Features (N, channels, h, w) before they are standardised."""
        return self.extractor((crops.float() - self.mean) / self.std)

    def standardised(self, raw: Tensor) -> Tensor:
        """Raw features (N, channels, h, w) as (N, n_features, h, w) of the scale asked for."""
        standard = (raw - self.feature_mean) / self.feature_std
        if len(self.directions) < standard.shape[1]:
            standard = F.conv2d(standard, self.directions)
        return standard * self.factor


class BackboneFeatures(nn.Module):
    """The finer stages of a classifier's backbone as one map: see `fine_stages`."""

    def __init__(self, classifier: DefectClassifier) -> None:
        super().__init__()
        self.classifier = classifier
        self.size = fixed_size(classifier.architecture)

    def forward(self, standard: Tensor) -> Tensor:
        """Features (N, channels, h, w) of standardised crops."""
        if self.size is not None:
            standard = F.interpolate(standard, size=self.size, mode="bilinear")
        return fine_stages(self.classifier.stages_of(standard))


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


def fine_stages(stages: Sequence[Tensor]) -> Tensor:
    """The finer of a backbone's feature maps as one (N, channels, h, w).

    Its cells are those of the finest map, or where these are many, those of the next one. A map is
    averaged over larger cells, which is what `bilinear` does where it halves.
    """
    maps = stages[:N_BACKBONE_STAGES]
    finest = maps[0].shape[-2:]
    if finest.numel() <= MAX_FINE_PLACES:
        brought = [F.interpolate(m, size=finest, mode="nearest") for m in maps]
    else:
        coarser = maps[-1].shape[-2:]
        brought = [F.interpolate(m, size=coarser, mode="bilinear") for m in maps]
    return torch.cat(brought, dim=1)


class AnomalyModel(nn.Module):
    """Crops (N, H, W, C) uint8 to a raw score (N,) and a raw map (N, H / 4, W / 4).

    The map is the smoothed Mahalanobis distance of each place from the normals at that place
    (PaDiM, Defard et al. 2021), with the crop laid on the normals where it fits best, up to a cell
    away: a region is never framed to the pixel. The score is the mean of the map's hottest places,
    so that one speck of dust does not decide; higher is more suspicious.
    """

    def __init__(self, classifier: DefectClassifier, settings: AnomalySettings) -> None:
        super().__init__()
        self.settings = settings
        self.features = CropFeatures(_extractor(settings, classifier), settings)
        self.padim = _padim(self.features, settings)
        width, height = settings.size_px
        places = (height // TARGET_STRIDE) * (width // TARGET_STRIDE)
        self.n_hottest = max(1, round(settings.score_fraction * places))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Raw scores and raw maps."""
        return self.of_raw(self.features.raw(crops.permute(0, 3, 1, 2)))

    def of_raw(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Raw scores and raw maps of crops by their raw features (N, channels, h, w)."""
        layers = {LAYER: self.features.standardised(raw)}
        embedding = self.padim.generate_embedding(layers)
        gaussian = self.padim.gaussian
        distance = best_fit(embedding, gaussian.mean, gaussian.inv_covariance)

        width, height = self.settings.size_px
        generator = self.padim.anomaly_map_generator
        enlarged = generator.up_sample(distance, (height, width))
        maps = F.avg_pool2d(generator.smooth_anomaly_map(enlarged), TARGET_STRIDE)
        hottest = maps.flatten(1).topk(self.n_hottest, dim=1).values
        return hottest.mean(dim=1), maps.squeeze(1)

    def fit(self, raw: Tensor) -> None:
        """Learn what is normal from raw features (N, channels, h, w) of normal crops."""
        features = self.features
        features.feature_mean.copy_(raw.mean(dim=(0, 2, 3), keepdim=True))
        spread = raw.std(dim=(0, 2, 3), keepdim=True)
        features.feature_std.copy_(spread.clamp(min=MIN_SPREAD))
        layers = {LAYER: features.standardised(raw)}
        self.padim.gaussian.fit(self.padim.generate_embedding(layers))


@dataclass(frozen=True)
class Normals:
    """Raw features of normal crops and of their jittered copies: (copies, N, channels, h, w).

    `raw_of` gives those of other crops.
    """

    model: AnomalyModel
    raw: Tensor
    raw_of: Compute

    def fitted(self, rows: Any = slice(None)) -> AnomalyModel:
        """The model, fitted on some of the normal crops and on all copies of these."""
        self.model.fit(self.raw[:, rows].flatten(0, 1))
        return self.model


def features_of_normals(
    classifier: DefectClassifier,
    normals: Image,
    *,
    kind: str,
    n_features: int,
    shrinkage: float,
    score_fraction: float,
    seed: int,
) -> Normals:
    """What is to be fitted: an empty model, and the features of crops (N, H, W, C) uint8."""
    n_channels = _n_channels(kind, classifier, normals)
    mean, std = _normalisation(kind, classifier, normals)
    settings = AnomalySettings(
        kind=kind,
        size_px=(normals.shape[2], normals.shape[1]),
        mean=mean,
        std=std,
        n_features=min(n_features, n_channels),
        n_channels=n_channels,
        shrinkage=shrinkage,
        score_fraction=score_fraction,
        n_fitted=len(normals),
        seed=seed,
    )
    model = AnomalyModel(classifier, settings).eval()
    copies = _jittered(normals, seed)
    raw_of = compiled(model.features, "raw", settings.size_px)
    raw = raw_of(copies)[0].unflatten(0, (-1, len(normals)))
    return Normals(model, raw, raw_of)


def fit_anomaly_model(
    classifier: DefectClassifier, normals: Image, **settings: Any
) -> AnomalyModel:
    """Fit on crops (N, H, W, C) uint8 of normal parts, and on jittered copies of them.

    The settings are those of `features_of_normals`.
    """
    return features_of_normals(classifier, normals, **settings).fitted()


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


@torch.inference_mode()
def anomalies(
    model: AnomalyModel, crops: Image, raw_of: Compute | None = None
) -> tuple[Floats, Floats]:
    """Raw scores (N,) and raw maps (N, H / 4, W / 4) of crops (N, H, W, C) uint8.

    `raw_of` computes their features; without it torch does, as slow and as it is.
    """
    scores, maps = [], []
    for start in range(0, len(crops), BATCH_SIZE):
        batch = crops[start : start + BATCH_SIZE]
        if raw_of is None:
            score, anomaly_map = model(torch.tensor(batch))
        else:
            score, anomaly_map = model.of_raw(raw_of(batch)[0])
        scores.append(score.numpy())
        maps.append(anomaly_map.numpy())
    return np.concatenate(scores), np.concatenate(maps)


def own_weights(model: AnomalyModel) -> dict[str, Tensor]:
    """The weights that are not the classifier's."""
    return {
        name: value.contiguous()
        for name, value in model.state_dict().items()
        if ".classifier." not in name
        and not name.startswith("padim.feature_extractor.")
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


def _extractor(settings: AnomalySettings, classifier: DefectClassifier) -> nn.Module:
    if settings.kind == "filters":
        return FilterBank(len(settings.mean))
    return BackboneFeatures(classifier)


def _n_channels(kind: str, classifier: DefectClassifier, normals: Image) -> int:
    if kind == "filters":
        return FilterBank.n_channels(normals.shape[3])
    return sum(classifier.backbone.feature_info.channels()[:N_BACKBONE_STAGES])


def _normalisation(
    kind: str, classifier: DefectClassifier, normals: Image
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and spread in grey levels: of the normals, or as a pretrained backbone knows them."""
    architecture = classifier.architecture
    if kind == "classifier" and architecture.weights != NONE:
        return architecture.mean, architecture.std
    return pixel_statistics(normals)


def _directions(settings: AnomalySettings) -> Tensor:
    """Orthogonal directions (n_features, channels, 1, 1), drawn by the seed."""
    generator = torch.Generator().manual_seed(settings.seed)
    drawn = torch.randn(
        settings.n_channels,
        settings.n_features,
        generator=generator,
        dtype=torch.float64,
    )
    orthogonal = torch.linalg.qr(drawn).Q
    return orthogonal.T.float()[:, :, None, None].contiguous()


def _jittered(normals: Image, seed: int) -> Image:
    """The normals, and copies shifted by up to two pixels in light up to 10 % off."""
    generator = np.random.default_rng(seed)
    copies = [np.asarray(normals)]
    for _ in range(min(N_JITTERED, max(0, MAX_FITTED // len(normals) - 1))):
        moved = [
            np.roll(crop, generator.integers(-JITTER_PX, JITTER_PX + 1, 2), axis=(0, 1))
            * generator.uniform(MIN_GAIN, MAX_GAIN)
            for crop in normals
        ]
        copies.append(np.clip(np.stack(moved), 0, 255).astype(np.uint8))
    return np.concatenate(copies)


def _padim(features: CropFeatures, settings: AnomalySettings) -> Any:
    """anomalib's PaDiM with our features in the place of the backbone it builds by name."""
    from anomalib.models.image.padim.torch_model import PadimModel

    with torch.random.fork_rng():
        padim = PadimModel(
            PLACEHOLDER_BACKBONE, ["layer1"], pre_trained=False, n_features=1
        )
    padim.feature_extractor = features  # type: ignore[assignment]
    generator = padim.anomaly_map_generator
    generator.blur = SeparableBlur(generator.blur.kernel)  # type: ignore[assignment]
    padim.layers = [LAYER]
    padim.n_features_original = padim.n_features = settings.n_features
    padim.idx = torch.arange(settings.n_features)
    return padim
