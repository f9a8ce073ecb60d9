import pytest
from scipy.stats import binomtest

from inspection.rates import parts_needed, rate, upper_bound


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
