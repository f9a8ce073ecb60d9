"""Class activation maps, raw: methods of grad-cam over every layer, and the one that is exported.

grad-cam stretches each heatmap to 0..1 on its own; here its methods are called below that step, so
that heat can be put on an absolute scale.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.geometry import Floats, Image
from inspection.models.classifier import (
    POOL_SHARPNESS,
    DefectClassifier,
    centre_of,
    pooled,
)
from inspection.models.compiled import Compute
from inspection.models.crops import TARGET_STRIDE

# Names as in grad-cam's own command line. Those that go through the network once for every channel
# or mask (ScoreCAM, AblationCAM) take minutes a view, and are left out.
GRADIENT_METHODS = (
    "gradcam",
    "gradcam++",
    "xgradcam",
    "layercam",
    "hirescam",
    "gradcamelementwise",
)
EIGEN_METHODS = ("eigencam", "eigengradcam")
METHODS = GRADIENT_METHODS + EIGEN_METHODS
EXPORTABLE = ("gradcam", "gradcam++", "layercam", "hirescam")
FUSED = "fused"
EPSILON = (
    1e-6  # no outcome: keeps 0 / 0 from being no number; the value of grad-cam itself
)


# A method and a layer.
Recipe = tuple[str, str]


def layer_names(model: DefectClassifier) -> list[str]:
    """The layers that can be looked at: backbone stages by their stride, then the fused features.

    The names are `stage1` (finest) to `stage3`, and `fused`.
    """
    return [f"stage{i + 1}" for i in range(len(model.head.taps) - 1)] + [FUSED]


def raw_cams(
    model: DefectClassifier,
    crops: Image,
    classes: Sequence[int],
    batch_size: int = 16,
    *,
    only: Recipe | None = None,
    stages_of: Compute | None = None,
) -> Iterator[tuple[Recipe, Floats]]:
    """Raw heat, not below 0, of every method and layer for the given class of each crop.

    `crops` is (N, H, W, C) uint8. Yields ((method, layer), heat (n, H / 4, W / 4)) per mini-batch,
    in the order of the crops. One forward and one backward pass serve all of them. With `only` it
    is this method and layer alone. `stages_of` is the backbone as `compiled` gives it, which takes
    a third of the time.
    """
    from pytorch_grad_cam.activations_and_gradients import ActivationsAndGradients

    layers = list(model.head.taps)
    tapped = ActivationsAndGradients(model, layers, None)
    methods = _methods(model)
    names = layer_names(model)
    recipes = [recipe for recipe in product(METHODS, names) if only in (None, recipe)]
    try:
        for start in range(0, len(crops), batch_size):
            batch = model.ways(as_tensor(crops[start : start + batch_size]))
            stages = backbone_maps(model, batch, stages_of)
            wanted = torch.tensor(list(classes[start : start + batch_size]))
            wanted = wanted.repeat(len(batch) // len(wanted))
            tapped.activations, tapped.gradients = [], []
            # what lies before the taps has no say in the heat, and is most of the network
            logits = model.head([maps.requires_grad_() for maps in stages])
            model.zero_grad()
            logits.gather(1, wanted[:, None]).sum().backward()
            for method, name in recipes:
                number = names.index(name)
                activations = tapped.activations[number].numpy()
                gradients = tapped.gradients[number].numpy()
                if method in EIGEN_METHODS:
                    raw = _eigen(method, activations, gradients)
                else:
                    raw = methods[method].get_cam_image(
                        batch,
                        layers[number],
                        None,
                        activations,
                        gradients,
                        eigen_smooth=False,
                    )
                heat = torch.from_numpy(raw).float().clamp(min=0).unsqueeze(1)
                heat = model.mean_of_maps(over_crop(heat, model))
                yield (method, name), heat.squeeze(1).numpy()
    finally:
        tapped.release()


def backbone_maps(
    model: DefectClassifier, batch: Tensor, stages_of: Compute | None = None
) -> list[Tensor]:
    """The backbone's maps of crops (N, C, H, W), finest first; by `stages_of` where it is given."""
    if stages_of is not None:
        return stages_of(batch.permute(0, 2, 3, 1).numpy())

    with torch.no_grad():
        return model.stages(batch)


class ClassifierWithHeat(nn.Module):
    """The classifier as it is deployed: crops (N, H, W, C) uint8 in; logits and raw heat out.

    Heat is (N, defects, H / 4, W / 4), not below 0. On the fused features the gradient of a logit
    is known in closed form (the weight of the class times the pooling's share of the place), so
    gradient methods need no backward pass; a test holds them against grad-cam's own.
    """

    def __init__(self, model: DefectClassifier, method: str) -> None:
        super().__init__()
        if method not in EXPORTABLE:
            raise ValueError(f"method should be one of {EXPORTABLE}, got {method!r}")
        self.model = model
        self.method = method

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, classes) and raw heat (N, defects, H / 4, W / 4)."""
        model = self.model
        return self.of_stages(model.stages(model.ways(crops.permute(0, 3, 1, 2))))

    def of_stages(self, stages: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The same, from the backbone's feature maps of the crops in every way."""
        model = self.model
        features = model.head.features(stages)
        evidence = model.head.evidence(features)
        heat = closed_form(self.method, features, evidence, model.head.evidence.weight)
        heat = over_crop(heat.clamp(min=0), model)
        return model.mean_of_ways(pooled(evidence)), model.mean_of_maps(heat)


def closed_form(
    method: str, features: Tensor, evidence: Tensor, weight: Tensor
) -> Tensor:
    """Heat (N, defects, h, w) of a gradient method on features (N, dim, h, w).

    `evidence` is (N, classes, h, w), `weight` (classes, dim, 1, 1) of the 1 x 1 convolution that
    made it. The gradient of logit c at place x is share_c(x) * weight_c.
    """
    weights = weight[1:, :, 0, 0]
    flat = POOL_SHARPNESS * evidence[:, 1:].flatten(2)
    share = flat.softmax(dim=2).reshape(evidence[:, 1:].shape)
    if method == "gradcam":
        places = share.shape[2] * share.shape[3]
        return torch.einsum("kd,ndhw->nkhw", weights, features) / places
    if method == "hirescam":
        return share * torch.einsum("kd,ndhw->nkhw", weights, features)
    if method == "layercam":
        return share * torch.einsum("kd,ndhw->nkhw", weights.relu(), features)
    return torch.einsum(
        "nkd,ndhw->nkhw", _plus_plus(share, weights, features), features
    )


def over_crop(heat: Tensor, model: DefectClassifier) -> Tensor:
    """Heat (N, K, h, w) over the centre that is looked at, laid on the grid of the whole crop.

    Returns (N, K, H / 4, W / 4); outside the centre there is no heat.
    """
    width, height = (length // TARGET_STRIDE for length in model.architecture.size_px)
    left, top, w, h = (round(v / TARGET_STRIDE) for v in centre_of(model.architecture))
    spread = F.interpolate(heat, size=(h, w), mode="bilinear", align_corners=False)
    if (w, h) == (width, height):
        return spread
    return F.pad(spread, (left, width - w - left, top, height - h - top))


def as_tensor(crops: Image) -> Tensor:
    """Crops (N, H, W, C) uint8 as a tensor (N, C, H, W)."""
    return torch.tensor(crops).permute(0, 3, 1, 2)


def _plus_plus(share: Tensor, weights: Tensor, features: Tensor) -> Tensor:
    """Channel weights (N, defects, dim) of GradCAM++ (Chattopadhay et al. 2018, equation 19)."""
    gradient = share.unsqueeze(2) * weights[None, :, :, None, None]
    squared = gradient**2
    total = features.sum(dim=(2, 3))[:, None, :, None, None]
    alpha = squared / (2 * squared + total * squared * gradient + EPSILON)
    return (gradient.relu() * alpha).sum(dim=(3, 4))


def first_component(maps: Floats) -> Floats:
    """Maps (N, C, h, w) projected onto their first principal component over the places: (N, h, w).

    As grad-cam's `get_2d_projection_with_sign_correction`, whose singular value decomposition makes
    a square matrix of all places that it does not need: of 4,096 places that takes seconds a view.
    Here it is an eigenvector of the covariance of the channels (C, C), or, where there are fewer
    places, of that of the places (h w, h w), which projects alike. The sign, which is arbitrary, is
    that by which the largest value is positive (Chung and Ying 2025, equation 13).
    """
    projected = []
    for one in maps:
        places = one.reshape(len(one), -1).astype(np.float64)
        centred = places - places.mean(axis=1, keepdims=True)
        along = _along_first(centred)
        if abs(along.min()) > abs(along.max()):
            along = -along
        projected.append(along.reshape(one.shape[1:]))
    return np.asarray(projected, np.float32)


def _along_first(centred: Any) -> Any:
    """Centred values (C, P) projected onto their first principal component, (P,); either sign."""
    n_channels, n_places = centred.shape
    # eigenvectors come in ascending order of the eigenvalues
    if n_channels <= n_places:
        return np.linalg.eigh(centred @ centred.T)[1][:, -1] @ centred
    values, directions = np.linalg.eigh(centred.T @ centred)
    # the singular value times the right singular vector; rounding may leave it a hair below 0
    return directions[:, -1] * np.sqrt(max(values[-1], 0.0))


def grad_cam_classes() -> dict[str, Any]:
    """Grad-cam's class of every method."""
    import pytorch_grad_cam as library

    return {
        "gradcam": library.GradCAM,
        "gradcam++": library.GradCAMPlusPlus,
        "xgradcam": library.XGradCAM,
        "layercam": library.LayerCAM,
        "hirescam": library.HiResCAM,
        "gradcamelementwise": library.GradCAMElementWise,
        "eigencam": library.EigenCAM,
        "eigengradcam": library.EigenGradCAM,
    }


def _eigen(method: str, activations: Floats, gradients: Floats) -> Floats:
    if method == "eigencam":
        return first_component(activations)
    return first_component(activations * gradients)


def _methods(model: DefectClassifier) -> dict[str, Any]:
    """An object of grad-cam for each method that it computes here."""
    classes = grad_cam_classes()
    made = {}
    for name in GRADIENT_METHODS:
        made[name] = classes[name](model, [model.head.taps[-1]])
        made[name].activations_and_grads.release()
    return made
