import dataclasses
from typing import Any

import numpy as np
import pytest

from inspection.geometry import CropWindow
from inspection.runtime.detectors import StandardScore, Thresholds
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import (
    decide,
    judge_part,
    judge_view,
    scores_of,
    verdict_alone,
    worst,
)
from inspection.runtime.views import DetectorOutput, View, ViewOutputs
from tests.bundles import (
    UNUSUAL,
    changed_detector,
    changed_thresholds,
    draw_part,
    make_bundle,
    settings_of_two_anomaly_regions,
)
from tests.pictures import encoded

PASS, REVIEW, REJECT = "pass", "review", "reject"
NAN = float("nan")


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    folder = tmp_path_factory.mktemp("bundle")
    make_bundle(folder)
    return Inspector(folder)


def view(defect: str = "normal", *, name: str = "top", **place: tuple[int, int]) -> View:
    return View(name, encoded(draw_part(defect, **place)))


def test_the_worst_verdict_is_the_most_severe_one() -> None:
    assert worst([PASS, REVIEW]) == REVIEW
    assert worst([REVIEW, REJECT, PASS]) == REJECT


def test_a_part_gets_the_worst_verdict_of_its_detectors_and_review_where_a_score_is_missing() -> (
    None
):
    limits = [Thresholds(accept_below=1.0, reject_above=2.0)] * 2
    scores = np.array([[0.0, 0.0], [0.0, 1.5], [3.0, 1.5], [0.0, NAN], [3.0, NAN]])
    assert decide(scores, limits) == [PASS, REVIEW, REJECT, REVIEW, REJECT]


def with_output(outputs: ViewOutputs, detector: str, values: Any, heat: Any = None) -> ViewOutputs:
    """The outputs with other values, and other heat where given, of a detector."""
    before = outputs.detectors[detector]
    output = DetectorOutput(np.asarray(values), before.heat if heat is None else heat)
    return dataclasses.replace(outputs, detectors=outputs.detectors | {detector: output})


def scored(classifier: float, anomaly: float, name: str = "top") -> ViewOutputs:
    """What is measured where the classifier's P(slide) and the anomaly score are as given."""
    logits = np.log(np.array([1 - classifier, 1e-9, classifier]))
    cold = np.full((2, 10, 10), -9, np.float32)
    windows = {region: CropWindow(0, 0, 80, 80, size_px=(80, 80)) for region in ("rod", "rivet")}
    detectors = {
        "classifier": DetectorOutput(logits, cold),
        "anomaly": DetectorOutput(np.array([anomaly]), cold[:1]),
    }
    return ViewOutputs(name, "", (320, 256), windows, {}, detectors)


def test_scores_are_chance_of_a_defect_and_deviation_in_units_of_normals(
    inspector: Inspector,
) -> None:
    calibration = StandardScore(mean=2.0, std=0.5)
    card = changed_detector(inspector.card, "anomaly", calibration=calibration)
    outputs = with_output(inspector.measure(view()), "classifier", np.log([0.6, 0.3, 0.1]))
    outputs = with_output(outputs, "anomaly", [3.0])
    fused = 1 - 0.6 / (1 + np.exp(-3.0 + 2 * 2.0))
    assert scores_of(outputs, card) == {
        "fused": pytest.approx(fused), "classifier": pytest.approx(0.4), "anomaly": 2.0
    }  # fmt: skip


def test_a_score_between_the_thresholds_is_reviewed_with_its_reason(inspector: Inspector) -> None:
    between = with_output(inspector.measure(view()), "classifier", np.log([0.4, 0.5, 0.1]))
    judged = judge_part([between], inspector.card)
    assert (judged.verdict, judged.label) == ("review", "dent")
    assert judged.views[0].reasons == [
        "fused: score 0.619, not below 0.300: review, by what classifier found"
    ]


def test_a_part_more_unlike_normal_ones_than_any_known_is_reviewed_though_it_is_no_known_defect(
    inspector: Inspector,
) -> None:
    card = changed_thresholds(inspector.card, 0.9999999, 1.5)
    outputs = with_output(scored(0.01, 3.0), "anomaly", [3.0], np.full((1, 10, 10), 3.0))
    judged = judge_view(outputs, card)
    assert judged.verdicts == {"fused": PASS, "anomaly": REVIEW}
    assert (judged.verdict, judged.label) == (REVIEW, "under_press")
    assert judged.reasons == ["anomaly: score 3.000, not below 2.500: review"]
    assert [box.found_by for box in judged.boxes] == ["anomaly"]


@pytest.mark.parametrize(
    ("classifier", "anomaly", "label"),
    [
        (0.5, 9.0, "under_press"),  # the anomaly score adds 18 to the log-odds, the classifier 3
        (0.95, 1.5, "slide"),
        (0.1, 1.5, "under_press"),
        (0.999, 0.0, "slide"),
    ],
)
def test_the_defect_is_named_by_the_detector_that_adds_most_to_the_suspicion(
    inspector: Inspector, classifier: float, anomaly: float, label: str
) -> None:
    assert judge_view(scored(classifier, anomaly), inspector.card).label == label


def test_each_anomaly_detector_calls_for_a_review_on_its_own_and_names_what_only_it_can() -> None:
    settings = settings_of_two_anomaly_regions()
    usual = scored(0.001, 0.0)
    quiet = usual.detectors["anomaly"]
    loud = DetectorOutput(np.array([UNUSUAL + 1.0]), quiet.heat)
    fusion = settings.fusion.model_copy(
        update={"thresholds": Thresholds(accept_below=0.9999999, reject_above=1.5)}
    )
    settings = settings.model_copy(update={"fusion": fusion})
    labels = {"anomaly_rod": "anomaly", "anomaly_rivet": "under_press"}
    for unusual, label in labels.items():
        detectors = {"classifier": usual.detectors["classifier"]}
        detectors |= {name: loud if name == unusual else quiet for name in labels}
        judged = judge_view(dataclasses.replace(usual, detectors=detectors), settings)
        assert (judged.verdict, judged.label) == (REVIEW, label)
        assert judged.reasons[0].startswith(f"{unusual}: score")


def test_a_defect_keeps_its_name_where_the_detector_that_adds_most_has_none() -> None:
    settings = settings_of_two_anomaly_regions()
    slid = scored(0.95, 0.0)
    unusual = DetectorOutput(np.array([2.5]), slid.detectors["anomaly"].heat)
    detectors = {
        "classifier": slid.detectors["classifier"],
        "anomaly_rod": unusual,
        "anomaly_rivet": slid.detectors["anomaly"],
    }
    judged = judge_view(dataclasses.replace(slid, detectors=detectors), settings)
    # 3 + 3 are added by the classifier, 5 by the anomaly score
    assert settings.fusion.suspects({"classifier": 2.9, "anomaly_rod": 2.5}) == [
        "classifier", "anomaly_rod",
    ]  # fmt: skip
    assert (judged.verdict, judged.label) == (REJECT, "slide")
    stronger = dataclasses.replace(
        slid, detectors=detectors | {"anomaly_rod": DetectorOutput(np.array([5.0]), unusual.heat)}
    )
    assert judge_view(stronger, settings).label == "slide"


def test_the_worst_view_is_that_of_the_highest_fused_score(inspector: Inspector) -> None:
    views = [scored(0.95, 0.0, "slid"), scored(0.1, 9.0, "loose")]
    assert judge_part(views, inspector.card).worst_view == "loose"
    views = [scored(0.6, 0.0, "slid"), scored(0.5, 0.0, "less so")]
    assert judge_part(views, inspector.card).worst_view == "slid"


def test_a_detector_alone_is_judged_as_if_the_other_said_what_is_usual(
    inspector: Inspector,
) -> None:
    verdicts = [
        verdict_alone("classifier", score, settings=inspector.card) for score in (0.2, 0.4, 0.95)
    ]
    assert verdicts == [PASS, REVIEW, REJECT]
    verdicts = [
        verdict_alone("anomaly", score, settings=inspector.card) for score in (0.5, 1.5, 3.0)
    ]
    assert verdicts == [PASS, REVIEW, REJECT]
