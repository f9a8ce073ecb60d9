import math

import numpy as np
import pytest

from inspection.evaluation.escape_limit import lowered
from inspection.evaluation.rates import upper_bound

NAN = math.nan


def two_kinds(good: list[float], bad: list[float]) -> tuple[np.ndarray, np.ndarray]:
    scores = np.array([*good, *bad])
    return scores, np.arange(len(scores)) >= len(good)


@pytest.mark.parametrize("asked", [0.3, 0.1, 0.05, 0.03])
def test_one_threshold_stands_at_the_order_statistic_that_the_binomial_allows(asked: float) -> None:
    """No higher one is shown to keep to the limit, and this one is: tight to a part."""
    scores, bad = two_kinds(list(np.linspace(-1, 2, 300)), list(np.linspace(0, 5, 120)))
    accept, limit = lowered(9.0, scores, bad, asked)
    defective = np.sort(scores[bad])
    rank = int(np.searchsorted(defective, accept))
    assert accept == defective[rank]
    assert limit.supported
    assert upper_bound(rank, 120) <= asked < upper_bound(rank + 1, 120)
    assert limit.escapes == rank


def test_what_costs_alone_keep_to_is_not_lowered() -> None:
    scores, bad = two_kinds([0.0, 1.0], [2.0] * 40)
    accept, limit = lowered(1.5, scores, bad, 0.1)
    assert accept == 1.5
    assert (limit.applied, limit.held_by) == ("limit", None)


@pytest.mark.parametrize(("n", "supported"), [(28, False), (29, True)])
def test_where_the_parts_are_too_few_none_of_them_passes_and_the_record_says_so(
    n: int, supported: bool
) -> None:
    scores, bad = two_kinds([0.0, 0.5, 1.0], [*np.linspace(0.7, 3, n)])
    accept, limit = lowered(2.0, scores, bad, 0.1)
    assert accept == 0.7
    assert limit.supported == supported
    assert limit.applied == ("limit" if supported else "no_known_escape")
    assert limit.n_parts_needed == 29
    assert limit.upper_bound == pytest.approx(1 - 0.05 ** (1 / n))
    assert limit.held_by == 3
    assert ("is supported" in limit.sentence) == supported


def test_a_part_without_a_score_never_passes() -> None:
    scores = np.array([0, NAN, 2.0])
    accept, limit = lowered(1.0, scores, np.array([0, 1, 1], bool), 0.9)
    assert accept == 1.0
    assert limit.escapes == 0


def test_without_a_limit_or_a_defective_part_costs_alone_decide() -> None:
    scores, bad = two_kinds([0.0, 1.0], [0.5])
    accept, limit = lowered(2.0, scores, bad, None)
    assert (accept, limit.applied, limit.escapes) == (2.0, "off", 1)
    accept, limit = lowered(2.0, scores[:2], bad[:2], 0.1)
    assert accept == 2.0
    assert (limit.supported, limit.upper_bound) == (False, 1.0)


@pytest.mark.parametrize(("n_unseen", "supported"), [(3, True), (4, False)])
def test_a_limit_is_supported_only_where_no_more_parts_escape_unseen_than_asked(
    n_unseen: int, supported: bool
) -> None:
    scores, bad = two_kinds([0.0], [5.0] * 100)
    _, limit = lowered(1.0, scores, bad, 0.03)
    assert limit.supported
    verdicts = ["pass"] + ["pass"] * n_unseen + ["review"] * (100 - n_unseen)
    judged = limit.judged_unseen(verdicts, bad)
    assert judged.supported == supported
    assert judged.unseen_escapes == n_unseen
    assert judged.as_json()["sentence"] == judged.sentence
