import numpy as np
import pytest
from scipy.stats import kstest

from inspection.monitoring import drift
from inspection.monitoring.drift import (
    first_change,
    ranks,
    threshold_for,
    unlike_before,
    unlike_usual,
)

# Of a line: thirty tests that all together may be wrong once in forty days of 5,000 parts.
THRESHOLD = threshold_for(false_alarms=0.025, n_parts=5000, n_tests=30)


@pytest.mark.parametrize("draw", ["standard_normal", "standard_cauchy", "random"])
def test_false_alarms_are_no_more_than_allowed_whatever_the_distribution(draw: str) -> None:
    random = np.random.default_rng(1)
    allowed, n_parts, n_streams = 0.2, 200, 400
    threshold = threshold_for(false_alarms=allowed, n_parts=n_parts, n_tests=1)
    alarms = sum(
        first_change(getattr(random, draw)(n_parts), threshold=threshold, seed=number) is not None
        for number in range(n_streams)
    )
    # far from none as well: a test that never alarms would pass the first bound
    assert 0.05 * n_streams < alarms <= allowed * n_streams


def test_a_rate_of_rare_parts_raises_no_more_false_alarms() -> None:
    random = np.random.default_rng(2)
    threshold = threshold_for(false_alarms=0.2, n_parts=200, n_tests=1)
    streams = [(random.random(200) < 0.05).astype(float) for _ in range(400)]
    alarms = [first_change(s, threshold=threshold, seed=n) for n, s in enumerate(streams)]

    assert sum(alarm is not None for alarm in alarms) <= 80


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("shift", "within"), [(4.0, 35), (2.0, 45), (1.0, 110)])
def test_a_shift_is_noticed_and_its_beginning_found(sign: int, shift: float, within: int) -> None:
    random = np.random.default_rng(3)
    delays, beginnings = [], []
    for seed in range(40):
        usual, other = random.standard_normal(300), random.standard_normal(300) + sign * shift
        change = first_change([*usual, *other], threshold=THRESHOLD, seed=seed)
        assert change is not None
        delays.append(change.noticed_at - 299)
        beginnings.append(change.began_at)

    assert np.quantile(delays, 0.9) <= within
    assert abs(np.median(beginnings) - 300) <= 10


@pytest.mark.parametrize("n_usual", [5, 48])
def test_values_like_the_usual_ones_raise_no_more_false_alarms_than_allowed(n_usual: int) -> None:
    random = np.random.default_rng(4)
    threshold = threshold_for(false_alarms=0.2, n_parts=200, n_tests=1)
    noticed = [
        unlike_usual(
            random.standard_normal(200),
            # sorted: the order of what is known beforehand tells nothing
            np.sort(random.standard_normal(n_usual)),
            threshold=threshold,
            seed=seed,
        )
        for seed in range(400)
    ]

    assert 0.02 * 400 < sum(one is not None for one in noticed) <= 0.2 * 400


@pytest.mark.parametrize(("shift", "within"), [(4.0, 35), (2.0, 60), (-2.0, 60)])
def test_values_unlike_the_usual_ones_from_the_first_on_are_noticed(
    shift: float, within: int
) -> None:
    random = np.random.default_rng(5)
    threshold = threshold_for(false_alarms=0.05 / 8, n_parts=200, n_tests=30)
    noticed = [
        unlike_usual(
            random.standard_normal(200) + shift,
            random.standard_normal(48),
            threshold=threshold,
            seed=seed,
        )
        for seed in range(40)
    ]

    found = [one for one in noticed if one is not None]
    assert len(found) >= 36
    assert np.quantile(found, 0.9) <= within


def test_a_change_tells_the_means_before_and_after() -> None:
    change = first_change([10.0] * 100 + [20.0] * 100, threshold=THRESHOLD, seed=0)

    assert change is not None
    assert change.before == pytest.approx(10, abs=0.5)
    assert change.after == pytest.approx(20, abs=0.5)


def test_ranks_are_uniform_and_of_equal_values_drawn() -> None:
    random = np.random.default_rng(4)

    assert kstest(ranks(random.standard_normal(2000), seed=0), "uniform").pvalue > 0.01
    assert kstest(ranks([1.0] * 2000, seed=0), "uniform").pvalue > 0.01
    assert ranks([1.0, 2.0, 3.0, 4.0], seed=0)[-1] > 0.75


def test_a_strong_bet_stakes_nine_tenths_of_what_it_has_and_a_weak_one_three() -> None:
    """A value above all before it wins the bets that values rise, and loses the others."""
    after_one = drift._with_bets(np.zeros(4), 1.0)
    np.testing.assert_allclose(after_one, [1 - 0.9, 1 - 0.3, 1 + 0.3, 1 + 0.9])


def test_no_value_and_one_value_have_no_change() -> None:
    assert first_change([], threshold=1.0, seed=0) is None
    assert first_change([3.0], threshold=100.0, seed=0) is None


def test_what_is_unlike_before_is_unlikely_and_equal_values_are_not() -> None:
    random = np.random.default_rng(5)
    before = random.standard_normal(100)

    assert unlike_before(random.standard_normal(20) + 3, before) < 1e-6
    assert unlike_before([1.0] * 9, [1.0] * 30) == 1.0
