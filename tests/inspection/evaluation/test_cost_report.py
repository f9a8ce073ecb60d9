import json

import numpy as np
import pytest

from inspection.evaluation.cost_report import Counts, cost_report, expected_cost
from inspection.evaluation.costs import Costs
from inspection.evaluation.rates import upper_bound

COSTS = Costs()


def table(**verdicts: tuple[int, int, int]) -> tuple[list[str], list[str]]:
    """Verdicts and labels of so many parts of each class that pass, go to review, are rejected."""
    found, labels = [], []
    for label, counts in verdicts.items():
        for verdict, count in zip(("pass", "review", "reject"), counts, strict=True):
            found += [verdict] * count
            labels += [label] * count
    return found, labels


def test_the_cost_is_that_of_a_table_counted_by_hand() -> None:
    report = cost_report(*table(normal=(80, 15, 5), dent=(1, 4, 15)), "normal", COSTS)
    by_hand = 0.05 * (100 * 1 / 20 + 0.3 * 4 / 20) + 0.95 * (1 * 5 / 100 + 0.3 * 15 / 100)
    assert report.line.value == pytest.approx(by_hand)
    assert sum(report.shares.values()) == pytest.approx(by_hand)
    assert (report.review_all, report.pass_all) == (0.3, 5.0)
    assert report.reject_all == pytest.approx(0.95)
    assert (report.n_defective, report.n_normal) == (20, 100)
    assert json.loads(json.dumps(report.as_json()))["shares"] == report.shares


def test_what_never_escaped_may_still_escape_as_often_as_its_bound() -> None:
    line = expected_cost(Counts(0, 0, 33), Counts(500, 0, 0), COSTS)
    assert line.value == line.low == 0.0
    assert line.high == pytest.approx(5 * upper_bound(0, 33), abs=0.01)


@pytest.mark.parametrize(
    ("bad_share", "good_share"),
    [((0.02, 0.2), (0.1, 0.02)), ((0.0, 0.3), (0.5, 0.0)), ((0.2, 0.4), (0.2, 0.1))],
)
@pytest.mark.parametrize(("n_bad", "n_good"), [(16, 48), (33, 66), (150, 400)])
def test_each_end_of_the_interval_holds_in_19_of_20_draws(
    bad_share: tuple[float, float], good_share: tuple[float, float], n_bad: int, n_good: int
) -> None:
    """Shares of defective parts that escape and are reviewed, of good ones reviewed and rejected;
    2 % are 1.6 standard errors of 300 draws."""
    generator = np.random.default_rng(0)
    escapes, reviewed = bad_share
    looked, rejected = good_share
    truth = 0.05 * (100 * escapes + 0.3 * reviewed) + 0.95 * (rejected + 0.3 * looked)
    above, below = [], []
    for _ in range(300):
        bad = generator.multinomial(n_bad, [escapes, reviewed, 1 - escapes - reviewed])
        good = generator.multinomial(n_good, [1 - looked - rejected, looked, rejected])
        line = expected_cost(Counts(*map(int, bad)), Counts(*map(int, good)), COSTS)
        above.append(line.high < truth)
        below.append(line.low > truth)
    assert np.mean(above) <= 0.07
    assert np.mean(below) <= 0.07


def test_a_line_that_costs_more_than_review_says_so_and_what_costs_most() -> None:
    verdicts = table(normal=(40, 50, 10), dent=(3, 5, 12), slide=(0, 10, 20))
    report = cost_report(*verdicts, "normal", COSTS)
    assert not report.beats_review_all
    assert "does not beat" in report.sentence
    assert "dent" in report.advice[0]
    assert "3 of its 20" in report.advice[0]
    assert any("fewer escapes" in one for one in report.advice)


def test_it_would_pay_from_the_price_of_a_review_that_is_named() -> None:
    verdicts = table(normal=(40, 50, 10), dent=(3, 5, 12))
    (advice,) = (one for one in cost_report(*verdicts, "normal", COSTS).advice if "pays" in one)
    break_even = float(advice.split("more than ")[1].split(",")[0])
    for price, pays in ((break_even - 0.02, False), (break_even + 0.02, True)):
        costs = Costs(review_cost=price)
        assert cost_report(*verdicts, "normal", costs).beats_review_all == pays


def test_few_parts_without_an_error_beat_review_by_point_alone_and_more_would_show_it() -> None:
    report = cost_report(*table(normal=(60, 6, 0), dent=(0, 2, 20), slide=(0, 1, 10)), "normal",
                         COSTS)  # fmt: skip
    assert report.beats_review_all
    assert not report.surely_beats_review_all
    assert "may not beat" in report.sentence
    assert "slide" in report.advice[0]
    n_bad = int(report.advice[1].split(": ")[1].split(" ")[0])
    factor = n_bad // 33
    more = table(normal=(60 * factor, 6 * factor, 0), dent=(0, 3 * factor, 30 * factor))
    fewer = table(normal=(60, 6, 0), dent=(0, 3, 30))
    assert cost_report(*more, "normal", COSTS).surely_beats_review_all
    assert not cost_report(*fewer, "normal", COSTS).surely_beats_review_all


def test_of_a_single_class_without_an_escape_none_is_the_one_with_the_fewest_parts() -> None:
    report = cost_report(*table(normal=(60, 6, 0), scratch=(0, 3, 30)), "normal", COSTS)
    assert [one.split(":")[0] for one in report.advice] == ["more parts to measure on"]
    escaped = cost_report(*table(normal=(60, 6, 0), scratch=(1, 2, 30)), "normal", COSTS)
    assert escaped.advice[0].startswith("more parts or better features for scratch: 1 of its 33")


def test_of_classes_with_as_many_parts_none_has_the_fewest() -> None:
    alike = table(normal=(60, 6, 0), scratch=(0, 1, 16), dent=(0, 2, 15))
    advice = cost_report(*alike, "normal", COSTS).advice
    assert [one.split(":")[0] for one in advice] == ["more parts to measure on"]
    fewer = table(normal=(60, 6, 0), scratch=(0, 1, 16), dent=(0, 2, 14))
    advice = cost_report(*fewer, "normal", COSTS).advice
    assert advice[0] == "more parts of dent: 16 of 33 defective parts are of this class, the fewest"


def test_a_line_that_surely_pays_needs_no_advice() -> None:
    report = cost_report(*table(normal=(500, 20, 0), dent=(0, 2, 300)), "normal", COSTS)
    assert report.surely_beats_review_all
    assert report.advice == ()


@pytest.mark.parametrize("kind", ["normal", "dent"])
def test_without_a_kind_of_part_nothing_is_beaten(kind: str) -> None:
    report = cost_report(*table(**{kind: (10, 0, 0)}), "normal", COSTS)
    assert report.line.value is None
    assert not report.beats_review_all
    assert len(report.advice) == 1


def test_the_champion_stands_beside_where_it_is_known() -> None:
    champion = expected_cost(Counts(1, 0, 9), Counts(9, 1, 0), COSTS)
    report = cost_report(*table(normal=(9, 1, 0), dent=(0, 0, 9)), "normal", COSTS,
                         champion=champion)  # fmt: skip
    assert report.as_json()["champion"]["value"] == champion.value


@pytest.mark.parametrize(("factor", "is_advised"), [(100, True), (101, False)])
def test_more_than_a_hundred_times_the_parts_are_not_asked_for(
    factor: int, is_advised: bool
) -> None:
    """Reviews cost so much that just so many times the parts would show the gain."""
    bad, good = Counts(0, 0, 10), Counts(90, 0, 10)
    costs = Costs()
    shown = expected_cost(bad.times(factor), good.times(factor), costs).high
    before = expected_cost(bad.times(factor - 1), good.times(factor - 1), costs).high
    costs = Costs(review_cost=(shown + before) / 2)

    verdicts = table(normal=(90, 0, 10), dent=(0, 0, 10))
    advice = cost_report(*verdicts, "normal", costs).advice
    expected = f"{factor * 10} defective and {factor * 100} good ones"
    assert any(expected in one for one in advice) == is_advised
