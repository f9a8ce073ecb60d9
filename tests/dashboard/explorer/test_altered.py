from pathlib import Path

import numpy as np
import pytest

from dashboard.explorer.alterations import AS_IT_IS, Alteration
from dashboard.explorer.altered import CropDetectors, altered_outputs
from inspection.errors import InspectionError
from inspection.runtime.bundle import read_card
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import judge_view
from inspection.runtime.views import View, ViewOutputs
from tests.bundles import draw_jpeg, make_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def outputs(folder: Path) -> ViewOutputs:
    return Inspector(folder).measure(View("a", draw_jpeg("dent")))


def test_crops_as_they_are_give_what_the_inspector_measures(
    folder: Path, outputs: ViewOutputs
) -> None:
    detectors = CropDetectors(folder, read_card(folder))
    same = altered_outputs(outputs, Alteration(AS_IT_IS), "rod", detectors)
    assert same.detectors.keys() == outputs.detectors.keys()
    for name, output in outputs.detectors.items():
        assert np.array_equal(same.detectors[name].values, output.values)
        assert np.array_equal(same.detectors[name].heat, output.heat)


def test_a_darker_dent_is_taken_for_a_slide(folder: Path, outputs: ViewOutputs) -> None:
    """A spot of 250 is a dent, one of 180 a slide: 51 less make it one."""
    card = read_card(folder)
    detectors = CropDetectors(folder, card)
    assert judge_view(outputs, card).label == "dent"
    darker = altered_outputs(outputs, Alteration("darker"), "rod", detectors)
    assert judge_view(darker, card).label == "slide"
    assert darker.crops["rivet"] is outputs.crops["rivet"]
    assert darker.detectors["anomaly"] is outputs.detectors["anomaly"]


def test_a_region_that_was_not_found_is_not_measured(folder: Path, outputs: ViewOutputs) -> None:
    detectors = CropDetectors(folder, read_card(folder))
    assert set(detectors.measure({"rivet": outputs.crops["rivet"]})) == {"anomaly"}


def test_a_model_that_was_exchanged_is_refused(folder: Path) -> None:
    (folder / "classifier.onnx").write_bytes(b"other")
    with pytest.raises(InspectionError, match="its hash is not the one on the card"):
        CropDetectors(folder, read_card(folder))
