import numpy as np

from inspection.adoption.runs import runs_of


def test_steps_of_two_kinds_make_runs_in_the_order_given() -> None:
    runs = runs_of([100, 5, 104, 1, 102, 3])
    assert runs.keys == (1, 0, 1, 0, 1, 0)
    assert 2 <= runs.max_gap < 95
    assert runs.separation > 0.99


def test_numbers_at_random_are_hardly_separated_and_even_ones_not_at_all() -> None:
    rng = np.random.default_rng(0)
    assert runs_of(rng.integers(0, 10**6, 2000).tolist()).separation < 0.75
    assert runs_of(list(range(50))).separation == 0
