from itertools import product
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from inspection.verdicts import (
    Costs,
    Thresholds,
    choose_thresholds,
    cross_decided,
    decide,
    worst,
)

COSTS = Costs()
PASS, REVIEW, REJECT = "pass", "review", "reject"


def one_channel(*scores: float) -> Any:
    return np.array(scores, float)[:, None]


def cost_of(verdicts: list[str], defective: Any, costs: Costs) -> float:
    """Expected cost per part of the line, added up part by part."""
    on_bad = {PASS: costs.escape_cost, REVIEW: costs.review_cost, REJECT: 0.0}
    on_good = {PASS: 0.0, REVIEW: costs.review_cost, REJECT: costs.overkill_cost}
    bad = [on_bad[v] for v, is_bad in zip(verdicts, defective, strict=True) if is_bad]
    good = [on_good[v] for v, is_bad in zip(verdicts, defective, strict=True) if not is_bad]
    return costs.defect_rate * float(np.mean(bad)) + (1 - costs.defect_rate) * float(np.mean(good))


def all_thresholds(scores: Any) -> list[Thresholds]:
    """Every pair of cuts that sorts these scores in another way."""
    levels = np.unique(scores)
    cuts = [levels[0] - 1, *(levels[:-1] + np.diff(levels) / 2), levels[-1] + 1]
    return [
        Thresholds(accept_below=accept, reject_above=reject)
        for accept, reject in product(cuts, cuts)
        if accept <= reject
    ]


def test_a_score_on_or_between_the_thresholds_goes_to_review() -> None:
    limits = Thresholds(accept_below=1.0, reject_above=2.0)
    verdicts = [limits.verdict(score) for score in (0.9, 1.0, 1.5, 2.0, 2.1)]
    assert verdicts == [PASS, REVIEW, REVIEW, REVIEW, REJECT]


def test_a_score_that_is_not_a_number_goes_to_review() -> None:
    assert Thresholds(accept_below=1.0, reject_above=2.0).verdict(float("nan")) == REVIEW


def test_the_worst_verdict_is_the_most_severe_one() -> None:
    assert worst([PASS, REVIEW]) == REVIEW
    assert worst([REVIEW, REJECT, PASS]) == REJECT


def test_of_separable_parts_the_gap_goes_to_review_and_nothing_else() -> None:
    scores, defective = one_channel(1, 2, 3, 7, 8), np.array([0, 0, 0, 1, 1], bool)
    choice = choose_thresholds(scores, defective, COSTS)
    assert choice.expected_cost == 0
    assert choice.thresholds == [Thresholds(accept_below=4.0, reject_above=6.0)]
    assert decide(one_channel(3, 3.9, 5, 6.1), choice.thresholds) == [PASS, PASS, REVIEW, REJECT]


def test_dear_escapes_are_bought_off_with_overkill_or_review() -> None:
    scores, defective = one_channel(1, 2, 3, 4, 5), np.array([0, 1, 0, 0, 1], bool)
    dear = choose_thresholds(scores, defective, Costs(escape_cost=1000))
    cheap = choose_thresholds(scores, defective, Costs(escape_cost=0.01))
    assert decide(scores, dear.thresholds) == [PASS, REVIEW, REVIEW, REVIEW, REJECT]
    assert decide(scores, cheap.thresholds)[:4] == [PASS] * 4


def test_where_review_costs_more_than_a_good_part_nothing_is_reviewed() -> None:
    scores, defective = one_channel(1, 2, 3, 4, 5), np.array([0, 1, 0, 0, 1], bool)
    choice = choose_thresholds(scores, defective, Costs(review_cost=50))
    assert REVIEW not in decide(scores, choice.thresholds)


def test_scores_that_tell_nothing_send_every_part_to_review() -> None:
    scores, defective = one_channel(3, 3, 3, 3), np.array([0, 1, 0, 1], bool)
    choice = choose_thresholds(scores, defective, COSTS)
    assert decide(one_channel(2.5, 3, 3.5), choice.thresholds) == [REVIEW] * 3
    assert choice.expected_cost == pytest.approx(COSTS.review_cost)


@pytest.mark.parametrize("seed", range(12))
def test_no_thresholds_of_one_channel_cost_less(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 1, (12, 1)).round(1)
    defective = np.arange(12) % 3 == 0
    scores[defective] += 1
    costs = Costs(escape_cost=generator.choice([2, 20, 100]), review_cost=0.3)
    choice = choose_thresholds(scores, defective, costs)
    tried = [
        cost_of(decide(scores, [limits]), defective, costs) for limits in all_thresholds(scores)
    ]
    assert choice.expected_cost == pytest.approx(min(tried))
    paid = cost_of(decide(scores, choice.thresholds), defective, costs)
    assert paid == pytest.approx(choice.expected_cost)


@pytest.mark.parametrize("seed", range(4))
def test_no_thresholds_of_two_channels_cost_less(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 1, (7, 2)).round(1)
    defective = np.arange(7) % 2 == 0
    scores[defective, 0] += 2
    choice = choose_thresholds(scores, defective, COSTS)
    tried = [
        cost_of(decide(scores, pair), defective, COSTS)
        for pair in product(*(all_thresholds(column) for column in scores.T))
    ]
    assert choice.expected_cost == pytest.approx(min(tried))


@pytest.mark.parametrize("seed", [1, 6, 10, 18])
def test_channels_that_see_different_defects_leave_each_other_what_they_are_blind_to(
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    noise = generator.normal(0, 1, (44, 2))
    noise[20:32, 0] += 9
    noise[32:, 1] += 9
    choice = choose_thresholds(noise, np.arange(44) >= 20, COSTS)
    assert choice.expected_cost == 0
    assert decide(noise, choice.thresholds) == [PASS] * 20 + [REJECT] * 24


def test_a_part_that_a_channel_did_not_see_is_reviewed_unless_another_rejects_it() -> None:
    nan = float("nan")
    scores = np.array([[1, 1], [2, nan], [8, nan], [nan, 2], [nan, 9]])
    defective = np.array([0, 0, 1, 0, 1], bool)
    choice = choose_thresholds(scores, defective, COSTS)
    assert decide(scores, choice.thresholds) == [PASS, REVIEW, REJECT, REVIEW, REJECT]


def test_a_channel_without_any_evidence_passes_nothing_and_leaves_rejecting_to_the_other() -> None:
    scores = np.c_[[1.0, 2.0, 8.0], np.full(3, np.nan)]
    choice = choose_thresholds(scores, np.array([0, 0, 1], bool), COSTS)
    assert decide(scores, choice.thresholds) == [REVIEW, REVIEW, REJECT]
    assert choice.thresholds[1].verdict(0.5) == "review"


def test_thresholds_are_always_numbers_that_json_can_hold() -> None:
    for defective in ([0, 0, 0], [1, 1, 1]):
        choice = choose_thresholds(one_channel(1, 2, 3), np.array(defective, bool), COSTS)
        assert np.isfinite(list(choice.thresholds[0].model_dump().values())).all()


def test_many_scores_are_thinned_to_few_cuts_at_little_cost() -> None:
    generator = np.random.default_rng(0)
    scores = one_channel(*generator.normal(0, 1, 1000), *generator.normal(9, 1, 200))
    choice = choose_thresholds(scores, np.arange(1200) >= 1000, COSTS)
    assert choice.expected_cost < 0.02


@pytest.mark.parametrize("wrong", [{"escape_cost": 0}, {"defect_rate": 1}, {"escape": 5}])
def test_costs_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Costs(**wrong)


def overlapping(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of 200 normal and 200 defective parts that one cannot tell apart for sure."""
    generator = np.random.default_rng(seed)
    return one_channel(*generator.normal(0, 1, 200), *generator.normal(2, 1, 200)), (
        np.arange(400) >= 200
    )


def test_no_more_parts_escape_than_allowed_however_cheap_an_escape_is() -> None:
    scores, defective = overlapping()
    cheap = Costs(escape_cost=0.5)
    free, bound = (
        choose_thresholds(scores, defective, cheap, max_escapes=allowed) for allowed in (None, 2)
    )
    passed = [np.array(decide(scores, one.thresholds))[defective] == PASS for one in (free, bound)]
    assert passed[0].sum() > 10
    assert passed[1].sum() <= 2
    assert bound.expected_cost > free.expected_cost


def test_a_part_is_judged_by_thresholds_that_were_chosen_without_it() -> None:
    scores = one_channel(*range(10), *range(20, 29), 5.5)
    defective = np.arange(20) >= 10
    seen = decide(scores, choose_thresholds(scores, defective, COSTS).thresholds)
    unseen = cross_decided(scores, defective, COSTS)
    assert seen[-1] != PASS
    assert unseen[-1] == PASS
    assert unseen == cross_decided(scores, defective, COSTS)


def test_what_is_told_of_unseen_parts_holds_for_new_ones() -> None:
    scores, defective = overlapping()
    told = np.array(cross_decided(scores, defective, COSTS))
    limits = choose_thresholds(scores, defective, COSTS).thresholds
    new, new_defective = overlapping(seed=1)
    came = np.array(decide(new, limits))
    escape_rates = [(told[defective] == PASS).mean(), (came[new_defective] == PASS).mean()]
    assert escape_rates[0] == pytest.approx(escape_rates[1], abs=0.02)
