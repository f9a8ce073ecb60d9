"""The gate's rules, against counts made by hand and an independent bootstrap."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, bootstrap

from inspection.errors import InspectionError
from inspection.evaluation.costs import Costs
from inspection.promotion.gate import (
    Facts,
    GateParams,
    Rule,
    cost_increase,
    failures,
    golden_rule,
    max_uses,
    min_parts,
    paired_rules,
    sign_test,
    standing_rules,
)

PARAMS = GateParams()
COSTS = Costs()
GOOD = Facts(
    parity={"classifier": {"flipped": 0, "score_difference": 1e-6, "heat_difference": 1e-6}},
    cam_edge=0.03,
    quarantined_fraction=0.02,
    ms_per_part=30.0,
)


def table(labels: Sequence[str], verdicts: Sequence[str]) -> pd.DataFrame:
    parts = [str(number) for number in range(len(labels))]
    return pd.DataFrame({"part_id": parts, "label": labels, "verdict": verdicts})


def rules_of(labels: Sequence[str], before: Sequence[str], now: Sequence[str]) -> dict[str, Rule]:
    rules = paired_rules(
        table(labels, before), table(labels, now), normal="normal", costs=COSTS, params=PARAMS
    )
    return {rule.name: rule for rule in rules}


def change(label: str, before: str, now: str, n_changed: int) -> dict[str, Rule]:
    """Twenty dents and twenty normals judged right by both, but for some parts of one label."""
    labels = ["dent"] * 20 + ["normal"] * 20
    right = ["reject"] * 20 + ["pass"] * 20
    first, second = list(right), list(right)
    start = labels.index(label)
    for row in range(start, start + n_changed):
        first[row], second[row] = before, now
    return rules_of(labels, first, second)


def stopped(rules: dict[str, Rule]) -> set[str]:
    return {name for name, rule in rules.items() if not rule.passed}


@pytest.mark.parametrize(("worse", "better"), [(0, 0), (1, 0), (5, 0), (3, 2), (2, 9), (40, 25)])
def test_the_sign_test_is_the_exact_binomial_one(worse: int, better: int) -> None:
    n = worse + better
    expected = binomtest(worse, n, alternative="greater").pvalue if n else 1.0

    assert sign_test(worse, better) == pytest.approx(expected)


def test_an_equal_challenger_passes_every_rule() -> None:
    assert stopped(change("dent", "pass", "pass", 3)) == set()


def test_five_new_escapes_are_beyond_chance_and_four_are_not() -> None:
    escapes = {"escapes: dent", "escapes: all classes"}

    assert stopped(change("dent", "reject", "pass", 5)) >= escapes
    assert not stopped(change("dent", "reject", "pass", 4)) & escapes


def test_escapes_count_parts_that_went_the_other_way() -> None:
    labels = ["dent"] * 12 + ["normal"] * 5
    before = ["pass"] * 3 + ["reject"] * 9 + ["pass"] * 5
    now = ["reject"] * 3 + ["pass"] * 5 + ["reject"] * 4 + ["pass"] * 5
    rule = rules_of(labels, before, now)["escapes: dent"]

    assert rule.passed
    assert rule.found == "3 -> 5 of 12 parts (worse 5, better 3, p 0.363)"


def test_escapes_of_several_classes_add_up() -> None:
    labels = ["dent"] * 3 + ["slide"] * 3 + ["normal"] * 5
    caught = ["reject"] * 6 + ["pass"] * 5
    rules = rules_of(labels, caught, ["pass"] * 11)

    assert rules["escapes: dent"].passed
    assert not rules["escapes: all classes"].passed


def test_what_reviews_every_part_holds_back_good_ones_though_nothing_escapes() -> None:
    rules = change("normal", "pass", "review", 5)

    assert "good parts held back" in stopped(rules)
    assert rules["overkill"].passed
    assert change("normal", "pass", "review", 4)["good parts held back"].passed


def test_rejected_good_parts_are_overkill() -> None:
    assert "overkill" in stopped(change("normal", "pass", "reject", 5))
    assert change("normal", "pass", "reject", 4)["overkill"].passed


def test_a_dearer_challenger_is_stopped_with_estimate_and_bounds() -> None:
    rule = change("dent", "reject", "pass", 5)["expected cost"]

    assert not rule.passed
    assert rule.found.startswith("+1.2500 a part (")


def test_one_more_escape_is_within_the_noise_of_the_cost() -> None:
    assert change("dent", "reject", "pass", 1)["expected cost"].passed


def test_the_bounds_of_the_cost_are_those_of_a_bootstrap_by_part() -> None:
    generator = np.random.default_rng(1)
    verdicts = np.array(["pass", "review", "reject"])
    bad = pd.DataFrame({who: verdicts[generator.integers(0, 3, 60)] for who in
                        ("champion", "challenger")})  # fmt: skip
    good = pd.DataFrame({"champion": ["pass"], "challenger": ["pass"]})
    price = {"pass": 100.0, "review": 0.3, "reject": 0.0}
    gaps = (bad["challenger"].map(price) - bad["champion"].map(price)).to_numpy()
    expected = bootstrap((0.05 * gaps,), np.mean, n_resamples=4000, confidence_level=0.9,
                         method="percentile", rng=2).confidence_interval  # fmt: skip

    estimate, lower, upper = cost_increase(bad, good, COSTS, alpha=0.05)

    assert estimate == pytest.approx(0.05 * gaps.mean())
    one_escape = 0.05 * 100 / 60  # the steps in which either bound moves
    assert lower == pytest.approx(expected.low, abs=1.01 * one_escape)
    assert upper == pytest.approx(expected.high, abs=1.01 * one_escape)


def test_too_few_parts_stop_the_gate() -> None:
    labels = ["dent"] * 4 + ["normal"] * 5
    right = ["reject"] * 4 + ["pass"] * 5

    assert stopped(rules_of(labels, right, right)) == {"parts compared"}
    assert stopped(rules_of(["dent", *labels], ["reject", *right], ["reject", *right])) == set()


def test_tables_of_different_parts_are_refused() -> None:
    one = table(["dent", "normal"], ["pass", "pass"])

    with pytest.raises(InspectionError, match="champion judged 1 parts, the challenger 2, and 1"):
        paired_rules(one.head(1), one, normal="normal", costs=COSTS, params=PARAMS)


def test_facts_within_their_limits_pass() -> None:
    assert [rule for rule in standing_rules(GOOD, PARAMS) if not rule.passed] == []


def test_of_heat_that_was_not_measured_it_is_said_why() -> None:
    (stopped,) = [r for r in standing_rules(replace(GOOD, cam_edge=None), PARAMS) if not r.passed]
    assert "no marked defect of the test fold is named rightly" in stopped.found


@pytest.mark.parametrize("name", ["quarantined_fraction", "ms_per_part"])
def test_a_fact_that_is_missing_stops(name: str) -> None:
    rules = standing_rules(replace(GOOD, **{name: None}), PARAMS)

    assert [rule.found for rule in rules if not rule.passed] == ["missing"]


@pytest.mark.parametrize(
    ("name", "limit"),
    [("cam_edge", 0.15), ("quarantined_fraction", 0.1), ("ms_per_part", 500.0)],
)
def test_a_fact_passes_at_its_limit_and_not_above(name: str, limit: float) -> None:
    at, above = (replace(GOOD, **{name: limit * factor}) for factor in (1, 1.001))

    assert all(rule.passed for rule in standing_rules(at, PARAMS))
    assert sum(not rule.passed for rule in standing_rules(above, PARAMS)) == 1


@pytest.mark.parametrize(
    "report",
    [
        {"flipped": 1, "score_difference": 0.0, "heat_difference": 0.0},
        {"flipped": 0, "score_difference": 0.0011, "heat_difference": 0.0},
        {"flipped": 0, "score_difference": 0.0, "heat_difference": float("nan")},
    ],
)
def test_graphs_that_decide_otherwise_than_the_trained_model_stop(
    report: dict[str, float],
) -> None:
    parity = standing_rules(replace(GOOD, parity={"anomaly": report}), PARAMS)[0]

    assert not parity.passed


def test_a_card_without_parity_stops() -> None:
    assert not standing_rules(replace(GOOD, parity={}), PARAMS)[0].passed


def test_the_rule_on_heat_can_be_switched_off_in_writing() -> None:
    off = GateParams(max_cam_edge=None)

    assert all(rule.passed for rule in standing_rules(replace(GOOD, cam_edge=None), off))


def test_without_a_stated_takt_the_time_is_told_and_stops_none() -> None:
    rules = standing_rules(replace(GOOD, ms_per_part=9000.0), GateParams(max_ms_per_part=None))

    assert all(rule.passed for rule in rules)
    assert ("9000 ms a part", "off in params") in [(rule.found, rule.limit) for rule in rules]


@pytest.mark.parametrize(
    ("expected", "verdict", "passes"),
    [
        ("caught", "pass", False),
        ("caught", "review", True),
        ("pass", "reject", False),
        ("pass", "review", True),
    ],
)
def test_a_golden_part_flips_when_it_is_judged_the_other_way(
    expected: str, verdict: str, passes: bool
) -> None:
    golden = pd.DataFrame({"part_id": ["0"], "expected": [expected]})

    assert golden_rule(table(["dent"], [verdict]), golden).passed is passes


def test_where_no_golden_part_is_named_the_table_says_that_none_was_asked() -> None:
    golden = pd.DataFrame({"part_id": [], "expected": []})
    rule = golden_rule(table(["dent"], ["reject"]), golden)

    assert rule.passed
    assert rule.found == "nobody has named a golden part, so none was asked"


def test_a_golden_part_that_nobody_judged_stops() -> None:
    golden = pd.DataFrame({"part_id": ["7"], "expected": ["caught"]})
    rule = golden_rule(table(["dent"], ["reject"]), golden)

    assert not rule.passed
    assert "1 not judged: 7" in rule.found


def test_alpha_says_how_many_parts_and_uses() -> None:
    assert (min_parts(0.05), min_parts(0.01)) == (5, 7)
    assert (max_uses(0.05), max_uses(0.1)) == (20, 10)


def test_failures_name_rule_numbers_and_limit() -> None:
    rules = [Rule("parity", True, "fine", "none"), Rule("latency", False, "600 ms", "<= 500 ms")]

    assert failures(rules) == "latency: 600 ms, allowed is <= 500 ms"
