from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from inspection.evaluation.calibration import Truth
from inspection.evaluation.costs import Costs
from inspection.evaluation.operating_point import (
    Decision,
    Evidence,
    OperatingPoint,
    Rule,
    _margin,
    judged_unseen,
    operating_point,
    truth_of,
)
from inspection.evaluation.part_scores import Parts
from inspection.runtime.detectors import StandardScore, TemperatureScaling
from inspection.runtime.fusion import as_probability
from inspection.runtime.verdict import decide
from inspection.runtime.views import DetectorOutput, ViewOutputs
from tests.bundles import sample_settings, settings_of_two_anomaly_regions

CALIBRATIONS = {
    "classifier": TemperatureScaling(temperature=1.0),
    "anomaly": StandardScore(mean=0.0, std=1.0),
}
HEAT = np.zeros((2, 4, 4), np.float32)
MODELS = sample_settings().models


def chosen(
    parts: Parts, labels: Mapping[str, str], costs: Costs | None = None, rate: float | None = 0.01
) -> OperatingPoint:
    truth = truth_of(parts, labels, MODELS)
    return operating_point(parts, truth, CALIBRATIONS, costs or Costs(), rate)


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


def verdict(point: OperatingPoint, p_defect: float, anomaly: float) -> str:
    """The verdict on a part of one view with these scores."""
    odds = np.log(p_defect / (1 - p_defect))
    fused = point.fusion.score({"classifier": odds, "anomaly": anomaly})
    limits = [point.fusion.thresholds, point.thresholds["anomaly"]]
    return decide(np.array([[fused, anomaly]]), limits)[0]


def test_what_each_detector_finds_is_told_apart_by_the_fused_score() -> None:
    point = chosen(PARTS, LABELS)
    assert verdict(point, 0.04, 0.2) == "pass"
    assert verdict(point, 0.995, 0.2) == "reject"
    assert verdict(point, 0.04, 9.0) == "reject"
    assert 0 < point.expected_cost < 0.05
    assert point.fusion.evidence == {"n_defective": 24, "n_normal": 12}


def test_a_part_with_one_defective_view_is_defective() -> None:
    two_views = {
        **{f"good{n}": PARTS[f"good{n}"] for n in range(6)},
        **{f"part{n}": [PARTS[f"good{n}"][0], PARTS[f"dented{n}"][0]] for n in range(6, 12)},
    }
    point = chosen(two_views, LABELS)
    assert point.limit.n_defective == 6
    assert verdict(point, 0.9999, 0.2) == "reject"


def test_where_val_never_shows_a_region_every_part_is_reviewed() -> None:
    blind = {name: [view(name, [1, 0, 0], None)] for name in ("good0", "good1")}
    point = chosen(blind, LABELS)
    assert {verdict(point, p, a) for p in (0.01, 0.9) for a in (0.0, 9.0)} == {"review"}


def test_a_part_more_unlike_normal_ones_than_any_of_these_is_reviewed() -> None:
    """Loose rivets are unknown here, and the classifier does not see them."""
    known = {name: views for name, views in PARTS.items() if not name.startswith("loose")}
    point = chosen(known, LABELS)
    highest = max(float(views[0].detectors["anomaly"].values[0])
                  for name, views in PARTS.items() if name.startswith("good"))  # fmt: skip
    limits = point.thresholds["anomaly"]
    assert limits.verdict(highest) == "pass"
    assert limits.verdict(highest + 0.1) == "review"
    assert verdict(point, 0.04, 9.0) == "review"


def test_of_many_normal_parts_the_share_asked_for_is_too_unlike_the_others() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(0, 1, 1000)
    many = {str(n): [view(str(n), [3.0, 0.0, 0.0], value)] for n, value in enumerate(values)}
    many |= {f"bad{n}": [view(f"bad{n}", [0.0, 3.0, 0.0], 0.0)] for n in range(5)}
    labels = {name: "dent" if name.startswith("bad") else "normal" for name in many}
    truth = truth_of(many, labels, MODELS)
    for rate in (0.01, 0.05):
        point = operating_point(many, truth, CALIBRATIONS, Costs(), None, unusual_rate=rate)
        limits = point.thresholds["anomaly"]
        assert np.mean([limits.verdict(one) != "pass" for one in values]) == pytest.approx(
            rate, abs=0.002
        )


def test_unless_another_share_is_asked_for_one_normal_part_in_a_hundred_is_too_unlike() -> None:
    many = {str(n): [view(str(n), [3.0, 0.0, 0.0], n / 1000)] for n in range(1000)}
    many |= {f"bad{n}": [view(f"bad{n}", [0.0, 3.0, 0.0], 0.0)] for n in range(5)}
    labels = {name: "dent" if name.startswith("bad") else "normal" for name in many}

    limits = chosen(many, labels).thresholds["anomaly"]
    verdicts = [limits.verdict(n / 1000) for n in range(1000)]
    assert verdicts.count("review") in (9, 10)


def test_a_threshold_keeps_two_tolerances_from_a_score_and_four_times_that_in_log_odds() -> None:
    margins = [_margin(one, 0.01) for one in CALIBRATIONS.values()]
    assert margins == pytest.approx([0.08, 0.02])


def test_parts_are_judged_unseen_by_what_four_fifths_of_them_decide() -> None:
    evidence, truth = overlapping(0)
    sizes = []

    class Counted(Rule):
        def decision(self, *args: Any, rows: Any, **others: Any) -> Decision:
            sizes.append(int(rows.sum()))
            return super().decision(*args, rows=rows, **others)

    margins = dict.fromkeys(CALIBRATIONS, 0.0)
    judged_unseen(Counted(Costs(), None, 0.01, margins, anomaly=("anomaly",)), evidence, truth)
    assert sizes == [320] * 5


def test_anomaly_detectors_of_two_regions_share_the_rate_of_unusual_normal_parts() -> None:
    generator = np.random.default_rng(0)
    settings = settings_of_two_anomaly_regions()
    names = ("anomaly_rod", "anomaly_rivet")
    calibrations = {"classifier": CALIBRATIONS["classifier"]} | {
        name: StandardScore(mean=0.0, std=1.0) for name in names
    }
    many, labels = {}, {}
    for number in range(1000):
        one = view(str(number), [3.0, 0.0, 0.0], None)
        for name in names:
            one.detectors[name] = DetectorOutput(generator.normal(0, 1, 1), HEAT[:1])
        many[one.name], labels[one.name] = [one], "dent" if number < 10 else "normal"
    truth = truth_of(many, labels, settings.models)
    point = operating_point(many, truth, calibrations, Costs(), None, unusual_rate=0.04)

    is_unusual = {
        name: np.array([
            point.thresholds[name].verdict(float(of_part[0].detectors[name].values[0])) != "pass"
            for of_part in many.values()
        ])
        for name in names
    }  # fmt: skip
    for found in is_unusual.values():
        assert found.mean() == pytest.approx(0.02, abs=0.003)
    assert (is_unusual[names[0]] | is_unusual[names[1]]).mean() <= 0.04


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
        verdicts = [verdict(point, probability(one), 0.0) for one in logits[:400]]
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


def test_a_limit_is_judged_by_what_was_decided_without_the_part() -> None:
    """The one dent that looks normal holds the threshold down; decided without it, it passes."""
    more, labels = parts(30)
    more = {**more, "odd": [view("odd", [3.5, 0.2, 0.0], 0.2)]}
    limit = chosen(more, labels | {"odd": "dent"}, Costs(escape_cost=0.5), 0.05).limit
    assert limit.escapes == 0
    assert limit.unseen_escapes == 1


def test_what_is_told_of_unseen_parts_holds_for_new_ones() -> None:
    margins = {"classifier": 0.0, "anomaly": 0.0}
    rule = Rule(Costs(escape_cost=5), None, 0.01, margins, anomaly=("anomaly",))
    seen, truth = overlapping(0)
    bad = truth.defective
    told = np.array(judged_unseen(rule, seen, truth))
    assert told.tolist() == judged_unseen(rule, seen, truth)
    new, new_truth = overlapping(1)
    new_bad = new_truth.defective
    came = np.array(rule.decision(seen, truth).verdicts(new))
    rates = [(told[bad] == "pass").mean(), (came[new_bad] == "pass").mean()]
    assert 0 < rates[0] < 0.5
    assert rates[0] == pytest.approx(rates[1], abs=0.03)


def overlapping(seed: int) -> tuple[Evidence, Truth]:
    """Parts of one view that the classifier cannot tell apart for sure, and which are defective."""
    generator = np.random.default_rng(seed)
    bad = np.arange(400) >= 200
    summands = {
        "classifier": generator.normal(bad * 2.0, 1), "anomaly": generator.normal(0, 1, 400)
    }  # fmt: skip
    truth = Truth(bad, {"part": bad}, dict.fromkeys(summands, "part"))
    return Evidence(summands, np.arange(400), 400), truth


def one_region(bad: np.ndarray) -> Truth:
    return Truth(bad, {"part": bad}, dict.fromkeys(CALIBRATIONS, "part"))


@pytest.mark.parametrize("tolerance", [0.0001, 0.001, 0.002])
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
        measured, one_region(is_bad), CALIBRATIONS, Costs(), 0.1, tolerance=tolerance
    )

    def verdicts(way: int) -> list[str]:
        off = {"classifier": odds + way * 4 * tolerance, "anomaly": anomalies + way * tolerance}
        fused = as_probability(point.fusion.odds(off))
        limits = [point.fusion.thresholds, point.thresholds["anomaly"]]
        return decide(np.c_[fused, off["anomaly"]], limits)

    assert verdicts(-1) == verdicts(0) == verdicts(1)
    assert {"pass", "review", "reject"} == set(verdicts(0))


@pytest.mark.parametrize("n", [200, 3200])
def test_many_parts_lie_densely_and_as_many_of_them_pass_and_are_rejected(n: int) -> None:
    """Of 3200 parts a tenth passed, where thresholds went on to a gap as wide as the tolerance."""
    generator = np.random.default_rng(0)
    bad = np.arange(n) < n // 2
    summands = {
        "classifier": generator.normal(np.where(bad, 3, -3), 1.8),
        "anomaly": generator.normal(np.where(bad, 1, 0), 1),
    }
    margins = {"classifier": 0.008, "anomaly": 0.002}
    rule = Rule(Costs(), None, 0.01, margins, anomaly=("anomaly",))
    evidence = Evidence(summands, np.arange(n), n)
    verdicts = np.array(rule.decision(evidence, one_region(bad)).verdicts(evidence))
    assert (verdicts[~bad] == "pass").mean() > 0.7
    assert (verdicts[bad] == "reject").mean() > 0.6


def test_without_a_defective_part_in_val_only_what_looks_like_its_normals_passes() -> None:
    good = {name: views for name, views in PARTS.items() if name.startswith("good")}
    point = chosen(good, LABELS)
    assert point.limit.n_defective == 0
    found = [verdict(point, *one) for one in ((0.03, 0.2), (0.999, 0.2), (0.03, 9.0))]
    assert found == ["pass", "review", "review"]


def test_thresholds_keep_off_what_the_deployed_model_measured_too() -> None:
    """Scores out of fold set the thresholds; parity is checked on scores of the deployed model."""
    alone = chosen(PARTS, LABELS)
    limit = alone.thresholds["anomaly"].accept_below
    on_it = {"val": [view("a", [4.0, 0.0, 0.0], limit), view("b", None, limit)]}
    truth = truth_of(PARTS, LABELS, MODELS)
    point = operating_point(
        PARTS, truth, CALIBRATIONS, Costs(), 0.01, tolerance=0.001, also_measured=on_it
    )
    assert abs(point.thresholds["anomaly"].accept_below - limit) >= 2 * 0.001 * (1 - 1e-4)
    accept = point.fusion.thresholds.accept_below
    odds = np.log(accept / (1 - accept))
    summands = {"classifier": np.array([-4.0]), "anomaly": np.array([limit])}
    assert abs(point.fusion.odds(summands)[0] - odds) > 0


def test_the_defective_parts_that_look_most_normal_are_named_with_what_they_keep_from_passing() -> (
    None
):
    labels = dict(LABELS) | {"good3": "dent", "good7": "dent"}  # two that nobody can see
    truth = truth_of(PARTS, labels, MODELS)
    costs = Costs()
    plain = operating_point(PARTS, truth, CALIBRATIONS, costs, None)
    point = operating_point(PARTS, truth, CALIBRATIONS, costs, None, names_hardest=True)

    assert plain.hardest == ()
    names = [list(PARTS)[one.row] for one in point.hardest]
    assert set(names[:2]) == {"good3", "good7"}
    assert point.good_passed < 0.5
    assert [one.good_passed >= 0.9 for one in point.hardest] == [False, True, True]
    scores = [one.score for one in point.hardest]
    assert scores == sorted(scores)


def test_without_a_defective_part_none_is_the_hardest() -> None:
    good = {name: views for name, views in PARTS.items() if name.startswith("good")}
    truth = truth_of(good, LABELS, MODELS)
    point = operating_point(good, truth, CALIBRATIONS, Costs(), 0.01, names_hardest=True)
    assert point.hardest == ()
