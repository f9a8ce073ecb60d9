from typing import Any

import pytest

from inspection.runtime.heat_recipes import heat_recipe
from tests.bundles import sample_settings


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ({"method": "gradcam", "layer": "fused", "score": 0.7}, "gradcam on fused"),
        ({"features": "filters", "val_auroc": 0.9}, "padim on filters features"),
        ({"method": "drawn"}, "not named"),
        ({}, "not named"),
    ],
)
def test_a_detector_names_how_its_heat_is_made(evidence: dict[str, Any], expected: str) -> None:
    detector = sample_settings().detectors["classifier"].model_copy(update={"evidence": evidence})
    assert heat_recipe(detector) == expected
