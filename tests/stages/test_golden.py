from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from inspection.errors import InspectionError
from inspection.evaluation.parity import Parity, require_parity
from inspection.geometry import Image
from inspection.models.anomaly import AnomalyModel, fit_anomaly_model
from inspection.models.cam import ClassifierWithHeat
from inspection.models.classifier import DefectClassifier
from inspection.models.export import export_anomaly, export_classifier, export_locator
from inspection.models.locator import Locator, fit_locator
from inspection.runtime.bundle import LocatorCard, ModelSet, Settings
from inspection.runtime.detectors import (
    DetectorModel,
    HeatScale,
    StandardScore,
    TemperatureScaling,
    Thresholds,
)
from inspection.runtime.fusion import Fusion, RegionWeighting
from stages.exported import Trained
from stages.golden import golden_locator_parity, golden_parity
from tests.lines import squares_line
from tests.networks import tiny_classifier, train_on_squares
from tests.squares import CLASSES, draw_crops

SIZE = (64, 48)
METHOD = "gradcam"


def frame(left: int, top: int) -> Image:
    """A bright rectangle of 24 x 16 px on a dark frame."""
    drawn = np.full(SIZE[::-1], 20, np.uint8)
    drawn[top : top + 16, left : left + 24] = 200
    return drawn


FRAMES = [frame(left, top) for left in (4, 20, 36) for top in (4, 16, 28)]


@pytest.fixture(scope="module")
def locator() -> Locator:
    """A locator that finds the rectangles."""
    frames = np.stack(FRAMES)
    targets = (frames > 100).reshape(len(frames), 1, 12, 4, 16, 4).mean(axis=(3, 5))
    return fit_locator(
        frames,
        targets.astype(np.float32),
        epochs=60,
        learning_rate=0.02,
        batch_size=9,
        seed=0,
        progress=lambda *_: None,
    )


def parity(deployed: Locator, trained: Locator, folder: Path) -> dict[str, Parity]:
    export_locator(deployed, SIZE, folder / "locator.onnx")
    settings = cast(
        Settings,
        SimpleNamespace(locator=LocatorCard(file="locator.onnx", regions=("rod",), size_px=SIZE)),
    )
    reference = cast(Trained, SimpleNamespace(locator=trained))
    return golden_locator_parity(reference, settings, folder, np.stack(FRAMES))


def test_the_deployed_locator_finds_what_the_trained_one_finds(
    locator: Locator, tmp_path: Path
) -> None:
    reports = parity(locator, locator, tmp_path)
    assert set(reports) == {"locator on onnxruntime", "locator on openvino"}
    assert all(report.n == len(FRAMES) for report in reports.values())
    require_parity(reports, tolerance=1e-3)


def test_another_locator_is_not_deployed(locator: Locator, tmp_path: Path) -> None:
    torch.manual_seed(0)
    with pytest.raises(InspectionError, match=r"locator on onnxruntime: .*do not deploy"):
        require_parity(parity(Locator(1).eval(), locator, tmp_path), tolerance=1e-3)


def test_a_line_that_locates_nothing_has_no_locator_to_compare(tmp_path: Path) -> None:
    without = cast(Trained, SimpleNamespace(locator=None))
    settings = cast(Settings, SimpleNamespace(locator=None))
    assert golden_locator_parity(without, settings, tmp_path, np.stack(FRAMES)) == {}


def bundle_of(classifier: DefectClassifier, anomaly: AnomalyModel, folder: Path) -> Settings:
    """The settings of a bundle of these models' ONNX files."""
    export_classifier(ClassifierWithHeat(classifier, METHOD), folder / "classifier.onnx")
    export_anomaly(anomaly, folder / "anomaly.onnx")
    line = squares_line()
    models = ModelSet(
        line=line,
        locator=None,
        detectors={
            "classifier": DetectorModel(file="classifier.onnx", region="part", classes=CLASSES),
            "anomaly": DetectorModel(file="anomaly.onnx", region="part"),
        },
    )
    scale = HeatScale(cold=0.0, hot=1.0, box_threshold=0.5)
    return Settings.of(
        models,
        calibrations={
            "classifier": TemperatureScaling(temperature=1.0),
            "anomaly": StandardScore(mean=0.0, std=1.0),
        },
        fusion=Fusion(
            regions={
                "part": RegionWeighting(weights=dict.fromkeys(models.detectors, 1.0), intercept=0.0)
            },
            usual=dict.fromkeys(models.detectors, 0.0),
            thresholds=Thresholds(accept_below=0.3, reject_above=0.9),
            evidence={},
        ),
        thresholds={"anomaly": Thresholds(accept_below=0.3, reject_above=0.9)},
        heat=dict.fromkeys(models.detectors, scale),
        evidence={"classifier": {}, "anomaly": {}},
    )


def trained_on(classifier: DefectClassifier, anomaly: AnomalyModel) -> Trained:
    return Trained(ClassifierWithHeat(classifier, METHOD), {"anomaly": anomaly}, None, {}, {}, {})


def anomaly_model(classifier: DefectClassifier, seed: int) -> AnomalyModel:
    normals = draw_crops(4, classes=("normal",), seed=seed).images
    return fit_anomaly_model(
        classifier, normals, kind="filters", n_features=8, shrinkage=0.1,
        score_fraction=0.1, seed=seed,
    )  # fmt: skip


@pytest.fixture(scope="module")
def pair() -> tuple[DefectClassifier, AnomalyModel]:
    classifier = train_on_squares().model.eval()
    return classifier, anomaly_model(classifier, seed=1)


CROPS = {name: draw_crops(2, seed=5).images for name in ("classifier", "anomaly")}


def test_the_exported_detectors_judge_as_the_trained_ones_do(
    pair: tuple[DefectClassifier, AnomalyModel], tmp_path: Path
) -> None:
    settings = bundle_of(*pair, tmp_path)
    reports = golden_parity(trained_on(*pair), settings, tmp_path, CROPS, tolerance=1e-3)
    assert set(reports) == {
        f"{name} on {runtime}" for name in CROPS for runtime in ("onnxruntime", "openvino")
    }
    require_parity(reports, tolerance=1e-3)


@pytest.mark.parametrize("sabotaged", ["classifier", "anomaly"])
def test_another_model_is_not_deployed_for_torch_is_the_reference(
    pair: tuple[DefectClassifier, AnomalyModel], tmp_path: Path, sabotaged: str
) -> None:
    """ONNX held against ONNX would agree with itself, whatever was exported."""
    classifier, anomaly = pair
    if sabotaged == "classifier":
        deployed = (tiny_classifier(seed=3), anomaly)
    else:
        deployed = (classifier, anomaly_model(classifier, seed=2))
    settings = bundle_of(*deployed, tmp_path)
    reports = golden_parity(trained_on(*pair), settings, tmp_path, CROPS, tolerance=1e-3)
    with pytest.raises(InspectionError) as caught:
        require_parity(reports, tolerance=1e-3)
    wrong = {line.split(":")[0] for line in str(caught.value).splitlines()}
    assert wrong == {
        f"parity of {sabotaged} on {runtime}" for runtime in ("onnxruntime", "openvino")
    }
