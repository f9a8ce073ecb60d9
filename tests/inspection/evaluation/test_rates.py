import numpy as np
import pytest
from scipy.stats import binomtest, norm

from inspection.evaluation.rates import auroc_bound, parts_needed, rate, upper_bound


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


@pytest.mark.parametrize(("auroc", "n", "m"), [(0.5, 10, 40), (0.9, 13, 48), (1.0, 13, 48)])
def test_an_auroc_bound_is_seldom_above_the_truth(auroc: float, n: int, m: int) -> None:
    bound = auroc_bound(auroc, n, m)
    assert auroc - 0.2 < bound < auroc
    shift = np.sqrt(2) * norm.ppf(bound)  # of two normal scores with such an AUROC
    draws = np.random.default_rng(0)
    shown = [
        np.mean(draws.normal(shift, 1, n)[:, None] > draws.normal(0, 1, m)) for _ in range(2000)
    ]
    assert np.mean(np.array(shown) >= auroc) <= 0.06


def test_an_auroc_of_nothing_is_bounded_by_nothing() -> None:
    assert auroc_bound(0.0, 3, 4) == 0.0


def test_more_parts_bound_an_auroc_closer() -> None:
    bounds = [auroc_bound(0.95, n, 2 * n) for n in (5, 20, 80, 320)]
    assert bounds == sorted(bounds)
