from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from inspection.evaluation.cam_truth import cam_truth
from inspection.models.crops import Crops
from inspection.runtime.views import ViewOutputs
from tests.inspection.evaluation.test_metrics import DENT, NORMAL, SETTINGS, measured


def with_heat(outputs: ViewOutputs, heat: np.ndarray) -> ViewOutputs:
    output = replace(outputs.detectors["classifier"], heat=heat)
    return replace(outputs, detectors=outputs.detectors | {"classifier": output})


def test_heat_is_judged_only_where_the_defect_is_truly_predicted_and_its_place_known() -> None:
    on_defect, elsewhere = np.zeros((2, 20, 40), np.float32), np.zeros((2, 20, 40), np.float32)
    on_defect[0, 10, 20] = elsewhere[0, 2, 3] = elsewhere[1, 10, 20] = 1.0
    parts = {
        "hit": [with_heat(measured("hit", DENT), on_defect)],
        "dents": [
            with_heat(measured("hit too", DENT), on_defect),
            with_heat(measured("miss", DENT), elsewhere),
            with_heat(measured("unmarked", DENT), elsewhere),
            with_heat(measured("taken for normal", NORMAL), elsewhere),
            measured("not found", None),
        ],
        "good": [with_heat(measured("normal", NORMAL), elsewhere)],
    }
    index = pd.DataFrame({"path": [view.name for views in parts.values() for view in views]})
    index["label"] = ["dent"] * 6 + ["normal"]
    index["target"] = ["mask", "mask", "mask", "unknown", "mask", "mask", "normal"]
    targets = np.zeros((7, 20, 40), np.uint8)
    targets[:6, 9:12, 19:22] = 255
    crops = Crops(np.zeros((7, 80, 160, 1), np.uint8), targets, index)
    assert cam_truth(parts, SETTINGS, crops) == pytest.approx(
        {
            "n": 3,
            "n_parts": 2,
            "pointing": 2 / 3,
            "pointing_lower_bound": 1 - 0.95**0.5,
            "pointing_of_centre": 1.0,
            "energy": 2 / 3,
            "edge": 0.0,
        }
    )
    # Of two parts, one miss or fewer has probability 5 % at a hit rate of 1 - sqrt(0.95).
    assert cam_truth({"good": parts["good"]}, SETTINGS, crops) == {"n": 0, "n_parts": 0}
