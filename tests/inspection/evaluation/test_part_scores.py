from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from inspection.evaluation.metrics import outcomes
from inspection.evaluation.part_scores import (
    OUT_OF_FOLD,
    group_by_part,
    out_of_fold_parts,
    out_of_fold_table,
    part_scores,
    read_out_of_fold,
    view_scores,
)
from inspection.runtime.detectors import StandardScore, TemperatureScaling, score_names
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import decide
from inspection.runtime.views import DetectorOutput, View, ViewOutputs
from inspection.storage import write_table
from tests.bundles import draw_part, make_bundle
from tests.pictures import encoded

CALIBRATIONS = {
    "classifier": TemperatureScaling(temperature=1.0),
    "anomaly": StandardScore(mean=1.0, std=2.0),
}
HEAT = np.zeros((1, 4, 4), np.float32)


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    folder = tmp_path_factory.mktemp("bundle")
    make_bundle(folder)
    return Inspector(folder)


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


def test_a_score_is_that_of_the_worst_view_and_nan_where_a_view_lacks_its_region(
    inspector: Inspector,
) -> None:
    """A part is defective where the rod is, by the classifier, or the rivet, by the other."""
    parts = {
        "a": [measured("1", 0.1, 1.5), measured("2", 0.9, 0.5)],
        "b": [measured("3", 0.1, None), measured("4", 0.2, 1.5)],
    }
    scores = part_scores(parts, inspector.card)
    fused = 1 - 0.1 / (1 + np.exp(-3.0 + 2 * 0.5))
    np.testing.assert_allclose(scores, [[fused, 0.9, 1.5], [np.nan, 0.2, np.nan]], rtol=1e-5)


def test_views_have_the_scores_of_the_detectors_whose_region_was_found() -> None:
    scores = view_scores([measured("1", 0.98, 6.0), measured("2", None, 2.0)], CALIBRATIONS)
    np.testing.assert_allclose(scores, [[0.98, 2.5], [np.nan, 0.5]], rtol=1e-5)


def frame(*, defect: str = "normal", hidden: str | None = None) -> View:
    """A drawn view, with one of its regions blackened."""
    drawn = draw_part(defect)
    if hidden == "rivet":
        drawn[:, 200:] = 0
    if hidden == "rod":
        drawn[:, :200] = 0
    return View(f"{defect}, {hidden}", encoded(drawn))


PART_OF = {
    "whole": [frame(), frame()],
    "one view without the rivet": [frame(), frame(hidden="rivet")],
    "no view with the rivet": [frame(hidden="rivet"), frame(hidden="rivet")],
    "one view without the rod": [frame(hidden="rod"), frame()],
    "dented, one view without the rivet": [frame(defect="dent"), frame(hidden="rivet")],
    "dented, one view without the rod": [frame(defect="dent"), frame(hidden="rod")],
    "loose, one view without the rivet": [frame(defect="under_press"), frame(hidden="rivet")],
}
VERDICTS = {
    "whole": "pass",
    "one view without the rivet": "review",
    "no view with the rivet": "review",
    "one view without the rod": "review",
    "dented, one view without the rivet": "reject",
    "dented, one view without the rod": "reject",
    "loose, one view without the rivet": "reject",
}


@pytest.mark.parametrize("kind", PART_OF)
def test_stage_claim_and_service_agree_on_a_part_of_which_a_view_lacks_a_region(
    inspector: Inspector, kind: str
) -> None:
    card = inspector.card
    served = inspector.inspect(PART_OF[kind])
    parts = {kind: [inspector.measure(view) for view in PART_OF[kind]]}
    assert served.verdict == VERDICTS[kind]

    (row,) = outcomes(parts, {kind: "normal"}, card).itertuples()
    assert row.verdict == served.verdict

    names = score_names(card.line)
    columns = [names.index(name) for name in card.thresholds]
    scores = part_scores(parts, card)[:, columns]
    (claimed,) = decide(scores, list(card.thresholds.values()))
    assert (claimed == "pass") == (served.verdict == "pass")


def test_scores_out_of_fold_are_those_of_parts_as_a_service_measures_them(tmp_path: Path) -> None:
    views = pd.DataFrame(
        {
            "view_id": ["1", "2", "3", "4"],
            "path": ["a", "b", "c", "d"],
            "part_id": ["p", "p", "q", "r"],
            "image_sha256": ["s1", "s2", "s3", "s4"],
            "width_px": 320,
            "height_px": 256,
        }
    )
    odds = np.array([[0.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
    raw = np.array([[1.0], [3.0], [5.0], [7.0]])
    write_table(tmp_path / OUT_OF_FOLD, out_of_fold_table(views.iloc[:3], odds))
    classifier = read_out_of_fold(tmp_path)
    assert classifier is not None
    # the region of the classifier was not found in the view of part r
    tables = {"classifier": classifier, "anomaly": out_of_fold_table(views, raw)}

    parts = out_of_fold_parts(views, tables)
    scores = view_scores([view for views in parts.values() for view in views], CALIBRATIONS)
    assert list(parts) == ["p", "q", "r"]
    assert [view.name for view in parts["p"]] == ["a", "b"]
    expected = [0.5, 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(1)), np.nan]
    np.testing.assert_allclose(scores[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(scores[:, 1], [0.0, 1.0, 2.0, 3.0])


def test_a_model_that_was_trained_without_has_no_scores_out_of_fold(tmp_path: Path) -> None:
    assert read_out_of_fold(tmp_path) is None
