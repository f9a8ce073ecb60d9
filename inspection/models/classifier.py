"""The classifier: a timm backbone, and evidence for each class at each place of the crop."""

from collections.abc import Sequence
from copy import copy
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.errors import InspectionError
from inspection.line import Frozen
from inspection.models.epochs import epoch_file
from inspection.models.weights import NONE, build_backbone
from inspection.storage import replacing, write_json

# The last stages of the backbone that are fused: strides 8, 16 and 32. The stage before sees too
# little of the part to tell a dent from its texture, at four times the places.
N_STAGES = 3

# Per logit of evidence. At 0 a defect is averaged away by the sound rest of the crop; as it grows,
# only the hottest place learns, and one noisy cell decides. 2 lies between.
POOL_SHARPNESS = 2.0

# Share of the crop's own brightness that is taken out for a network that learns from scratch. At 0
# a drifting light moves every crop; at 1 a part that is too dark all over looks like a sound one.
BRIGHTNESS_DAMPING = 0.8

# The folder, beside a classifier that has seen val, of one that has not.
BEFORE_VAL = "before_val"
# What the names of a head's weights begin with among those of its classifier.
HEAD = "head."
SIZED = ("vit", "swin", "deit", "beit", "eva", "mvit", "maxvit", "coat")
NOT_BUILT = (
    RuntimeError,
    TypeError,
    ValueError,
    AssertionError,
    AttributeError,
    LookupError,
)


class Architecture(Frozen):
    """What rebuilds a classifier before its weights are loaded; stored beside them as JSON.

    `size_px` is (width, height) of the crop. `mean` and `std` are of the images that the backbone
    has learned from, in grey levels 0..255, per channel; `brightness_damping` is the share of a
    crop's own brightness that is taken out. `centre_fraction` is the part of the crop, along x and
    y, that is looked at: a preprocessing that keeps the crop's edge from being taken for evidence.
    `mirror_average` says that a crop is judged together with its left-right mirror image, by the
    mean of both. `dim` is the number of channels of the fused features; the 3 x 3 convolution over
    them sees them in `groups` groups, each by itself.
    """

    backbone: str
    backbone_args: dict[str, Any] = Field(default_factory=dict)
    weights: str = NONE
    classes: tuple[str, ...]
    size_px: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    brightness_damping: float = BRIGHTNESS_DAMPING
    centre_fraction: tuple[float, float] = (1.0, 1.0)
    mirror_average: bool = False
    dim: int
    groups: int = 1


class EvidenceHead(nn.Module):
    """The backbone's last feature maps, each (N, C, h, w), finest first, to evidence for classes.

    They are projected, brought to the finest of their resolutions and summed; a 1 x 1 convolution
    gives evidence per class and place. `taps` are identity modules on each map and on the fused
    features, so a CAM hooks any architecture, transformers too, in the same way.
    """

    def __init__(self, architecture: Architecture, channels: Sequence[int]) -> None:
        super().__init__()
        self.architecture = architecture
        dim = architecture.dim
        self.project = nn.ModuleList(
            nn.Conv2d(width, dim, 1, bias=False) for width in channels
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(dim) for _ in channels)
        self.mix = nn.Sequential(
            nn.Conv2d(dim, dim, 3, padding=1, groups=architecture.groups, bias=False),
            nn.BatchNorm2d(dim),
            nn.ReLU(),
        )
        self.evidence = nn.Conv2d(dim, len(architecture.classes), 1)
        self.taps = nn.ModuleList(nn.Identity() for _ in range(len(channels) + 1))

    def features(self, stages: Sequence[Tensor]) -> Tensor:
        """Fused features (N, dim, h, w), none negative."""
        maps = [tap(m) for tap, m in zip(self.taps[:-1], stages, strict=True)]
        size = maps[0].shape[-2:]
        projected = [
            F.interpolate(
                norm(project(m)), size=size, mode="bilinear", align_corners=False
            )
            for project, norm, m in zip(self.project, self.norms, maps, strict=True)
        ]
        # Added one by one: torch.stack(...).sum() takes half as long again, most of it backward.
        fused = projected[0]
        for coarser in projected[1:]:
            fused = fused + coarser
        return self.taps[-1](self.mix(F.relu(fused)))

    def evidence_maps(self, stages: Sequence[Tensor]) -> Tensor:
        """Evidence per class and place (N, classes, h, w), in logits."""
        return self.evidence(self.features(stages))

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """Logits (N, classes)."""
        return pooled(self.evidence_maps(stages))


class DefectClassifier(nn.Module):
    """Crops (N, C, H, W), 0..255, to logits (N, classes); the first class is normal.

    The last three stages of the backbone go through the head. A defect is pooled sharply, since
    one place suffices; normality is averaged, since it takes every place.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, architecture: Architecture, *, weights: str = NONE) -> None:
        super().__init__()
        self.architecture = architecture
        self.backbone = _backbone(architecture, weights)
        self.head = EvidenceHead(architecture, self.backbone.feature_info.channels())
        shape = (1, len(architecture.mean), 1, 1)
        self.register_buffer("mean", torch.tensor(architecture.mean).reshape(shape))
        self.register_buffer("std", torch.tensor(architecture.std).reshape(shape))

    def stages(self, crops: Tensor) -> list[Tensor]:
        """The backbone's last three feature maps, each (N, C, h, w), finest first.

        They cover the centre that is looked at.
        """
        return self.stages_of(self._prepared(crops))

    def stages_of(self, standardised: Tensor) -> list[Tensor]:
        """The same of standardised images (N, C, H, W) of any region."""
        maps = self.backbone(standardised)
        widths = self.backbone.feature_info.channels()
        return [
            _channels_first(m, width) for m, width in zip(maps, widths, strict=True)
        ]

    def evidence_maps(self, crops: Tensor) -> Tensor:
        """Evidence per class and place (N, classes, h, w), in logits."""
        return self.head.evidence_maps(self.stages(crops))

    def forward(self, crops: Tensor) -> Tensor:
        """Logits (N, classes)."""
        return self.mean_of_ways(self.head(self.stages(self.ways(crops))))

    def ways(self, crops: Tensor) -> Tensor:
        """Crops (N, C, H, W) in every way that they are looked at: (N or 2 N, C, H, W).

        With `mirror_average` their left-right mirror images come after them.
        """
        if not self.architecture.mirror_average:
            return crops

        return torch.cat([crops, crops.flip(-1)])

    def as_it_is(self, values: Tensor) -> Tensor:
        """What was found in the crops as they are: (N, ...), of (N or 2 N, ...)."""
        return values.chunk(2)[0] if self.architecture.mirror_average else values

    def mean_of_ways(self, values: Tensor) -> Tensor:
        """What was found in each way (N or 2 N, ...), averaged: (N, ...)."""
        if not self.architecture.mirror_average:
            return values

        as_it_is, mirrored = values.chunk(2)
        return (as_it_is + mirrored) / 2

    def mean_of_maps(self, maps: Tensor) -> Tensor:
        """Maps found in each way (N or 2 N, K, h, w), mirrored back and averaged: (N, K, h, w)."""
        if not self.architecture.mirror_average:
            return maps

        as_it_is, mirrored = maps.chunk(2)
        return (as_it_is + mirrored.flip(-1)) / 2

    def _prepared(self, crops: Tensor) -> Tensor:
        """The centre of the crop, standardised; most of the light's brightness taken out.

        A light that drifts moves a whole crop, and a network that must learn this by itself takes
        hundreds of steps to; the share that stays tells of a part that is too dark all over.
        """
        left, top, width, height = centre_of(self.architecture)
        centre = crops[:, :, top : top + height, left : left + width].float()
        brightness = centre.mean(dim=(1, 2, 3), keepdim=True) - self.mean.mean()
        damped = self.architecture.brightness_damping * brightness
        return (centre - self.mean - damped) / self.std


def pooled(evidence: Tensor) -> Tensor:
    """Logits (N, classes) of evidence maps (N, classes, h, w): see DefectClassifier.

    A defect's logit is the log of the mean exponential of its evidence, sharpened.
    """
    flat = evidence.flatten(2)
    normal = flat[:, :1].mean(dim=2)
    peak = flat[:, 1:].amax(dim=2, keepdim=True)
    shares = torch.exp(POOL_SHARPNESS * (flat[:, 1:] - peak)).mean(dim=2)
    return torch.cat([normal, peak.squeeze(2) + shares.log() / POOL_SHARPNESS], dim=1)


def centre_of(architecture: Architecture) -> tuple[int, int, int, int]:
    """Left, top, width and height of the centre that is looked at, in crop pixels."""
    width = round(architecture.size_px[0] * architecture.centre_fraction[0])
    height = round(architecture.size_px[1] * architecture.centre_fraction[1])
    left = (architecture.size_px[0] - width) // 2
    top = (architecture.size_px[1] - height) // 2
    return left, top, width, height


def new_classifier(
    architecture: Architecture, *, weights: str = NONE
) -> DefectClassifier:
    """A classifier to be trained, once it has looked at an empty crop.

    Raises InspectionError where the backbone cannot be built so, or cannot look at such crops.
    """
    _, _, width, height = centre_of(architecture)
    try:
        model = DefectClassifier(architecture, weights=weights)
        with torch.inference_mode():
            model.eval()(
                torch.zeros(2, len(architecture.mean), *architecture.size_px[::-1])
            )
    except NOT_BUILT as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise InspectionError(
            f"params.yaml: train.backbone: {architecture.backbone!r} with backbone_args "
            f"{architecture.backbone_args} cannot look at crops of {width} x {height} px "
            f"({type(error).__name__}: {reason}); take another backbone, another size_px of the "
            "region, or set train.backbone_args to null"
        ) from error
    return model.train()


def with_new_head(model: DefectClassifier) -> DefectClassifier:
    """A classifier of the same backbone, which is shared, with a head that has learned nothing."""
    fresh = copy(model)
    fresh._modules = dict(model._modules)
    fresh.head = EvidenceHead(
        model.architecture, model.backbone.feature_info.channels()
    )
    return fresh


def save_classifier(model: DefectClassifier, folder: Path) -> None:
    """Write `weights.safetensors` and `architecture.json`, for `load_classifier`."""
    from safetensors.torch import save_file

    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    with replacing(folder / "weights.safetensors") as temporary:
        save_file(weights, temporary)
    write_json(folder / "architecture.json", model.architecture.model_dump(mode="json"))


def load_classifier(folder: Path) -> DefectClassifier:
    """Rebuild a trained classifier from `architecture.json` and `weights.safetensors`."""
    from safetensors.torch import load_file

    text = (folder / "architecture.json").read_text(encoding="utf-8")
    model = DefectClassifier(Architecture.model_validate_json(text))
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    return model.eval()


def weights_of_epoch(model: DefectClassifier | EvidenceHead) -> bytes:
    """The weights that a training has come to, as safetensors, for `load_classifier_of_epoch`.

    They have their names in the classifier, those of a head that learns alone, too.
    """
    from safetensors.torch import save

    prefix = HEAD if isinstance(model, EvidenceHead) else ""
    weights = {}
    for name, value in model.state_dict().items():
        weights[f"{prefix}{name}"] = value.cpu().contiguous()
    return save(weights)


def load_classifier_of_epoch(folder: Path, number: int) -> DefectClassifier:
    """The classifier as it was after an epoch that is kept.

    Where a head has learned alone, only its weights are kept: the backbone is the deployed one.
    """
    from safetensors.torch import load_file

    model = load_classifier(folder)
    weights = load_file(epoch_file(folder, number))
    learned: nn.Module = model
    if all(name.startswith(HEAD) for name in weights):
        learned = model.head
        weights = {name.removeprefix(HEAD): value for name, value in weights.items()}
    # strict: a name that is missing, or one too many, is an error
    learned.load_state_dict(weights)
    return model.eval()


def load_classifier_before_val(folder: Path) -> DefectClassifier:
    """The classifier that has not seen val, for what is measured there.

    The deployed one is that, but where it was trained on all parts in the end.
    """
    before = folder / BEFORE_VAL
    return load_classifier(before if before.exists() else folder)


def _backbone(architecture: Architecture, weights: str) -> Any:
    """The backbone's last stages, with the weights asked for."""
    import timm

    settings = {
        "features_only": True,
        "in_chans": len(architecture.mean),
        "out_indices": tuple(range(-N_STAGES, 0)),
        **_image_size(architecture),
        **architecture.backbone_args,
    }
    if not timm.is_model(architecture.backbone):
        similar = get_close_matches(
            architecture.backbone, timm.list_models(), n=3, cutoff=0.4
        )
        raise InspectionError(
            f"params.yaml: train.backbone: timm knows no {architecture.backbone!r}; "
            f"similar names: {similar}"
        )
    return build_backbone(architecture.backbone, weights, settings)


def fixed_size(architecture: Architecture) -> tuple[int, int] | None:
    """(height, width) that the backbone needs, or None where it takes any size.

    Architectures with a fixed grid of tokens are built for the size of the centre.
    """
    from timm.models import get_pretrained_cfg

    family = architecture.backbone.split("_")[0]
    known = get_pretrained_cfg(architecture.backbone)
    if not family.startswith(SIZED) and not (
        known is not None and known.fixed_input_size
    ):
        return None
    _, _, width, height = centre_of(architecture)
    return height, width


def _image_size(architecture: Architecture) -> dict[str, Any]:
    size = fixed_size(architecture)
    return {} if size is None else {"img_size": size}


def _channels_first(features: Tensor, width: int) -> Tensor:
    """Feature maps as (N, C, h, w); some transformers give (N, h, w, C)."""
    return features if features.shape[1] == width else features.permute(0, 3, 1, 2)
