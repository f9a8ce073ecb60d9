from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from inspection.errors import InspectionError
from inspection.evaluation.auroc import anomaly_measures, class_auroc
from inspection.evaluation.cam_truth import cam_truth
from inspection.evaluation.classification import (
    classification,
    confusion_rows,
    macro_f1_bound,
)
from inspection.evaluation.costs import Costs
from inspection.evaluation.metrics import (
    outcomes,
    totals,
    verdict_table,
)
from inspection.evaluation.metrics import test_metrics as fold_metrics
from inspection.geometry import CropWindow
from inspection.models.crops import Crops
from inspection.parts import f1_by_class
from inspection.runtime.bundle import Card
from inspection.runtime.views import DetectorOutput, ViewOutputs
from tests.bundles import make_bundle, sample_settings

SETTINGS = sample_settings()
LINE = SETTINGS.line
WINDOWS = {
    "rod": CropWindow(0, 0, 160, 80, size_px=(160, 80)),
    "rivet": CropWindow(0, 0, 80, 80, size_px=(80, 80)),
}
NORMAL, DENT, MAYBE = (0.9, 0.05, 0.05), (0.02, 0.9, 0.08), (0.5, 0.1, 0.4)
TABLE = pd.DataFrame(
    {
        "label": [*["normal"] * 4, *["dent"] * 3, "slide", "under_press"],
        "verdict": [
            *["pass", "pass", "review", "reject"],
            *["reject", "pass", "review"],
            "pass",
            "reject",
        ],
        "classified": [*["normal", "normal", "dent", "normal"], "dent", "normal", "slide",
                       "slide", "dent"],
        "classifier": [0.1, 0.2, 0.5, 0.3, 0.9, 0.1, 0.6, 0.2, 0.4],
        "anomaly": [0.0, 1.0, 0.5, 3.0, np.nan, 0.2, 0.4, 0.1, 2.0],
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    folder: Path = tmp_path_factory.mktemp("bundle")
    return make_bundle(folder)


def measured(
    name: str, probabilities: Sequence[float] | None = NORMAL, anomaly: float | None = 0.0
) -> ViewOutputs:
    """A view with these class probabilities and this anomaly score; None where not located."""
    cold = np.full((2, 20, 40), -9, np.float32)
    windows, detectors = {}, {}
    if probabilities is not None:
        windows["rod"] = WINDOWS["rod"]
        detectors["classifier"] = DetectorOutput(np.log(probabilities), cold)
    if anomaly is not None:
        windows["rivet"] = WINDOWS["rivet"]
        detectors["anomaly"] = DetectorOutput(np.array([anomaly]), cold[:1])
    return ViewOutputs(name, "", (320, 256), windows, {}, detectors)


def test_outcomes_have_one_row_per_part(card: Card) -> None:
    parts = {
        "good": [measured("1"), measured("2")],
        "bad": [measured("3"), measured("4", DENT)],
        "unsure": [measured("5", MAYBE)],
        "pressed": [measured("6", NORMAL, 9.0)],
        "hidden": [measured("7", None)],
    }
    labels = {"good": "normal", "bad": "dent", "unsure": "slide", "pressed": "under_press",
              "hidden": "normal"}  # fmt: skip
    table = outcomes(parts, labels, card).set_index("part_id")
    assert table["verdict"].tolist() == ["pass", "reject", "review", "reject", "review"]
    assert table["named"].tolist() == ["normal", "dent", "slide", "under_press", "not_found"]
    assert table["classified"].tolist() == ["normal", "dent", "normal", "normal", "not_found"]
    assert table["worst_view"].tolist()[1:] == ["4", "5", "6", "7"]
    assert table["n_views"].tolist() == [2, 2, 1, 1, 1]
    assert table["label"].to_dict() == labels


def test_verdicts_by_class_counted_by_hand() -> None:
    found = verdict_table(TABLE, SETTINGS)
    dent = found["dent"]
    assert [dent[key] for key in ("n_parts", "pass", "review", "reject", "escapes")] == [
        3, 1, 1, 1, 1
    ]  # fmt: skip
    assert dent["rate"] == pytest.approx(1 / 3)
    assert dent["upper_bound"] == pytest.approx(0.8647, abs=1e-4)  # 1 of 3, Clopper-Pearson
    normal = found["normal"]
    assert (normal["overkill"], normal["rate"], normal["auroc"]) == (1, 0.25, None)
    assert "escapes" not in normal


def test_totals_counted_by_hand() -> None:
    found = totals(TABLE, LINE)
    assert (found["n_defective"], found["escapes"], found["escape_rate"]) == (5, 2, 0.4)
    assert (found["n_normal"], found["overkill"], found["overkill_rate"]) == (4, 1, 0.25)
    assert (found["n_parts"], found["reviewed"]) == (9, 2)
    assert found["review_rate"] == pytest.approx(2 / 9)


def test_a_class_without_parts_has_no_rate_rather_than_a_good_one() -> None:
    found = verdict_table(TABLE[TABLE["label"] == "normal"], SETTINGS)["dent"]
    assert (found["n_parts"], found["rate"], found["upper_bound"], found["auroc"]) == (
        0, None, None, None
    )  # fmt: skip


def test_auroc_is_that_of_scikit_learn_by_the_detector_that_sees_the_defect() -> None:
    expected = roc_auc_score([0, 0, 0, 0, 1, 1, 1], TABLE["classifier"][:7])
    assert class_auroc(TABLE, "dent", SETTINGS) == pytest.approx(expected)
    by_anomaly = roc_auc_score([0, 0, 0, 0, 1], [0.0, 1.0, 0.5, 3.0, 2.0])
    assert class_auroc(TABLE, "under_press", SETTINGS) == pytest.approx(by_anomaly)
    found = anomaly_measures(TABLE, SETTINGS)
    assert found["anomaly_auroc"] == pytest.approx(by_anomaly)
    assert (found["anomaly_n_defective"], found["anomaly_n_normal"]) == (1, 4)


def test_there_is_no_auroc_without_parts_of_either_kind() -> None:
    assert class_auroc(TABLE[TABLE["label"] != "normal"], "dent", SETTINGS) is None
    for table in (TABLE[TABLE["label"] == "normal"], TABLE[:0]):
        found = anomaly_measures(table, SETTINGS)
        assert (found["anomaly_auroc"], found["anomaly_auroc_lower_bound"]) == (None, None)


def test_the_classifier_is_judged_on_what_its_region_can_show() -> None:
    found = classification(TABLE, LINE)
    assert found["classes"] == ["normal", "dent", "slide"]
    assert found["confusion"] == [[3, 2, 0], [1, 1, 1], [0, 0, 1]]
    assert found["macro_f1"] == pytest.approx((6 / 9 + 2 / 6 + 2 / 3) / 3)


def test_the_cost_stands_beside_that_of_reviewing_all_and_is_counted_by_hand() -> None:
    costs = Costs(escape_cost=100, overkill_cost=1, review_cost=0.3, defect_rate=0.1)
    on_bad, on_good = (2 * 100 + 0.3) / 5, (0.3 + 1) / 4
    cost = fold_metrics(TABLE, SETTINGS, costs)["cost"]
    assert cost["line"]["value"] == pytest.approx(0.1 * on_bad + 0.9 * on_good)
    assert cost["review_all"] == 0.3
    assert not cost["beats_review_all"]


def with_heat(outputs: ViewOutputs, heat: np.ndarray) -> ViewOutputs:
    output = replace(outputs.detectors["classifier"], heat=heat)
    return replace(outputs, detectors=outputs.detectors | {"classifier": output})


def test_heat_is_judged_only_where_the_defect_is_truly_predicted_and_its_place_known(
    card: Card,
) -> None:
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
    assert cam_truth(parts, card, crops) == pytest.approx(
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
    assert cam_truth({"good": parts["good"]}, card, crops) == {"n": 0, "n_parts": 0}


def test_the_confusion_is_of_labels_as_seen_in_the_classifiers_region() -> None:
    rows = confusion_rows(TABLE, LINE)
    assert list(rows["actual"]) == [*["normal"] * 4, *["dent"] * 3, "slide", "normal"]
    assert list(rows["predicted"]) == list(TABLE["classified"])


def test_a_part_that_was_not_found_is_not_counted_as_rightly_classified() -> None:
    blind = TABLE.assign(classified=["not_found", *TABLE["classified"][1:]])
    found = classification(blind, LINE)
    assert (found["n_parts"], found["n_not_found"]) == (8, 1)
    assert found["confusion"][0] == [2, 2, 0]
    assert found["macro_f1"] < classification(TABLE, LINE)["macro_f1"]


def test_a_macro_f1_bound_is_seldom_above_the_truth() -> None:
    sizes = np.array([40, 12, 12])
    shares = np.array([[0.95, 0.05, 0.0], [0.1, 0.85, 0.05], [0.0, 0.1, 0.9]])
    truth = f1_by_class(sizes[:, None] * shares).mean()
    draws = np.random.default_rng(0)
    tables = (
        np.stack([draws.multinomial(n, row) for n, row in zip(sizes, shares, strict=True)])
        for _ in range(200)
    )
    bounds = np.array([macro_f1_bound(table) for table in tables])
    assert np.mean(bounds > truth) <= 0.05
    assert np.median(bounds) > truth - 0.15


def test_a_perfect_macro_f1_is_bounded_the_closer_the_more_parts_there_are() -> None:
    bounds = [macro_f1_bound(np.diag([4 * n, n, n])) for n in (1, 5, 25)]
    assert 0 < bounds[0] < bounds[1] < bounds[2] < 1


def test_a_class_without_parts_and_predictions_leaves_the_bound_as_it_is() -> None:
    table = np.array([[20, 1, 0], [2, 8, 0], [0, 0, 0]])
    assert macro_f1_bound(table) == macro_f1_bound(table[:2, :2])


def test_a_classifier_that_saw_no_test_part_is_no_classifier_of_nan() -> None:
    with pytest.raises(InspectionError, match="found in none of 9 test parts"):
        classification(TABLE.assign(classified="not_found"), LINE)
