from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

from inspection.models.anomaly import KINDS, MODELS, AnomalyModel, fit_anomaly_model
from inspection.models.cam import EXPORTABLE, ClassifierWithHeat
from inspection.models.compiled import in_full_precision
from inspection.models.export import export_anomaly, export_classifier, export_locator
from inspection.models.locator import Locator, locate
from tests.networks import Trained, tiny_classifier
from tests.squares import draw_crops

BATCHES = (1, 3)


def run(path: Path, name: str, batch: np.ndarray) -> list[Any]:
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {name: batch})


def in_torch(model: nn.Module, batch: np.ndarray) -> list[np.ndarray]:
    with torch.no_grad():
        return [output.numpy() for output in model(torch.from_numpy(batch))]


def same(outputs: list[Any], expected: list[np.ndarray]) -> None:
    for output, wanted in zip(outputs, expected, strict=True):
        assert output.shape == wanted.shape
        np.testing.assert_allclose(output, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("method", EXPORTABLE)
def test_the_graph_of_the_classifier_says_what_torch_says(
    trained: Trained, tmp_path: Path, method: str
) -> None:
    model = ClassifierWithHeat(trained.model, method)
    export_classifier(model, tmp_path / "classifier.onnx")
    for n in BATCHES:
        batch = trained.val.images[2 : 2 + n]
        same(run(tmp_path / "classifier.onnx", "crops", batch), in_torch(model, batch))


def test_the_graph_looks_at_the_centre_only_as_torch_does(tmp_path: Path) -> None:
    model = ClassifierWithHeat(tiny_classifier(centre_fraction=(0.9, 0.8)), "layercam")
    export_classifier(model, tmp_path / "classifier.onnx")
    batch = draw_crops(1).images[:3]
    same(run(tmp_path / "classifier.onnx", "crops", batch), in_torch(model, batch))


def test_the_graph_judges_a_crop_with_its_mirror_image_as_torch_does(tmp_path: Path) -> None:
    model = ClassifierWithHeat(tiny_classifier(mirror_average=True), "layercam")
    export_classifier(model, tmp_path / "classifier.onnx")
    for n in BATCHES:
        batch = draw_crops(4).images[:n]
        outputs = run(tmp_path / "classifier.onnx", "crops", batch)
        assert len(outputs[0]) == n
        same(outputs, in_torch(model, batch))


def test_a_transformer_is_exported_like_any_other_backbone(tmp_path: Path) -> None:
    small = {"embed_dim": 48, "depth": 3}
    network = tiny_classifier(backbone="vit_tiny_patch16_224", backbone_args=small)
    model = ClassifierWithHeat(network, "gradcam")
    export_classifier(model, tmp_path / "classifier.onnx")
    batch = draw_crops(1).images[:3]
    same(run(tmp_path / "classifier.onnx", "crops", batch), in_torch(model, batch))


def fitted(kind: str, model: str = "padim") -> AnomalyModel:
    return fit_anomaly_model(
        tiny_classifier(),
        draw_crops(10, classes=("normal",)).images,
        kind=kind,
        n_features=8,
        shrinkage=0.3,
        score_fraction=0.05,
        seed=0,
        model=model,
    )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_of_the_anomaly_model_says_what_torch_says(
    tmp_path: Path, kind: str, name: str
) -> None:
    model = fitted(kind, name)
    export_anomaly(model, tmp_path / "anomaly.onnx")
    in_openvino = in_full_precision(tmp_path / "anomaly.onnx")
    for n in BATCHES:
        batch = draw_crops(1, seed=5).images[:n]
        same(run(tmp_path / "anomaly.onnx", "crops", batch), in_torch(model, batch))
        same(list(in_openvino(batch).values()), in_torch(model, batch))


def test_the_graph_averages_places_that_are_many_as_torch_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspection.models.anomaly.MAX_FINE_PLACES", 0)
    model = fitted("classifier")
    export_anomaly(model, tmp_path / "anomaly.onnx")
    for n in BATCHES:
        batch = draw_crops(1, seed=5).images[:n]
        same(run(tmp_path / "anomaly.onnx", "crops", batch), in_torch(model, batch))


def test_the_graph_of_the_locator_says_what_torch_says(tmp_path: Path) -> None:
    model = Locator(2).eval()
    export_locator(model, (64, 32), tmp_path / "locator.onnx")
    for n in BATCHES:
        frames = draw_crops(1).images[:n, :, :, 0]
        [maps] = run(tmp_path / "locator.onnx", "frames", frames)
        same([maps], [locate(model, frames)])


def test_an_export_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        export_classifier(nn.Identity(), tmp_path / "classifier.onnx")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_what_is_exported_is_read_by_runtimes_of_the_last_years(tmp_path: Path) -> None:
    export_locator(Locator(1).eval(), (64, 32), tmp_path / "locator.onnx")
    (opset,) = onnx.load(tmp_path / "locator.onnx").opset_import
    assert opset.version == 17
