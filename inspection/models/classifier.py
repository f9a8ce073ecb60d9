"""The classifier: a timm backbone, and evidence for each class at each place of the crop."""

import logging
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.errors import InspectionError
from inspection.line import Frozen

# The last stages of the backbone that are fused: strides 8, 16 and 32. The stage before sees too
# little of the part to tell a dent from its texture, at four times the places.
N_STAGES = 3

# Per logit of evidence. At 0 a defect is averaged away by the sound rest of the crop; as it grows,
# only the hottest place learns, and one noisy cell decides. 2 lies between.
POOL_SHARPNESS = 2.0

# Share of the crop's own brightness that is taken out. At 0 a drifting light moves every crop; at 1
# a part that is too dark all over cannot be reason from a sound one.
BRIGHTNESS_DAMPING = 0.8
SIZED = ("vit", "swin", "deit", "beit", "eva", "mvit", "maxvit", "coat")
NOT_BUILT = (
    RuntimeError,
    TypeError,
    ValueError,
    AssertionError,
    AttributeError,
    LookupError,
)

log = logging.getLogger("knurl")


class Architecture(Frozen):
    """What rebuilds a classifier before its weights are loaded; stored beside them as JSON.

    `size_px` is (width, height) of the crop. `mean` and `std` are of the train fold, in grey
    levels 0..255, per channel. `centre_fraction` is the part of the crop, along x and y, that is
    looked at: a preprocessing that keeps the crop's edge from being taken for evidence.
    """

    backbone: str
    backbone_args: dict[str, Any] = Field(default_factory=dict)
    classes: tuple[str, ...]
    size_px: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    centre_fraction: tuple[float, float] = (1.0, 1.0)
    dim: int = 64


class DefectClassifier(nn.Module):
    """Crops (N, C, H, W), 0..255, to logits (N, classes); the first class is normal.

    The last three stages of the backbone are projected, brought to the finest of their
    resolutions and summed; a 1 x 1 convolution gives evidence per class and place. A defect is
    pooled sharply, since one place suffices; normality is averaged, since it takes every place.
    `taps` are identity modules on each stage and on the fused features, always (N, C, h, w), so a
    CAM hooks any architecture, transformers too, in the same way.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        architecture: Architecture,
        *,
        pretrained: bool = False,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.backbone = _backbone(architecture, pretrained=pretrained, weights=weights)
        channels = self.backbone.feature_info.channels()
        dim = architecture.dim
        self.project = nn.ModuleList(
            nn.Conv2d(width, dim, 1, bias=False) for width in channels
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(dim) for _ in channels)
        self.mix = nn.Sequential(
            nn.Conv2d(dim, dim, 3, padding=1, bias=False),
            nn.BatchNorm2d(dim),
            nn.ReLU(),
        )
        self.evidence = nn.Conv2d(dim, len(architecture.classes), 1)
        self.taps = nn.ModuleList(nn.Identity() for _ in range(len(channels) + 1))
        shape = (1, len(architecture.mean), 1, 1)
        self.register_buffer("mean", torch.tensor(architecture.mean).reshape(shape))
        self.register_buffer("std", torch.tensor(architecture.std).reshape(shape))

    def stages(self, crops: Tensor) -> list[Tensor]:
        """The backbone's last three feature maps, each (N, C, h, w), finest first."""
        return self.stages_of(self._prepared(crops))

    def stages_of(self, standardised: Tensor) -> list[Tensor]:
        """The same of standardised images (N, C, H, W) of any region."""
        maps = self.backbone(standardised)
        widths = self.backbone.feature_info.channels()
        return [
            _channels_first(m, width) for m, width in zip(maps, widths, strict=True)
        ]

    def features(self, crops: Tensor) -> Tensor:
        """Fused features (N, dim, h, w), none negative, over the centre that is looked at."""
        maps = [
            tap(m) for tap, m in zip(self.taps[:-1], self.stages(crops), strict=True)
        ]
        size = maps[0].shape[-2:]
        projected = [
            F.interpolate(
                norm(project(m)), size=size, mode="bilinear", align_corners=False
            )
            for project, norm, m in zip(self.project, self.norms, maps, strict=True)
        ]
        return self.taps[-1](self.mix(F.relu(torch.stack(projected).sum(dim=0))))

    def evidence_maps(self, crops: Tensor) -> Tensor:
        """Evidence per class and place (N, classes, h, w), in logits."""
        return self.evidence(self.features(crops))

    def forward(self, crops: Tensor) -> Tensor:
        """Logits (N, classes)."""
        return pooled(self.evidence_maps(crops))

    def _prepared(self, crops: Tensor) -> Tensor:
        """The centre of the crop, standardised; most of the light's brightness taken out.

        A light that drifts moves a whole crop, and a network that must learn this by itself takes
        hundreds of steps to; the share that stays tells of a part that is too dark all over.
        """
        left, top, width, height = centre_of(self.architecture)
        centre = crops[:, :, top : top + height, left : left + width].float()
        brightness = centre.mean(dim=(1, 2, 3), keepdim=True) - self.mean.mean()
        return (centre - self.mean - BRIGHTNESS_DAMPING * brightness) / self.std


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
    architecture: Architecture, *, pretrained: bool, weights: str | None
) -> DefectClassifier:
    """A classifier to be trained, once it has looked at an empty crop.

    Raises InspectionError where the backbone cannot be built so, or cannot look at such crops.
    """
    _, _, width, height = centre_of(architecture)
    try:
        model = DefectClassifier(architecture, pretrained=pretrained, weights=weights)
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


def load_classifier(folder: Path) -> DefectClassifier:
    """Rebuild a trained classifier from `architecture.json` and `weights.safetensors`."""
    from safetensors.torch import load_file

    text = (folder / "architecture.json").read_text(encoding="utf-8")
    model = DefectClassifier(Architecture.model_validate_json(text))
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    return model.eval()


def _backbone(
    architecture: Architecture, *, pretrained: bool, weights: str | None
) -> Any:
    """The backbone, with weights of a local safetensors file, of the hub, or untrained."""
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
    if weights is not None:
        settings["pretrained_cfg_overlay"] = {"file": _weights_file(weights)}
        return timm.create_model(architecture.backbone, pretrained=True, **settings)
    if pretrained:
        return _from_hub(architecture.backbone, settings)
    return timm.create_model(architecture.backbone, **settings)


def _weights_file(path: str) -> str:
    if not path.endswith(".safetensors") or not Path(path).is_file():
        raise InspectionError(
            f"params.yaml: train.weights: {path!r} is not a safetensors file; give the path of "
            "one from the project's root, or null to train from scratch"
        )
    return path


def _from_hub(name: str, settings: dict[str, Any]) -> Any:
    """The backbone with timm's weights where the hub can be reached, and untrained where not."""
    import timm
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return timm.create_model(name, pretrained=True, **settings)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, RuntimeError) as error:
        log.warning(
            "train.pretrained: no weights of %s to be had (%s); training from scratch. Set "
            "train.pretrained: false to ask no more, or train.weights to a local file.",
            name,
            type(error).__name__,
        )
        return timm.create_model(name, **settings)


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
