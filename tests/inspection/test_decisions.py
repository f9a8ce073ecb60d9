from pathlib import Path

import numpy as np
import pytest

from inspection.bundle import Card
from inspection.decisions import decided
from inspection.inspector import Seen, judge_part
from inspection.verdicts import Costs
from tests.bundles import make_bundle

LABELS = {"good": "normal", "fair": "normal", "dented": "dent", "loose": "under_press"}


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    folder: Path = tmp_path_factory.mktemp("bundle")
    return make_bundle(folder)


def view(name: str, logits: list[float] | None, anomaly: float | None) -> Seen:
    return Seen(
        name=name,
        sha256="",
        frame_size_px=(320, 256),
        windows={},
        crops={},
        logits=None if logits is None else np.array(logits, np.float32),
        raw_heat=None,
        raw_anomaly=anomaly,
        raw_map=None,
    )


PARTS = {
    "1": [view("good", [4, 0, 0], 0.1)],
    "2": [view("fair", [3, 0, 0], 0.4)],
    "3": [view("dented", [0, 3, 0], 0.2)],
    "4": [view("loose", [3.5, 0, 0], 5.0)],
}


def test_thresholds_from_val_separate_what_each_channel_sees(card: Card) -> None:
    new = decided(card, PARTS, LABELS, Costs())
    limits = {"classifier": new.classifier.thresholds, "anomaly": new.anomaly.thresholds}
    assert limits["anomaly"].verdict(5.0) == "reject"
    assert limits["anomaly"].verdict(0.4) == "pass"
    assert limits["classifier"].verdict(0.01) == "pass"
    assert new.costs["expected_cost_on_val"] == 0
    assert new.costs["escape_cost"] == Costs().escape_cost


def test_the_temperature_of_a_classifier_that_is_always_right_is_below_one(card: Card) -> None:
    new = decided(card, PARTS, LABELS, Costs())
    assert new.classifier.temperature < 1
    assert 0 <= new.costs["calibration_error_on_val"] < 0.1


def test_a_part_with_one_defective_view_is_defective(card: Card) -> None:
    two_views = {"2": PARTS["2"], "3": [PARTS["1"][0], PARTS["3"][0]]}
    new = decided(card, two_views, LABELS, Costs())
    assert new.costs["expected_cost_on_val"] == 0
    assert new.classifier.thresholds.verdict(0.97) == "reject"


def test_a_channel_that_saw_nothing_on_val_sends_to_review(card: Card) -> None:
    blind = {name: [view(name, [1, 0, 0], None)] for name in ("good", "fair")}
    new = decided(card, blind, LABELS, Costs())
    later = judge_part([view("good", [9, 0, 0], 0.0)], new)
    assert later.views[0].verdicts["anomaly"] == "review"
