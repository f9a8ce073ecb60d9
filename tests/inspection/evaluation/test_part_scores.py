import numpy as np

from inspection.evaluation.part_scores import group_by_part, part_scores
from inspection.runtime.detectors import StandardScore, TemperatureScaling
from inspection.runtime.views import DetectorOutput, ViewOutputs

CALIBRATIONS = {
    "classifier": TemperatureScaling(temperature=1.0),
    "anomaly": StandardScore(mean=1.0, std=2.0),
}
HEAT = np.zeros((1, 4, 4), np.float32)


def measured(name: str, p_defect: float | None = 0.1, anomaly: float | None = 1.0) -> ViewOutputs:
    """A view with this probability of a defect and raw anomaly score; None where not located."""
    detectors = {}
    if p_defect is not None:
        detectors["classifier"] = DetectorOutput(np.log([1 - p_defect, p_defect]), HEAT)
    if anomaly is not None:
        detectors["anomaly"] = DetectorOutput(np.array([anomaly]), HEAT)
    return ViewOutputs(name, "", (320, 256), {}, {}, detectors)


def test_views_are_gathered_by_part_in_the_order_of_their_first_view() -> None:
    views = [measured(name) for name in "abcd"]
    parts = group_by_part(views, ["p2", "p1", "p2", "p1"])
    assert {part: [view.name for view in of] for part, of in parts.items()} == {
        "p2": ["a", "c"],
        "p1": ["b", "d"],
    }
    assert list(parts) == ["p2", "p1"]


def test_a_detectors_score_is_that_of_its_worst_view_and_nan_where_no_view_has_one() -> None:
    parts = {
        "a": [measured("1", 0.1, 6.0), measured("2", 0.98, 2.0)],
        "b": [measured("3", 0.1, None)],
    }
    scores = part_scores(parts, CALIBRATIONS)
    np.testing.assert_allclose(scores, [[0.98, 2.5], [0.1, np.nan]], rtol=1e-5)
