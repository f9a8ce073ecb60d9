import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.evaluation.costs import Costs
from inspection.evaluation.smoothing import bandwidths
from inspection.evaluation.thresholds import below_scores, choose_thresholds
from inspection.runtime.detectors import Thresholds
from inspection.runtime.verdict import decide

COSTS = Costs()
PASS, REVIEW, REJECT = "pass", "review", "reject"


def scores_of(*scores: float) -> Any:
    return np.array(scores, float)


def judged(scores: Any, limits: Thresholds) -> list[str]:
    return decide(np.asarray(scores)[:, None], [limits])


def below(limit: float, score: float, width: float) -> float:
    return (1 + math.erf((limit - score) / width / math.sqrt(2))) / 2


def cost_of(scores: Any, bad: Any, limits: Thresholds, costs: Costs = COSTS) -> float:
    """Expected cost per part of the line, added up part by part, each part a Gaussian."""
    widths = bandwidths(scores[~bad], scores[bad])
    total = {True: 0.0, False: 0.0}
    for score, is_bad in zip(scores, bad.tolist(), strict=True):
        passed = below(limits.accept_below, score, widths[is_bad])
        kept = below(limits.reject_above, score, widths[is_bad])
        rejected = 1 - kept
        if is_bad:
            total[True] += costs.escape_cost * passed + costs.review_cost * (kept - passed)
        else:
            total[False] += costs.overkill_cost * rejected + costs.review_cost * (kept - passed)
    rate = costs.defect_rate
    return rate * total[True] / bad.sum() + (1 - rate) * total[False] / (~bad).sum()


def paid(verdicts: Any, bad: Any, costs: Costs = COSTS) -> float:
    """What verdicts on many parts cost, per part of the line."""
    verdicts = np.asarray(verdicts)
    escapes, reviewed = (verdicts[bad] == PASS).mean(), (verdicts[bad] == REVIEW).mean()
    overkill, looked = (verdicts[~bad] == REJECT).mean(), (verdicts[~bad] == REVIEW).mean()
    rate = costs.defect_rate
    return float(
        rate * (costs.escape_cost * escapes + costs.review_cost * reviewed)
        + (1 - rate) * (costs.overkill_cost * overkill + costs.review_cost * looked)
    )


def grid(scores: Any, steps: int) -> list[Thresholds]:
    cuts = np.linspace(scores.min() - 3, scores.max() + 3, steps)
    return [
        Thresholds(accept_below=low, reject_above=high)
        for low, high in product(cuts, cuts)
        if low <= high
    ]


def drawn(seed: int, n_normal: int, n_defective: int, shift: float = 5.0) -> tuple[Any, Any]:
    """Scores of normal parts about 0, and of defective ones about the shift."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 1, n_normal + n_defective)
    bad = np.arange(len(scores)) >= n_normal
    scores[bad] += generator.normal(shift, 2, n_defective)
    return scores, bad


@pytest.mark.parametrize("seed", range(8))
def test_no_thresholds_cost_less(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 1, 12)
    bad = np.arange(12) % 3 == 0
    scores[bad] += 1
    costs = Costs(escape_cost=generator.choice([2, 20, 100]), review_cost=0.3)
    choice = choose_thresholds(scores, bad, costs)
    tried = [cost_of(scores, bad, limits, costs) for limits in grid(scores, 40)]
    assert choice.expected_cost <= min(tried) + 1e-3
    assert choice.expected_cost >= min(tried) - 0.02


def test_the_expected_cost_is_that_of_the_thresholds_where_nothing_is_drawn_back() -> None:
    scores, bad = drawn(1, 200, 200, shift=1.0)
    choice = choose_thresholds(scores, bad, COSTS)
    assert choice.expected_cost == pytest.approx(cost_of(scores, bad, choice.thresholds), abs=1e-9)


@pytest.mark.parametrize("n", [10, 30])
def test_few_parts_cost_less_on_new_ones_than_by_their_own_scores_alone(n: int) -> None:
    """What was promised on the parts seen is kept on new ones, give or take; 20 draws."""
    promised, came, cut_at_scores = [], [], []
    new, new_bad = drawn(99, 4000, 4000)
    for seed in range(20):
        scores, bad = drawn(seed, 2 * n, n)
        choice = choose_thresholds(scores, bad, COSTS)
        promised.append(choice.expected_cost)
        came.append(paid(judged(new, choice.thresholds), new_bad))
        lowest = float(scores[bad & (scores > 2)].min())
        hard = Thresholds(accept_below=lowest, reject_above=lowest)
        cut_at_scores.append(paid(judged(new, hard), new_bad))
    assert np.mean(came) < 0.75 * np.mean(cut_at_scores)
    assert np.mean(came) < 1.6 * np.mean(promised)


def test_of_parts_far_apart_all_between_them_goes_to_review() -> None:
    scores, bad = scores_of(1, 2, 3, 40, 41, 42), np.arange(6) >= 3
    choice = choose_thresholds(scores, bad, COSTS)
    assert choice.expected_cost < 0.01
    looks = judged(scores_of(3, 5, 10, 20, 35, 39, 40, 99), choice.thresholds)
    assert looks == [PASS, REVIEW, REVIEW, REVIEW, REVIEW, REJECT, REJECT, REJECT]


@pytest.mark.parametrize("margin", [0.0, 0.001, 0.01])
@pytest.mark.parametrize("off", [0.0, 1e-6, 1e-3, 0.01])
def test_parts_told_apart_by_scores_that_are_all_alike_are_passed_and_rejected(
    off: float, margin: float
) -> None:
    # a saturated classifier gives every normal part one score, and every defective one another
    scores = np.r_[np.full(93, -2.784), -2.784 + off, np.full(16, 4.605)]
    bad = np.arange(110) >= 94
    found = choose_thresholds(scores, bad, COSTS, margin=margin).thresholds
    assert (scores[~bad] < found.accept_below).all()
    assert (scores[bad] > found.reject_above).all()


def test_dear_escapes_are_bought_off_with_review() -> None:
    scores, bad = drawn(0, 100, 50, shift=3.0)
    shares = []
    for price in (1, 10, 100, 1000):
        limits = choose_thresholds(scores, bad, Costs(escape_cost=price)).thresholds
        shares.append(judged(scores, limits).count(PASS))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


def test_where_review_costs_more_than_a_good_part_nothing_seen_is_reviewed() -> None:
    scores, bad = drawn(0, 100, 50, shift=2.0)
    choice = choose_thresholds(scores, bad, Costs(review_cost=50))
    assert REVIEW not in judged(scores, choice.thresholds)


def test_scores_that_tell_nothing_send_every_part_to_review() -> None:
    scores, bad = scores_of(3, 3, 3, 3), np.array([0, 1, 0, 1], bool)
    choice = choose_thresholds(scores, bad, COSTS)
    assert judged(scores_of(2.5, 3, 3.5), choice.thresholds) == [REVIEW] * 3
    assert choice.expected_cost == pytest.approx(COSTS.review_cost)


def test_thresholds_are_always_numbers_that_json_can_hold() -> None:
    for bad in ([0, 0, 0], [1, 1, 1], [0, 0, 1]):
        choice = choose_thresholds(scores_of(1, 2, 3), np.array(bad, bool), COSTS)
        assert np.isfinite(list(choice.thresholds.model_dump().values())).all()


def test_many_scores_are_thinned_to_few_cuts_at_little_cost() -> None:
    generator = np.random.default_rng(0)
    scores = scores_of(*generator.normal(0, 1, 1000), *generator.normal(12, 1, 200))
    choice = choose_thresholds(scores, np.arange(1200) >= 1000, COSTS)
    assert choice.expected_cost < 0.02


def overlapping(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of 200 normal and 200 defective parts that one cannot tell apart for sure."""
    generator = np.random.default_rng(seed)
    return scores_of(*generator.normal(0, 1, 200), *generator.normal(2, 1, 200)), (
        np.arange(400) >= 200
    )


def test_a_limit_binds_however_little_an_escape_costs() -> None:
    """Of 200 defective parts 3 may pass where 4 % are shown with 95 % confidence."""
    scores, bad = overlapping()
    cheap = Costs(escape_cost=0.5)
    free, bound = (
        choose_thresholds(scores, bad, cheap, max_escape_rate=rate) for rate in (None, 0.04)
    )
    passed = [np.array(judged(scores, one.thresholds))[bad] == PASS for one in (free, bound)]
    assert passed[0].sum() > 10
    assert passed[1].sum() == 3
    assert bound.expected_cost > free.expected_cost


def test_the_limit_counts_defective_parts_alone_however_many_good_ones_there_are() -> None:
    generator = np.random.default_rng(0)
    scores = scores_of(*generator.normal(0, 1, 3000), *generator.normal(2, 1, 30))
    bad = np.arange(3030) >= 3000
    choice = choose_thresholds(scores, bad, Costs(escape_cost=0.5), max_escape_rate=0.01)
    assert not choice.limit.supported
    assert PASS not in judged(scores[bad], choice.thresholds)


def test_a_part_without_a_score_is_reviewed_and_one_without_any_other_too() -> None:
    scores, bad = scores_of(1, 2, 18, float("nan")), np.array([0, 0, 1, 0], bool)
    limits = choose_thresholds(scores, bad, COSTS).thresholds
    assert judged(scores, limits) == [PASS, PASS, REJECT, REVIEW]
    nothing = choose_thresholds(np.full(3, np.nan), bad[:3], COSTS).thresholds
    assert judged([-9.0, 0.5, 9.0], nothing) == [REVIEW] * 3


def test_without_any_threshold_on_a_score_runtimes_that_differ_a_little_agree() -> None:
    generator = np.random.default_rng(0)
    scores, bad = drawn(0, 300, 100)
    scores[3] = np.nan
    besides = generator.normal(1, 1, 50)
    for rate in (None, 0.2, 0.01):
        limits = choose_thresholds(
            scores, bad, COSTS, max_escape_rate=rate, margin=0.01, measured=besides
        ).thresholds
        for threshold in (limits.accept_below, limits.reject_above):
            assert np.nanmin(np.abs(np.r_[scores, besides] - threshold)) >= 0.01 * (1 - 1e-9)
        shaken = scores + generator.choice([-0.0099, 0.0099], scores.shape)
        assert judged(shaken, limits) == judged(scores, limits)


@pytest.mark.parametrize(
    ("threshold", "expected"), [(9.0, 9.0), (3.05, 2.9), (2.95, 2.9), (2.85, 2.85), (1.0, 0.7)]
)
def test_a_threshold_comes_down_to_the_first_gap_between_scores(
    threshold: float, expected: float
) -> None:
    scores = np.array([3.0, 1.0, 0.9, 0.8])
    assert below_scores(threshold, scores, 0.1) == pytest.approx(expected)


def test_among_dense_scores_a_threshold_takes_the_widest_gap_within_ten_margins() -> None:
    """Where no gap of two margins is near, the threshold does not leave all scores behind."""
    scores = np.arange(0.0, 10.0, 0.25)
    assert below_scores(5.05, scores, 0.25) == 4.875

    wider = scores[scores != 4.0]  # a gap from 3.75 to 4.25
    assert below_scores(5.05, wider, 0.25) == 4.0
    assert below_scores(5.05, wider, 0.3) == 4.0
    assert below_scores(7.3, wider, 0.3) == 7.125  # the gap lies eleven margins below


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    scores=st.lists(st.integers(0, 60), min_size=1, max_size=60),
    thresholds=st.lists(st.floats(-1, 7), min_size=2, max_size=2),
    margin=st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.3]),
)
def test_a_higher_threshold_never_comes_down_further(
    scores: list[int], thresholds: list[float], margin: float
) -> None:
    low, high = sorted(thresholds)
    tenths = np.array(scores) / 10
    assert below_scores(low, tenths, margin) <= below_scores(high, tenths, margin) + 1e-9
    assert below_scores(low, tenths, margin) <= low


# What a limit must keep on any scores: ties, scores that are missing, few parts, one kind alone.
SCORES = st.sampled_from([*np.arange(0.0, 4.0, 0.25).tolist(), float("nan")])
PART = st.tuples(SCORES, st.booleans())
ASKED = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, None])


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    parts=st.lists(PART, min_size=1, max_size=40),
    asked=st.lists(ASKED, min_size=2, max_size=2),
    price=st.sampled_from([0.1, 1.0, 100.0]),
    margin=st.sampled_from([0.0, 0.05, 0.3]),
)
def test_asking_for_less_risk_never_passes_more(
    parts: list[tuple[float, bool]],
    asked: list[float | None],
    price: float,
    margin: float,
) -> None:
    scores = np.array([part[0] for part in parts])
    bad = np.array([part[1] for part in parts])
    strict, loose = sorted(asked, key=lambda rate: 2.0 if rate is None else rate)
    less, more = (
        choose_thresholds(
            scores,
            bad,
            Costs(escape_cost=price),
            max_escape_rate=rate,
            margin=margin,
        )
        for rate in (strict, loose)
    )
    one, other = less.thresholds, more.thresholds
    assert one.accept_below <= other.accept_below
    assert one.accept_below <= one.reject_above
    verdicts = [np.array(judged(scores, choice.thresholds)) for choice in (less, more)]
    assert not ((verdicts[0] == PASS) & (verdicts[1] != PASS)).any()
    assert less.limit.supported <= (more.limit.supported or loose is None)
    if strict is not None and not less.limit.supported:
        assert PASS not in verdicts[0][bad]
