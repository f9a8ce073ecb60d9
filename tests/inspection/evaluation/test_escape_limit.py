import math

import numpy as np
import pytest

from inspection.evaluation.escape_limit import lowered
from inspection.evaluation.rates import upper_bound

NAN = math.nan


def two_kinds(good: list[float], bad: list[float]) -> tuple[np.ndarray, np.ndarray]:
    scores = np.array([*good, *bad])[:, None]
    return scores, np.arange(len(scores)) >= len(good)


@pytest.mark.parametrize("asked", [0.3, 0.1, 0.05, 0.03])
def test_one_threshold_stands_at_the_order_statistic_that_the_binomial_allows(asked: float) -> None:
    """No higher one is shown to keep to the limit, and this one is: tight to a part."""
    scores, bad = two_kinds(list(np.linspace(-1, 2, 300)), list(np.linspace(0, 5, 120)))
    (accept,), limit = lowered([9.0], scores, bad, asked)
    defective = np.sort(scores[bad, 0])
    rank = int(np.searchsorted(defective, accept))
    assert accept == defective[rank]
    assert limit.supported
    assert upper_bound(rank, 120) <= asked < upper_bound(rank + 1, 120)
    assert limit.escapes == rank


def test_what_costs_alone_keep_to_is_not_lowered() -> None:
    scores, bad = two_kinds([0.0, 1.0], [2.0] * 40)
    accept, limit = lowered([1.5], scores, bad, 0.1)
    assert accept == [1.5]
    assert (limit.applied, limit.held_by) == ("limit", ())


@pytest.mark.parametrize(("n", "supported"), [(28, False), (29, True)])
def test_where_the_parts_are_too_few_none_of_them_passes_and_the_record_says_so(
    n: int, supported: bool
) -> None:
    scores, bad = two_kinds([0.0, 0.5, 1.0], [*np.linspace(0.7, 3, n)])
    (accept,), limit = lowered([2.0], scores, bad, 0.1)
    assert accept == 0.7
    assert limit.supported == supported
    assert limit.applied == ("limit" if supported else "no_known_escape")
    assert limit.n_parts_needed == 29
    assert limit.upper_bound == pytest.approx(1 - 0.05 ** (1 / n))
    assert limit.held_by == (3,)
    assert ("is supported" in limit.sentence) == supported


def test_the_detector_comes_down_that_loses_fewer_good_parts() -> None:
    scores = np.array([[0, 0], [6, 0], [6, 0], [0, 4], [4, 5], [5, 9]], float)
    bad = np.array([0, 0, 0, 0, 1, 1], bool)
    accept, limit = lowered([10.0, 10.0], scores, bad, 0.01)
    assert accept == [10.0, 5.0]
    assert limit.held_by == (4,)


def test_a_detector_that_scores_all_parts_alike_does_not_exclude_them_all_at_once() -> None:
    good = [[n / 10, 7] for n in range(10)]
    bad = [[n / 10 + 0.05, 7] for n in range(10)]
    scores, defective = np.array(good + bad, float), np.arange(20) >= 10
    accept, limit = lowered([9.0, 9.0], scores, defective, 0.6)
    assert accept[1] == 9.0
    assert limit.escapes == 2


def test_a_second_lowered_detector_counts_as_one_more_escape() -> None:
    scores = np.array([[0, 0]] * 4 + [[9, 0]] * 30 + [[0, 9]] * 30, float)
    bad = np.arange(64) >= 4
    accept, limit = lowered([10.0, 10.0], scores, bad, 0.06)
    assert accept == [9.0, 9.0]
    assert limit.upper_bound == pytest.approx(upper_bound(1, 60))
    assert not limit.supported
    assert limit.n_parts_needed == 78
    assert upper_bound(1, 78) <= 0.06 < upper_bound(1, 77)


def test_a_part_without_a_score_never_passes() -> None:
    scores = np.array([[0, 0], [NAN, 0], [0, NAN]], float)
    accept, limit = lowered([1.0, 1.0], scores, np.array([0, 1, 1], bool), 0.9)
    assert accept == [1.0, 1.0]
    assert limit.escapes == 0


def test_without_a_limit_or_a_defective_part_costs_alone_decide() -> None:
    scores, bad = two_kinds([0.0, 1.0], [0.5])
    accept, limit = lowered([2.0], scores, bad, None)
    assert (accept, limit.applied, limit.escapes) == ([2.0], "off", 1)
    accept, limit = lowered([2.0], scores[:2], bad[:2], 0.1)
    assert accept == [2.0]
    assert (limit.supported, limit.upper_bound) == (False, 1.0)


@pytest.mark.parametrize(("n_unseen", "supported"), [(3, True), (4, False)])
def test_a_limit_is_supported_only_where_no_more_parts_escape_unseen_than_asked(
    n_unseen: int, supported: bool
) -> None:
    scores, bad = two_kinds([0.0], [5.0] * 100)
    _, limit = lowered([1.0], scores, bad, 0.03)
    assert limit.supported
    verdicts = ["pass"] + ["pass"] * n_unseen + ["review"] * (100 - n_unseen)
    judged = limit.judged_unseen(verdicts, bad)
    assert judged.supported == supported
    assert judged.unseen_escapes == n_unseen
    assert judged.as_json()["sentence"] == judged.sentence
