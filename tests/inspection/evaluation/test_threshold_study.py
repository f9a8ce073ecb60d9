import pytest

from inspection.evaluation.threshold_study import simulated


@pytest.mark.parametrize(("n", "size"), [(0, 10), (29, 10), (30, 30), (99, 30), (5000, 300)])
@pytest.mark.parametrize(("asked", "limit"), [(0.001, 0.01), (0.02, 0.01), (0.05, 0.1), (0.9, 0.1)])
def test_the_rows_are_those_of_as_many_parts_and_the_next_limit(
    n: int, size: int, asked: float, limit: float
) -> None:
    rows = simulated(n, asked)
    assert {(row["n_defective"], row["asked"]) for row in rows} == {(size, limit)}
    assert len({row["scenario"] for row in rows}) == len(rows) == 4


def test_without_a_limit_nothing_applies() -> None:
    assert simulated(100, None) == []


def test_what_is_shown_with_95_percent_confidence_was_seldom_exceeded() -> None:
    for row in simulated(30, 0.1):
        assert row["exceeds"] <= 0.05
        assert row["escape_rate"] < 0.1
