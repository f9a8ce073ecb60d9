"""The anomaly model: one of anomalib's on features that need no hub, fitted on normals only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.errors import InspectionError
from inspection.geometry import Floats, Image
from inspection.line import Frozen
from inspection.models.classifier import DefectClassifier, fixed_size
from inspection.models.compiled import Compute, compiled
from inspection.models.crops import TARGET_STRIDE, pixel_statistics
from inspection.models.filters import FilterBank
from inspection.models.normality.coreset import MAX_DISTANCES
from inspection.models.normality.detector import Detector
from inspection.models.normality.dfm import POOLED_PLACES, Dfm
from inspection.models.normality.padim import Padim
from inspection.models.normality.patchcore import Patchcore
from inspection.models.weights import NONE

KINDS = ("filters", "classifier")

PADIM = "padim"
PATCHCORE = "patchcore"
DFM = "dfm"
MODELS = (PADIM, PATCHCORE, DFM)

FLOAT_BYTES = 4

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


class AnomalySettings(Frozen):
    """What rebuilds an anomaly model before its weights are loaded; stored beside them as JSON.

    `kind` says where features come from: `filters` (a fixed bank of Gaussian derivatives, see
    inspection/models/filters.py) or `classifier` (the backbone of our own). `size_px` is
    (width, height) of the crop; `mean` and `std` are of the normals it was fitted on, in grey
    levels. `shrinkage` is the ridge on the covariance of features of unit variance;
    `score_fraction` the share of the hottest places whose mean is the score. `model` is one of
    `MODELS`, and `bank_size` the number of features that PatchCore keeps; what has its default is
    not stored.
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
    model: str = PADIM
    bank_size: int | None = None

    def as_json(self) -> dict[str, Any]:
        """What is stored."""
        return self.model_dump(mode="json", exclude_defaults=True)


class CropFeatures(nn.Module):
    """Crops (N, C, H, W), 0..255, to one standardised feature map per crop.

    Features have unit variance over the normals. Where there are more channels than `n_features`,
    they are projected onto as many directions drawn at random, orthogonal to each other (Kim et
    al. 2021): that keeps more of what they tell than picking channels does, at the same size of
    what is learned of them.
    """

    mean: Tensor
    std: Tensor
    feature_mean: Tensor
    feature_std: Tensor
    directions: Tensor

    def __init__(self, extractor: nn.Module, settings: AnomalySettings) -> None:
        super().__init__()
        self.extractor = extractor
        self.size_px = settings.size_px
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
        """Raw features (N, channels, h, w) as (N, n_features, h, w) of unit variance."""
        standard = (raw - self.feature_mean) / self.feature_std
        if len(self.directions) < standard.shape[1]:
            standard = F.conv2d(standard, self.directions)
        return standard


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

    The map is the smoothed distance of each place from what is normal, as the detector named in
    the settings knows it: see inspection/models/normality/. The score is the mean of the map's
    hottest places, so that one speck of dust does not decide; higher is more suspicious.
    """

    def __init__(self, classifier: DefectClassifier, settings: AnomalySettings) -> None:
        super().__init__()
        self.settings = settings
        self.features = CropFeatures(_extractor(settings, classifier), settings)
        self.detector = _detector(self.features, settings)
        # its weights are stored by the model's name
        self.add_module(settings.model, self.detector.module)
        width, height = settings.size_px
        places = (height // TARGET_STRIDE) * (width // TARGET_STRIDE)
        self.n_hottest = max(1, round(settings.score_fraction * places))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Raw scores and raw maps."""
        return self.of_raw(self.features.raw(crops.permute(0, 3, 1, 2)))

    def of_raw(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Raw scores and raw maps of crops by their raw features (N, channels, h, w)."""
        distance = self.detector.distances(self.features.standardised(raw))

        width, height = self.settings.size_px
        generator = self.detector.module.anomaly_map_generator
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
        self.detector.fit(features.standardised(raw))


@dataclass(frozen=True)
class Normals:
    """Raw features of normal crops and of their jittered copies: (copies, N, channels, h, w).

    `raw_of` gives those of other crops.
    """

    classifier: DefectClassifier
    model: AnomalyModel
    raw: Tensor
    raw_of: Compute

    def fitted(self, rows: Any = slice(None)) -> AnomalyModel:
        """The model, fitted on some of the normal crops and on all copies of these."""
        self.model.fit(self.raw[:, rows].flatten(0, 1))
        return self.model

    def for_model(self, name: str, bank_size: int, max_memory_mib: int) -> "Normals":
        """The same for another of `MODELS`; raises InspectionError where memory is short."""
        others = {"model": name, "bank_size": _bank_size(name, bank_size)}
        settings = self.model.settings.model_copy(update=others)
        require_memory(settings, self.raw.shape, max_memory_mib)
        return replace(self, model=AnomalyModel(self.classifier, settings).eval())


def features_of_normals(
    classifier: DefectClassifier,
    normals: Image,
    *,
    kind: str,
    n_features: int,
    shrinkage: float,
    score_fraction: float,
    seed: int,
    model: str = PADIM,
    bank_size: int = 2000,
    max_memory_mib: int = 8192,
) -> Normals:
    """What is to be fitted: an empty model, and the features of crops (N, H, W, C) uint8.

    Raises InspectionError where that would take more than `max_memory_mib`.
    """
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
        model=model,
        bank_size=_bank_size(model, bank_size),
    )
    fitted = AnomalyModel(classifier, settings).eval()
    copies = _jittered(normals, seed)
    n_copies = len(copies) // len(normals)
    shape = (n_copies, len(normals), *_shape_of_raw(fitted.features))
    require_memory(settings, shape, max_memory_mib)

    raw_of = compiled(fitted.features, "raw", settings.size_px)
    raw = raw_of(copies)[0].unflatten(0, (-1, len(normals)))
    return Normals(classifier, fitted, raw, raw_of)


def fit_anomaly_model(
    classifier: DefectClassifier, normals: Image, **settings: Any
) -> AnomalyModel:
    """Fit on crops (N, H, W, C) uint8 of normal parts, and on jittered copies of them.

    The settings are those of `features_of_normals`.
    """
    return features_of_normals(classifier, normals, **settings).fitted()


def require_memory(
    settings: AnomalySettings, shape: Sequence[int], max_memory_mib: int
) -> None:
    """Raise InspectionError where the features of a fit would take more memory than is allowed.

    `shape` is that of the raw features of normals: (copies, N, channels, h, w).
    """
    found = fitting_mib(settings, shape)
    if found > max_memory_mib:
        n_crops = shape[0] * shape[1]
        raise InspectionError(
            f"fit_anomaly.model: {settings.model} on {n_crops} crops of {shape[3]} x {shape[4]} "
            f"places, {settings.n_features} {settings.kind} features each, would take {found} MiB "
            f"of memory, and fit_anomaly.max_memory_mib is {max_memory_mib}; fit fewer normals "
            "(max_normals) or features (n_features, bank_size), or allow more"
        )


def fitting_mib(settings: AnomalySettings, shape: Sequence[int]) -> int:
    """Memory in MiB that features take at most while a model is fitted and judges.

    `shape` is that of the raw features of normals: (copies, N, channels, h, w). Libraries, crops
    and the backbone's own maps come on top.
    """
    n_crops, n_channels, n_places = shape[0] * shape[1], shape[2], shape[3] * shape[4]
    raw = n_crops * n_channels * n_places
    standard = n_crops * settings.n_features * n_places
    # raw features are held; those of a fit are copied, centred and divided
    values = 4 * raw + 2 * standard + _values_of_model(settings, n_crops, n_places)
    return round(values * FLOAT_BYTES / 2**20)


def anomalies(
    model: AnomalyModel, crops: Image, raw_of: Compute | None = None
) -> tuple[Floats, Floats]:
    """Raw scores (N,) and raw maps (N, H / 4, W / 4) of crops (N, H, W, C) uint8.

    `raw_of` computes their features; without it torch does, as slow and as it is.
    """
    (found,) = anomalies_by_each([model], crops, raw_of)
    return found


@torch.inference_mode()
def anomalies_by_each(
    models: Sequence[AnomalyModel], crops: Image, raw_of: Compute | None = None
) -> list[tuple[Floats, Floats]]:
    """The same by several models of the same features, which are computed once."""
    found: list[list[tuple[Tensor, Tensor]]] = [[] for _ in models]
    for start in range(0, len(crops), BATCH_SIZE):
        batch = crops[start : start + BATCH_SIZE]
        if raw_of is None:
            raw = models[0].features.raw(torch.tensor(batch).permute(0, 3, 1, 2))
        else:
            raw = raw_of(batch)[0]
        for model, batches in zip(models, found, strict=True):
            batches.append(model.of_raw(raw))

    return [_joined(batches) for batches in found]


def _joined(batches: Sequence[tuple[Tensor, Tensor]]) -> tuple[Floats, Floats]:
    """Scores and maps of batches as those of all crops."""
    scores, maps = zip(*batches, strict=True)
    return torch.cat(scores).numpy(), torch.cat(maps).numpy()


def own_weights(model: AnomalyModel) -> dict[str, Tensor]:
    """The weights that are not the classifier's."""
    return {
        name: value.contiguous()
        for name, value in model.state_dict().items()
        if ".classifier." not in name and ".feature_extractor." not in name
    }


def load_anomaly_model(folder: Path, classifier: DefectClassifier) -> AnomalyModel:
    """Rebuild a fitted model on the classifier whose backbone it was fitted with."""
    from safetensors.torch import load_file

    text = (folder / "settings.json").read_text(encoding="utf-8")
    model = AnomalyModel(classifier, AnomalySettings.model_validate_json(text))
    # anomalib's buffers are empty until they are fitted, and take the shapes of what is loaded
    model.load_state_dict(load_file(folder / "weights.safetensors"), strict=False)
    return model.eval()


def _values_of_model(settings: AnomalySettings, n_crops: int, n_places: int) -> int:
    """Numbers that a model holds besides the features of normals: what grows with its settings."""
    n_features = settings.n_features
    if settings.bank_size is not None:
        # a coreset's distances; when it judges, those of a batch of crops from the whole bank
        judging = BATCH_SIZE * n_places * settings.bank_size
        return MAX_DISTANCES + n_crops * n_places + judging
    if settings.model == DFM:
        # crops, their vectors of both sides, and the work space, in numbers of double length
        return 2 * 4 * n_crops * n_features * n_places // POOLED_PLACES**2
    # covariance, what is added to it, and its inverse
    return 3 * n_places * n_features**2


def _bank_size(model: str, bank_size: int) -> int | None:
    """The size of the memory bank, of the only model that has one."""
    return bank_size if model == PATCHCORE else None


@torch.inference_mode()
def _shape_of_raw(features: CropFeatures) -> tuple[int, ...]:
    """Channels, height and width of the raw features of one crop."""
    width, height = features.size_px
    crop = torch.zeros(1, features.mean.numel(), height, width)
    return tuple(features.raw(crop).shape[1:])


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


def _detector(features: nn.Module, settings: AnomalySettings) -> Detector:
    """What judges places, by the name in the settings, as yet unfitted."""
    if settings.bank_size is not None:
        return Patchcore(features, bank_size=settings.bank_size, seed=settings.seed)
    if settings.model == DFM:
        return Dfm(features)
    n_features, shrinkage = settings.n_features, settings.shrinkage
    return Padim(features, n_features=n_features, shrinkage=shrinkage)
