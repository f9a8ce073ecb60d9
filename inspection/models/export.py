"""Trained models as ONNX graphs that take uint8 crops: the preprocessing lies inside of them."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from inspection.models.anomaly import AnomalyModel, fine_stages
from inspection.models.cam import ClassifierWithHeat
from inspection.models.classifier import fixed_size
from inspection.models.locator import Locator
from inspection.storage import replacing

# The first with LayerNormalization as one operator, which transformers need to be fast; every ONNX
# Runtime since 1.12 and OpenVINO since 2022.3 reads it.
OPSET = 17


class _LocatorGraph(nn.Module):
    """Frames (N, h, w) uint8 to probability maps."""

    def __init__(self, locator: Locator) -> None:
        super().__init__()
        self.locator = locator

    def forward(self, frames: Tensor) -> Tensor:
        return self.locator(frames.unsqueeze(1))


class SharedTrunk(nn.Module):
    """Classifier and anomaly model of one region whose backbone, which both use, runs once."""

    def __init__(self, classifier: ClassifierWithHeat, anomaly: AnomalyModel) -> None:
        super().__init__()
        self.classifier = classifier
        self.anomaly = anomaly

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the classifier gives for crops (N, H, W, C), then what the anomaly model gives."""
        model = self.classifier.model
        stages = model.stages(model.ways(crops.permute(0, 3, 1, 2)))
        raw = fine_stages([model.as_it_is(maps) for maps in stages])
        return *self.classifier.of_stages(stages), *self.anomaly.of_raw(raw)


def share_a_trunk(classifier: ClassifierWithHeat, anomaly: AnomalyModel) -> bool:
    """Whether both show the same picture to the same backbone: then it need run only once."""
    architecture, settings = classifier.model.architecture, anomaly.settings
    looks_at_all = architecture.centre_fraction == (1.0, 1.0)
    shows_it_alike = (
        (architecture.mean, architecture.std) == (settings.mean, settings.std)
        and architecture.brightness_damping == 0
        and architecture.size_px == settings.size_px
        and fixed_size(architecture) is None
    )
    return settings.kind == "classifier" and looks_at_all and shows_it_alike


def export_shared(
    classifier: ClassifierWithHeat, anomaly: AnomalyModel, path: Path
) -> None:
    """Write `crops` (N, H, W, C) uint8 -> `logits`, `heat`, `score`, `anomaly_map`."""
    given = ("logits", "heat", "score", "anomaly_map")
    trunk = SharedTrunk(classifier, anomaly)
    _export(trunk, _crops_of(classifier), path, "crops", given)


def export_classifier(model: ClassifierWithHeat, path: Path) -> None:
    """Write `crops` (N, H, W, C) uint8 -> `logits`, `heat`."""
    _export(model, _crops_of(model), path, "crops", ("logits", "heat"))


def export_anomaly(model: AnomalyModel, path: Path) -> None:
    """Write `crops` (N, H, W, C) uint8 -> `score`, `anomaly_map`."""
    width, height = model.settings.size_px
    example = torch.zeros(2, height, width, len(model.settings.mean), dtype=torch.uint8)
    _export(model, example, path, "crops", ("score", "anomaly_map"))


def export_locator(model: Locator, size_px: tuple[int, int], path: Path) -> None:
    """Write `frames` (N, h, w) uint8 -> `probability`."""
    example = torch.zeros(2, size_px[1], size_px[0], dtype=torch.uint8)
    _export(_LocatorGraph(model), example, path, "frames", ("probability",))


def _crops_of(classifier: ClassifierWithHeat) -> Tensor:
    """Two empty crops of its size, for tracing."""
    architecture = classifier.model.architecture
    width, height = architecture.size_px
    return torch.zeros(2, height, width, len(architecture.mean), dtype=torch.uint8)


def _export(
    model: nn.Module, example: Tensor, path: Path, taken: str, given: Sequence[str]
) -> None:
    """Trace the graph. The tracing exporter takes a second where the newer one takes half a
    minute, and `assemble` holds its graph against torch anyway; its deprecation is silenced."""
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            (example,),
            str(temporary),
            input_names=[taken],
            output_names=list(given),
            dynamic_axes={name: {0: "batch"} for name in (taken, *given)},
            opset_version=OPSET,
            dynamo=False,
        )
