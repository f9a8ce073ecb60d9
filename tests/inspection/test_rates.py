import numpy as np
import pytest
from scipy.stats import binomtest

from inspection.rates import bootstrap_bound, parts_needed, rate, upper_bound


@pytest.mark.parametrize(
    ("count", "n", "percent"),
    [(0, 53, 5.5), (0, 299, 1.0), (0, 10, 25.9), (1, 20, 21.6), (5, 5, 100.0)],
)
def test_the_bound_is_that_of_the_table(count: int, n: int, percent: float) -> None:
    assert round(100 * upper_bound(count, n), 1) == percent


@pytest.mark.parametrize(("count", "n"), [(0, 7), (3, 40), (12, 13), (50, 1000)])
def test_the_bound_is_the_exact_one_of_scipy(count: int, n: int) -> None:
    two_sided = binomtest(count, n).proportion_ci(confidence_level=0.9, method="exact")
    assert upper_bound(count, n) == pytest.approx(two_sided.high)


def test_no_part_at_all_bounds_nothing() -> None:
    nothing = rate(0, 0)
    assert nothing.value is None
    assert nothing.upper_bound == 1.0


def test_a_rate_is_count_over_n() -> None:
    assert rate(1, 4).value == 0.25


@pytest.mark.parametrize("count", [-1, 5])
def test_a_count_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=rf"should lie in 0\.\.4, got {count}"):
        rate(count, 4)


@pytest.mark.parametrize(("max_rate", "n"), [(0.01, 299), (0.05, 59), (0.1, 29), (0.001, 2995)])
def test_so_many_parts_without_failure_claim_a_rate_and_one_less_does_not(
    max_rate: float, n: int
) -> None:
    assert parts_needed(max_rate) == n
    assert upper_bound(0, n) <= max_rate < upper_bound(0, n - 1)


def test_a_bootstrap_bound_of_a_mean_is_that_of_the_normal_approximation() -> None:
    right = np.random.default_rng(0).random(400) < 0.8

    def accuracy(_: object, hits: np.ndarray) -> float:
        return float(hits.mean())

    wanted = right.mean() - 1.645 * right.std() / 20
    assert bootstrap_bound(accuracy, np.zeros(400), right) == pytest.approx(wanted, abs=0.005)


def test_a_bootstrap_keeps_the_number_of_parts_of_each_label() -> None:
    labels = np.array(["a"] * 7 + ["b"] * 2)
    counts: list[int] = []

    def count(drawn: np.ndarray, _: object) -> float:
        counts.append(int((drawn == "b").sum()))
        return 0.0

    bootstrap_bound(count, labels, labels, n=20)
    assert counts == [2] * 20
