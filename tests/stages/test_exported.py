from pathlib import Path

import numpy as np
import pytest

from inspection.models.anomaly import fit_anomaly_model
from inspection.models.cam import ClassifierWithHeat
from inspection.models.locator import Locator
from inspection.runtime.inspector import Measurement
from inspection.runtime.views import View
from stages.exported import Trained, export_models
from tests.lines import squares_line
from tests.networks import train_on_squares
from tests.pictures import encoded
from tests.squares import CLASSES, SIZE_PX, draw_crop, draw_crops


@pytest.fixture(scope="module")
def trained() -> Trained:
    classifier = train_on_squares().model.eval()
    normals = draw_crops(4, classes=("normal",)).images
    anomaly = fit_anomaly_model(
        classifier, normals, kind="filters", n_features=8, shrinkage=0.1, score_fraction=0.1, seed=0
    )
    return Trained(ClassifierWithHeat(classifier, "gradcam"), anomaly, None, {}, {}, {})


def test_exported_models_measure_a_view_before_any_threshold_is_known(
    trained: Trained, tmp_path: Path
) -> None:
    models = export_models(trained, squares_line(), tmp_path)
    crop, _ = draw_crop("bright", seed=7)
    measured = Measurement(tmp_path, models).measure(View("a", encoded(crop)))

    assert models.files == {"classifier.onnx", "anomaly.onnx"}
    np.testing.assert_array_equal(measured.crops["part"], crop)
    classifier, anomaly = measured.detectors["classifier"], measured.detectors["anomaly"]
    assert CLASSES[int(classifier.values.argmax())] == "bright"
    assert classifier.heat.shape == (2, SIZE_PX[1] // 4, SIZE_PX[0] // 4)
    assert (anomaly.values.shape, anomaly.heat.shape[0]) == ((1,), 1)


def test_a_located_region_brings_its_locator_along(trained: Trained, tmp_path: Path) -> None:
    settings = {"regions": ["part"], "size_px": [64, 48]}
    located = Trained(trained.classifier, trained.anomaly, Locator(1).eval(), settings, {}, {})
    models = export_models(located, squares_line(), tmp_path)
    assert models.locator is not None
    assert (models.locator.file, models.locator.size_px) == ("locator.onnx", (64, 48))
    assert models.files == {path.name for path in tmp_path.glob("*.onnx")}
