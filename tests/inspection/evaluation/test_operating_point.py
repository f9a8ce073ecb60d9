from collections.abc import Mapping

import numpy as np
import pytest

from inspection.evaluation.costs import Costs
from inspection.evaluation.operating_point import (
    OperatingPoint,
    are_defective,
    operating_point,
)
from inspection.evaluation.part_scores import Parts, part_scores
from inspection.runtime.detectors import StandardScore, TemperatureScaling
from inspection.runtime.verdict import decide
from inspection.runtime.views import DetectorOutput, ViewOutputs

CALIBRATIONS = {
    "classifier": TemperatureScaling(temperature=1.0),
    "anomaly": StandardScore(mean=0.0, std=1.0),
}
HEAT = np.zeros((2, 4, 4), np.float32)


def chosen(
    parts: Parts, labels: Mapping[str, str], costs: Costs | None = None, rate: float | None = 0.01
) -> OperatingPoint:
    defective = are_defective(parts, labels, "normal")
    return operating_point(parts, defective, CALIBRATIONS, costs or Costs(), rate)


def probability(logits: list[float]) -> float:
    return float(CALIBRATIONS["classifier"].scores(np.array(logits)))


def view(name: str, logits: list[float] | None, anomaly: float | None) -> ViewOutputs:
    detectors = {}
    if logits is not None:
        detectors["classifier"] = DetectorOutput(np.array(logits, np.float32), HEAT)
    if anomaly is not None:
        detectors["anomaly"] = DetectorOutput(np.array([anomaly], np.float32), HEAT[:1])
    return ViewOutputs(name, "", (320, 256), {}, {}, detectors)


def parts(n: int = 12) -> tuple[dict[str, list[ViewOutputs]], dict[str, str]]:
    """As many normal parts as dents and as loose rivets, and the labels of their views."""
    generator = np.random.default_rng(0)
    kinds = {"good": ([4, 0, 0], 0.2), "dented": ([0, 5, 0], 0.2), "loose": ([4, 0, 0], 9.0)}
    found, labels = {}, {}
    for kind, (logits, anomaly) in kinds.items():
        for number in range(n):
            name = f"{kind}{number}"
            noisy = generator.normal(logits, 0.3)
            seen = view(name, noisy.tolist(), anomaly + float(generator.normal(0, 0.1)))
            found[name] = [seen]
            labels[name] = {"good": "normal", "dented": "dent", "loose": "under_press"}[kind]
    return found, labels


PARTS, LABELS = parts()


def test_thresholds_from_val_separate_what_each_detector_finds() -> None:
    limits = chosen(PARTS, LABELS).thresholds
    assert limits["anomaly"].verdict(9.0) == "reject"
    assert limits["anomaly"].verdict(0.2) == "pass"
    assert limits["classifier"].verdict(1.0) == "reject"
    assert limits["classifier"].verdict(0.0) == "pass"
    assert 0 < chosen(PARTS, LABELS).expected_cost < 0.05


def test_between_what_was_measured_and_beyond_all_certainty_thresholds_stay_in_order() -> None:
    limits = chosen(PARTS, LABELS).thresholds["classifier"]
    assert 0 < limits.accept_below < limits.reject_above < 1
    certain = probability([90, 0, 0])
    assert certain == 0.0
    assert limits.verdict(certain) == "pass"


def test_a_part_with_one_defective_view_is_defective() -> None:
    two_views = {
        **{f"good{n}": PARTS[f"good{n}"] for n in range(6)},
        **{f"part{n}": [PARTS[f"good{n}"][0], PARTS[f"dented{n}"][0]] for n in range(6, 12)},
    }
    point = chosen(two_views, LABELS)
    assert point.limit.n_defective == 6
    assert point.thresholds["classifier"].verdict(0.99999) == "reject"


def test_a_detector_whose_region_val_never_shows_sends_to_review() -> None:
    blind = {name: [view(name, [1, 0, 0], None)] for name in ("good0", "good1")}
    assert chosen(blind, LABELS).thresholds["anomaly"].verdict(0.0) == "review"


def test_the_rate_of_escapes_asked_for_binds_and_a_stricter_one_binds_more() -> None:
    """Of 400 dents 40 look normal: 2 % lets 3 of them pass; 0.1 % is more than 400 can show."""
    logits = [*[[3.0, n / 40, 0.0] for n in range(40)], *[[0.0, 6.0, 0.0]] * 360]
    logits += [[3.0, n / 60, 0.0] for n in range(60)]
    parts = {str(n): [view(str(n), one, 0.0)] for n, one in enumerate(logits)}
    labels = {str(n): "dent" if n < 400 else "normal" for n in range(len(logits))}
    costs = Costs(escape_cost=0.02, review_cost=1.0, overkill_cost=100.0)
    escapes, limits = {}, {}
    for wanted in (0.02, 0.001, None):
        point = chosen(parts, labels, costs, wanted)
        accepts = point.thresholds["classifier"]
        verdicts = [accepts.verdict(probability(one)) for one in logits[:400]]
        escapes[wanted] = verdicts.count("pass")
        limits[wanted] = point.limit
        assert point.limit.n_defective == 400
        assert point.limit.asked == wanted
    assert escapes[None] >= 20
    assert escapes[0.02] == limits[0.02].escapes == 3
    assert escapes[0.001] == 0
    assert limits[None].unseen_escapes >= 20
    assert limits[0.02].unseen_escapes <= 6
    assert limits[0.02].applied == "limit"
    assert (limits[0.001].supported, limits[0.001].applied) == (False, "no_known_escape")
    assert limits[None].applied == "off"


def test_a_limit_is_judged_by_thresholds_that_were_set_without_the_part() -> None:
    """The one dent that looks normal holds the threshold down; set without it, it passes."""
    more, labels = parts(30)
    more = {**more, "odd": [view("odd", [3.5, 0.2, 0.0], 0.2)]}
    limit = chosen(more, labels | {"odd": "dent"}, Costs(escape_cost=0.5), 0.05).limit
    assert limit.escapes == 0
    assert limit.unseen_escapes == 1


@pytest.mark.parametrize("tolerance", [0.001, 0.01, 0.02])
def test_runtimes_that_are_off_by_the_tolerance_give_the_same_verdicts(
    tolerance: float,
) -> None:
    generator = np.random.default_rng(0)
    odds, is_bad = generator.normal(0, 2, 300), np.arange(300) >= 200
    odds[is_bad] += 4
    anomalies = generator.normal(is_bad * 3.0, 1)
    measured = {
        str(n): [view(str(n), [0.0, odd], anomaly)]
        for n, (odd, anomaly) in enumerate(zip(odds, anomalies, strict=True))
    }
    point = operating_point(
        measured, is_bad.tolist(), CALIBRATIONS, Costs(), 0.1, tolerance=tolerance
    )
    scores = part_scores(measured, CALIBRATIONS)
    limits = list(point.thresholds.values())
    wanted = decide(scores, limits)
    for way in (-1, 1):
        off = np.c_[1 / (1 + np.exp(-odds - way * 4 * tolerance)), anomalies + way * tolerance]
        assert np.abs(off - scores).max() <= tolerance * 1.001
        assert decide(off, limits) == wanted
    share = limits[0].accept_below
    assert np.abs(odds - np.log(share / (1 - share))).min() >= 8 * tolerance * (1 - 1e-4)
    assert np.abs(anomalies - limits[1].accept_below).min() >= 2 * tolerance * (1 - 1e-4)


def test_without_a_defective_part_in_val_only_what_looks_like_its_normals_passes() -> None:
    good = {name: views for name, views in PARTS.items() if name.startswith("good")}
    point = chosen(good, LABELS)
    assert point.limit.n_defective == 0
    verdicts = [point.thresholds["classifier"].verdict(p) for p in (0.02, 0.5, 0.99)]
    assert verdicts == ["pass", "review", "review"]
    assert [point.thresholds["anomaly"].verdict(s) for s in (0.2, 3.0, 9.0)] == [
        "pass", "review", "review"
    ]  # fmt: skip


def test_thresholds_keep_off_what_the_deployed_model_measured_too() -> None:
    """Scores out of fold set the thresholds; parity is checked on scores of the deployed model."""
    alone = chosen(PARTS, LABELS).thresholds
    accept = alone["anomaly"].accept_below
    odds = np.log(alone["classifier"].accept_below / (1 - alone["classifier"].accept_below))
    on_them = {"val": [view("a", [0.0, float(odds), -40.0], accept), view("b", None, accept)]}
    defective = are_defective(PARTS, LABELS, "normal")
    point = operating_point(
        PARTS, defective, CALIBRATIONS, Costs(), 0.01, tolerance=0.001, also_measured=on_them
    )
    assert abs(point.thresholds["anomaly"].accept_below - accept) >= 2 * 0.001 * (1 - 1e-4)
    share = point.thresholds["classifier"].accept_below
    assert abs(np.log(share / (1 - share)) - odds) >= 8 * 0.001 * (1 - 1e-4)
