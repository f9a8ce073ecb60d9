import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from inspection.models.cam import EXPORTABLE, METHODS
from inspection.models.classifier import DefectClassifier, save_classifier
from inspection.models.compiled import compiled
from inspection.models.crops import Crops, save_crops
from stages import evaluate_cam
from tests.lines import run_stage
from tests.networks import train_on_squares
from tests.squares import draw_crops


def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, model: DefectClassifier, crops: Crops
) -> dict[str, Any]:
    """Run the stage; returns the recipe that it chose."""
    save_crops(folder / "crops", "part", crops)
    save_classifier(model, folder / "classifier")
    run_stage(
        evaluate_cam,
        folder,
        monkeypatch,
        params={"evaluate_cam": {"gallery_size": 3}},
        crops="crops",
        classifier="classifier",
        out="cam",
        metrics="evaluate_cam.json",
    )
    return json.loads((folder / "cam" / "recipe.json").read_text())


def test_the_recipe_points_at_the_squares_and_can_be_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = run(tmp_path, monkeypatch, train_on_squares().model, draw_crops(4, fold="val"))
    table = pd.read_csv(tmp_path / "cam" / "table.csv")
    assert recipe["n_defects"] == 16
    assert len(table) == len(METHODS) * 4
    assert recipe["method"] in EXPORTABLE
    assert recipe["layer"] == "fused"
    assert recipe["score"] == pytest.approx(table["score"][table["exportable"]].max(), abs=1e-5)
    assert recipe["pointing"] >= 0.9
    assert recipe["hot"] > recipe["cold"] >= 0


def test_the_gallery_shows_crops_beside_their_heat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, monkeypatch, train_on_squares().model, draw_crops(4, fold="val"))
    gallery = tmp_path / "cam" / "gallery"
    entries = json.loads((gallery / "index.json").read_text())
    assert len(entries) == 3
    assert {entry["label"] for entry in entries} == {"bright", "dark"}
    for entry in entries:
        assert cv2.imread(str(gallery / entry["file"])).shape == (64, 64, 3)


def test_where_no_defect_is_marked_the_recipe_is_the_default_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    crops = draw_crops(2, fold="val")
    crops.index.loc[crops.index["target"] == "box", "target"] = "unknown"
    recipe = run(tmp_path, monkeypatch, train_on_squares().model, crops)
    assert (recipe["method"], recipe["layer"], recipe["n_defects"]) == ("gradcam", "fused", 0)
    assert recipe["chosen_by"].startswith("default: no val defect")
    assert "its truth is not measured" in caplog.text

    # its defects are shown all the same, on a scale that rests on them
    entries = json.loads((tmp_path / "cam" / "gallery" / "index.json").read_text())
    assert {entry["label"] for entry in entries} == {"bright", "dark"}
    assert recipe["hot"] > 2.1 * recipe["cold"]


def test_predictions_are_class_numbers() -> None:
    crops = draw_crops(2)
    model = train_on_squares().model
    stages_of = compiled(model, "stages", model.architecture.size_px)
    predicted = evaluate_cam.predict(model, crops, stages_of)
    np.testing.assert_array_equal(predicted, [0, 0, 1, 1, 2, 2] * 2)
    assert len(evaluate_cam.predict(model, crops.rows([]), stages_of)) == 0
