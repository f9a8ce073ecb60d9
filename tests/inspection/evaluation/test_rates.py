import numpy as np
import pytest
from scipy.stats import beta, binomtest, norm
from sklearn.metrics import roc_auc_score

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


@pytest.mark.parametrize("spread", [1.0, 3.0, 1 / 3])
@pytest.mark.parametrize(("auroc", "n", "m"), [(0.75, 10, 40), (0.9, 16, 50), (0.97, 33, 66)])
def test_an_auroc_bound_is_seldom_above_the_truth_however_the_kinds_spread(
    auroc: float, n: int, m: int, spread: float
) -> None:
    """Newcombe's bound lies above the truth in 14 % of draws at 0.9 and spread 3."""
    shift = np.hypot(1, spread) * norm.ppf(auroc)  # of scores with such an AUROC
    draws = np.random.default_rng(0)
    bounds = np.array(
        [auroc_bound(draws.normal(shift, spread, n), draws.normal(0, 1, m)) for _ in range(500)]
    )
    assert np.mean(bounds > auroc) <= 0.06
    assert bounds.mean() > auroc - 0.27


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_lies_below_the_auroc_of_scikit_learn_and_above_half_where_parts_tell(
    seed: int,
) -> None:
    draws = np.random.default_rng(seed)
    defective = draws.integers(1, 5, 40)
    normal = draws.integers(0, 3, 80)
    auroc = roc_auc_score([1] * 40 + [0] * 80, [*defective, *normal])
    bound = auroc_bound(defective, normal)
    assert bound is not None
    assert auroc - 0.15 < bound < auroc
    assert bound > 0.5


def test_a_perfect_auroc_is_bounded_as_a_rate_of_the_rarer_kind() -> None:
    assert auroc_bound([1.0] * 53, [0.0] * 400) == pytest.approx(1 - upper_bound(0, 53))


def test_an_auroc_of_nothing_is_bounded_by_nothing() -> None:
    assert auroc_bound([0.0] * 3, [1.0] * 4) == 0.0
    assert auroc_bound([], [1.0]) is None


def test_more_parts_bound_an_auroc_closer() -> None:
    bounds = []
    for n in (5, 20, 80, 320):
        scores = norm.ppf((np.arange(n) + 0.5) / n)
        bounds.append(auroc_bound(scores + 2, scores))
    assert bounds == sorted(bounds)


@pytest.mark.parametrize(("failures", "n"), [(0, 299), (1, 473), (3, 773)])
def test_with_failures_it_takes_more_parts(failures: int, n: int) -> None:
    assert parts_needed(0.01, failures=failures) == n
    assert upper_bound(failures, n) <= 0.01 < upper_bound(failures, n - 1)


def test_scores_that_all_tie_are_bounded_as_a_rate_of_the_rarer_kind() -> None:
    found = auroc_bound(np.full(5, 2.0), np.full(9, 2.0))
    assert found == pytest.approx(float(beta.ppf(0.05, 2.5, 3.5)))
