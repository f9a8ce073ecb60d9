import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from dashboard.explorer.heats import (
    LIKELIEST,
    Epoch,
    deployed_heat,
    epoch_output,
    epochs_of,
    hottest_place_px,
    recipe_heats,
    recipes_of,
    shown,
)
from dashboard.pictures import ORANGE
from inspection.errors import InspectionError
from inspection.models.cam import ClassifierWithHeat, layer_names
from inspection.models.classifier import save_classifier, weights_of_epoch
from inspection.models.epochs import epoch_file
from inspection.runtime.bundle import Card
from inspection.runtime.views import DetectorOutput
from inspection.storage import write_bytes, write_json
from tests.bundles import make_bundle
from tests.networks import tiny_classifier

ROOT = Path(__file__).parents[3]
CROP = np.full((80, 160, 1), 90, np.uint8)


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return make_bundle(tmp_path / "bundle")


def test_the_recipes_are_those_that_the_stage_tried(tmp_path: Path) -> None:
    assert recipes_of(tmp_path / "table.csv") == []
    (tmp_path / "table.csv").write_text(
        "method,layer,exportable,score,cold,hot,box_threshold\nlayercam,stage2,False,0.5,0,2,0.3\n"
    )
    (recipe,) = recipes_of(tmp_path / "table.csv")
    assert (recipe.name, recipe.cold, recipe.hot) == ("layercam on stage2", 0, 2)


def test_a_line_without_marks_has_no_recipes(tmp_path: Path) -> None:
    """As stage evaluate_cam writes a table to which no placed defect has given a row."""
    nothing = pd.DataFrame([])
    nothing.to_csv(tmp_path / "table.csv", index=False)
    assert recipes_of(tmp_path / "table.csv") == []


def test_each_class_has_the_heat_of_its_own_map_on_the_cards_scale(card: Card) -> None:
    """The card's scale runs from -2 to 3; the likeliest defect is a slide."""
    heat = np.stack([np.full((2, 2), 0.5), np.full((2, 2), 3.0)]).astype(np.float32)
    output = DetectorOutput(np.array([0, 1, 2], np.float32), heat)
    assert deployed_heat(output, card, "dent").max() == pytest.approx(0.5)
    assert deployed_heat(output, card, "slide").max() == 1.0
    assert deployed_heat(output, card, LIKELIEST).max() == 1.0


def test_what_reaches_the_threshold_is_boxed() -> None:
    heat = np.zeros((20, 40), np.float32)
    heat[4:12, 8:20] = 0.6
    one = shown(CROP, heat, 0.5)
    assert one.n_boxes == 1
    assert one.peak == pytest.approx(0.6)
    assert tuple(one.picture[16, 50]) == ORANGE
    assert shown(CROP, heat, 0.7).n_boxes == 0


def test_the_hottest_place_is_the_middle_of_its_cell_in_pixels_of_the_crop() -> None:
    heat = np.zeros((20, 40), np.float32)
    heat[5, 10] = 1
    assert hottest_place_px(heat, (160, 80)) == (42, 22)


def test_the_recipe_that_is_deployed_gives_the_deployed_heat(card: Card, tmp_path: Path) -> None:
    """gradcam on the fused features, by grad-cam itself and by the graph's closed form."""
    model = tiny_classifier(classes=("normal", "dent", "slide"), size_px=(160, 80))
    save_classifier(model, tmp_path)
    crop = np.random.default_rng(0).integers(0, 255, CROP.shape).astype(np.uint8)
    with torch.inference_mode():
        values, heat = ClassifierWithHeat(model, "gradcam")(torch.tensor(crop[None]))
    output = DetectorOutput.of(values[0].numpy(), heat[0].numpy())

    for number, label in enumerate(("dent", "slide")):
        found = recipe_heats(tmp_path, crop, output, card, label)
        assert {layer for _, layer in found} == set(layer_names(model))
        assert found["gradcam", "fused"] == pytest.approx(output.heat[number], abs=1e-5)


def test_a_classifier_of_other_classes_is_refused(card: Card, tmp_path: Path) -> None:
    save_classifier(tiny_classifier(), tmp_path)
    output = DetectorOutput.of(np.zeros(3, np.float32), np.zeros((2, 2, 2), np.float32))
    with pytest.raises(InspectionError, match="assembled last"):
        recipe_heats(tmp_path, CROP, output, card, "dent")


def test_the_epochs_are_those_that_were_kept_by_the_recipe_that_was_chosen(
    card: Card, tmp_path: Path
) -> None:
    write_bytes(epoch_file(tmp_path, 12), b"")
    write_bytes(epoch_file(tmp_path, 7), b"")
    assert epochs_of(tmp_path, tmp_path / "recipe.json") == []
    write_json(tmp_path / "recipe.json", {"method": "layercam", "layer": "fused"})
    names = [epoch.name for epoch in epochs_of(tmp_path, tmp_path / "recipe.json")]
    assert names == ["epoch 7, layercam on fused", "epoch 12, layercam on fused"]


def test_an_epoch_says_what_its_own_classifier_says(card: Card, tmp_path: Path) -> None:
    shape = {"classes": ("normal", "dent", "slide"), "size_px": (160, 80)}
    earlier = tiny_classifier(seed=2, **shape)
    save_classifier(tiny_classifier(seed=1, **shape), tmp_path)
    write_bytes(epoch_file(tmp_path, 7), weights_of_epoch(earlier))
    crop = np.random.default_rng(0).integers(0, 255, CROP.shape).astype(np.uint8)
    with torch.inference_mode():
        values, heat = ClassifierWithHeat(earlier, "hirescam")(torch.tensor(crop[None]))
    found = epoch_output(tmp_path, Epoch(7, "hirescam", "fused"), crop, card)
    np.testing.assert_array_equal(found.values, values[0].numpy())
    np.testing.assert_array_equal(found.heat, heat[0].numpy())


def test_an_epoch_of_other_classes_is_refused(card: Card, tmp_path: Path) -> None:
    save_classifier(tiny_classifier(), tmp_path)
    write_bytes(epoch_file(tmp_path, 7), weights_of_epoch(tiny_classifier()))
    with pytest.raises(InspectionError, match="assembled last"):
        epoch_output(tmp_path, Epoch(7, "gradcam", "fused"), CROP, card)


def test_to_list_epochs_needs_no_torch() -> None:
    code = (
        "import sys, dashboard.explorer.compare as compare\n"
        "compare.epochs_of(compare.CLASSIFIER, compare.CHOSEN)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
