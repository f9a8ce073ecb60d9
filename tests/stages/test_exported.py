import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from inspection.geometry import Image
from inspection.models.anomaly import fit_anomaly_model
from inspection.models.cam import ClassifierWithHeat
from inspection.models.export import share_a_trunk
from inspection.models.locator import Locator
from inspection.runtime.bundle import ModelSet
from inspection.runtime.inspector import Measurement
from inspection.runtime.sessions import OnnxSession
from inspection.runtime.views import DetectorOutput, View
from stages.exported import Trained, export_models
from tests.lines import squares_line
from tests.networks import tiny_classifier, train_on_squares
from tests.pictures import encoded
from tests.squares import CLASSES, SIZE_PX, draw_crop, draw_crops


@pytest.fixture(scope="module")
def trained() -> Trained:
    classifier = train_on_squares().model.eval()
    normals = draw_crops(4, classes=("normal",)).images
    anomaly = fit_anomaly_model(
        classifier, normals, kind="filters", n_features=8, shrinkage=0.1, score_fraction=0.1, seed=0
    )
    cam = ClassifierWithHeat(classifier, "gradcam")
    return Trained(cam, {"anomaly": anomaly}, None, {}, {}, {})


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
    located = Trained(trained.classifier, trained.anomalies, Locator(1).eval(), settings, {}, {})
    models = export_models(located, squares_line(), tmp_path)
    assert models.locator is not None
    assert (models.locator.file, models.locator.size_px) == ("locator.onnx", (64, 48))
    assert models.files == {path.name for path in tmp_path.glob("*.onnx")}


@pytest.fixture(
    scope="module",
    params=[(True, "padim"), (False, "padim"), (False, "patchcore"), (True, "dfm")],
    ids=lambda param: f"{param[1]} {'mirrored' if param[0] else 'as it is'}",
)
def on_one_trunk(request: pytest.FixtureRequest) -> Trained:
    """Both detectors look at the whole crop through a backbone that knows photographs."""
    is_mirrored, name = request.param
    classifier = tiny_classifier(
        weights="packaged", brightness_damping=0.0, mirror_average=is_mirrored
    )
    anomaly = fit_anomaly_model(
        classifier,
        draw_crops(6, classes=("normal",)).images,
        kind="classifier", n_features=8, shrinkage=0.1, score_fraction=0.1, seed=0, model=name,
    )  # fmt: skip
    cam = ClassifierWithHeat(classifier, "gradcam")
    return Trained(cam, {"anomaly": anomaly}, None, {}, {}, {})


def test_detectors_on_one_trunk_are_one_model_that_says_what_two_would(
    on_one_trunk: Trained, tmp_path: Path
) -> None:
    models = export_models(on_one_trunk, squares_line(), tmp_path)
    crop, _ = draw_crop("bright", seed=7)
    measured = Measurement(tmp_path, models).measure(View("a", encoded(crop))).detectors

    assert models.files == {"detectors.onnx"}
    with torch.inference_mode():
        alone = {
            "classifier": on_one_trunk.classifier(torch.tensor(crop[None])),
            "anomaly": on_one_trunk.anomalies["anomaly"](torch.tensor(crop[None])),
        }
    for name, (values, heat) in alone.items():
        wanted = DetectorOutput.of(values[0].numpy(), heat[0].numpy())
        np.testing.assert_allclose(measured[name].values, wanted.values, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(measured[name].heat, wanted.heat, rtol=1e-2, atol=1e-3)


def test_a_model_that_two_detectors_share_is_checked_by_one_run(
    on_one_trunk: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = export_models(on_one_trunk, squares_line(), tmp_path)
    measurement = Measurement(tmp_path, models)
    runs: list[tuple[int, ...]] = []

    def counted(session: OnnxSession, image: Image) -> Sequence[Any]:
        runs.append(image.shape)
        return run(session, image)

    run = OnnxSession.run
    monkeypatch.setattr(OnnxSession, "run", counted)
    measurement.self_check()
    assert len(models.detectors) == 2
    assert len(runs) == 1


def test_an_anomaly_model_of_another_region_is_a_model_of_its_own(
    on_one_trunk: Trained, tmp_path: Path
) -> None:
    part = squares_line().regions["part"].model_dump()
    regions = {"part": part, "again": part | {"shows": []}}
    line = squares_line(regions=regions, detect_anomalies=["again", "part"])
    anomaly = on_one_trunk.anomalies["anomaly"]
    both = {"anomaly_again": anomaly, "anomaly_part": anomaly}
    models = export_models(dataclasses.replace(on_one_trunk, anomalies=both), line, tmp_path)

    assert models.files == {"detectors.onnx", "anomaly_again.onnx"}
    crop, _ = draw_crop("bright", seed=7)
    seen = Measurement(tmp_path, models).measure(View("a", encoded(crop))).detectors
    assert list(seen) == ["classifier", "anomaly_again", "anomaly_part"]
    np.testing.assert_allclose(seen["anomaly_again"].values, seen["anomaly_part"].values, rtol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"brightness_damping": 0.5},
        {"centre_fraction": (0.5, 1.0)},
        {"mean": (10.0,)},
    ],
)
def test_detectors_that_are_shown_another_picture_stay_two(
    on_one_trunk: Trained, changes: dict[str, Any]
) -> None:
    classifier = tiny_classifier(**{"weights": "packaged", "brightness_damping": 0.0} | changes)
    anomaly = on_one_trunk.anomalies["anomaly"]
    assert not share_a_trunk(ClassifierWithHeat(classifier, "gradcam"), anomaly)


def test_a_file_that_two_detectors_share_reads_one_region(
    on_one_trunk: Trained, tmp_path: Path
) -> None:
    models = export_models(on_one_trunk, squares_line(), tmp_path).model_dump()
    models["detectors"]["anomaly"]["region"] = "elsewhere"
    with pytest.raises(ValidationError, match="same region"):
        ModelSet.model_validate(models)
