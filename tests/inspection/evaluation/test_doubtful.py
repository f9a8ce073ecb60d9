import dataclasses

import numpy as np
import pytest

from inspection.evaluation.doubtful import (
    Evidence,
    claim_if_mended,
    hardest_parts,
    named,
    suspects,
)
from inspection.evaluation.escape_limit import EscapeLimit
from inspection.evaluation.operating_point import Hardest, OperatingPoint
from inspection.evaluation.rates import upper_bound
from inspection.runtime.views import DetectorOutput, ViewOutputs
from tests.bundles import sample_settings

SETTINGS = sample_settings()
HEAT = np.zeros((1, 4, 4), np.float32)
LABELS = {
    "a1": "normal", "a2": "dent", "b1": "dent", "c1": "slide", "d1": "normal", "e1": "normal",
}  # fmt: skip
VERDICTS = ("pass", "pass", "review", "reject", "pass")


def view(name: str, anomaly: float) -> ViewOutputs:
    detectors = {
        "classifier": DetectorOutput(np.array([0.0, -9.0, -9.0]), HEAT),
        "anomaly": DetectorOutput(np.array([anomaly]), HEAT),
    }
    return ViewOutputs(name, "", (9, 9), {}, {}, detectors)


EVIDENCE = Evidence(
    parts={
        "a": [view("a1", 0.4), view("a2", 0.2)],
        "b": [view("b1", 0.1)],
        "c": [view("c1", 1.0)],
        "d": [view("d1", 3.0)],
        "e": [view("e1", 0.0)],
    },
    labels=LABELS,
    source="val",
)


def point(**changes: object) -> OperatingPoint:
    limit = EscapeLimit(
        asked=None, confidence=0.95, supported=False, applied="off", n_defective=3, escapes=0,
        upper_bound=0.6, n_parts_needed=0,
    )  # fmt: skip
    found = OperatingPoint(
        SETTINGS.fusion, {}, expected_cost=0.1, limit=limit, unseen_verdicts=VERDICTS
    )
    return dataclasses.replace(found, **changes)


def test_twenty_four_suspects_are_named_at_most() -> None:
    found = suspects(point(), EVIDENCE, SETTINGS)
    assert [one["part_id"] for one in named(found)] == [one.part_id for one in found]
    assert len(named(found * 20)) == 24


def test_what_is_judged_against_its_label_is_suspect_the_most_wrong_first() -> None:
    found = suspects(point(), EVIDENCE, SETTINGS)
    assert [(one.part_id, one.kind) for one in found] == [
        ("b", "escape"), ("a", "escape"), ("d", "overkill"),
    ]  # fmt: skip
    # of the views of a part that which looks worst
    assert [one.view for one in found] == ["b1", "a1", "d1"]
    assert found[1].labels == ["dent", "normal"]


def test_the_claim_is_told_as_it_would_be_were_every_suspects_label_wrong() -> None:
    told = claim_if_mended(point().limit, suspects(point(), EVIDENCE, SETTINGS))
    assert told is not None
    assert "2 of 3 defective parts pass and 1 good ones are rejected" in told
    # two escapes become good, one overkill becomes defective: two are left
    assert f"the 2 defective parts show at most {100 * upper_bound(0, 2):.1f} %" in told
    assert claim_if_mended(point().limit, []) is None


@pytest.mark.parametrize(("without", "asks"), [(0.9, True), (0.551, True), (0.549, False)])
def test_a_look_is_asked_for_where_it_lets_many_more_good_parts_pass(
    without: float, asks: bool
) -> None:
    hardest = (Hardest(row=1, score=0.01, good_passed=without),)
    found = hardest_parts(point(good_passed=0.5, hardest=hardest), EVIDENCE)
    assert found["parts"][0]["part_id"] == "b"
    assert (found["sentence"] is not None) == asks
    if asks:
        assert found["sentence"].startswith("look at b (dent)")
