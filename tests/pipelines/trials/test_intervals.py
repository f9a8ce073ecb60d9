import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import f1_score

from pipelines.trials.intervals import change_interval, macro_f1_change, mean_interval

CLASSES = ("normal", "dent", "slide")


def drawn_parts(n: int, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "part_id": [str(number) for number in range(n)],
            "n_views": generator.integers(1, 4, n),
            "edge": generator.beta(1, 9, n),
        }
    )


def test_the_interval_of_a_mean_is_that_of_scipys_bootstrap() -> None:
    values = drawn_parts(40)["edge"].to_numpy()
    found = mean_interval(values, np.ones(40))
    wanted = bootstrap(
        (values,), np.mean, confidence_level=0.9, method="percentile", n_resamples=20000, rng=1
    ).confidence_interval
    assert found["value"] == pytest.approx(values.mean())
    width = wanted.high - wanted.low
    assert found["low"] == pytest.approx(wanted.low, abs=0.05 * width)
    assert found["high"] == pytest.approx(wanted.high, abs=0.05 * width)


def test_a_part_counts_by_its_views_and_is_drawn_with_all_of_them() -> None:
    """Twenty parts of one view without heat on the edge, twenty of three with all of it there."""
    values, views = np.repeat([0.0, 1.0], 20), np.repeat([1.0, 3.0], 20)
    found = mean_interval(values, views)
    assert found["value"] == 0.75
    # drawn by view it would be 0.75 - 1.645 * sqrt(0.75 * 0.25 / 80), that is 0.67
    assert found["low"] is not None
    assert found["low"] < 0.65


@pytest.mark.parametrize(("n", "has_ends"), [(0, False), (1, False), (9, False), (10, True)])
def test_few_parts_have_no_interval(n: int, has_ends: bool) -> None:
    parts = drawn_parts(n)
    found = mean_interval(parts["edge"].to_numpy(), parts["n_views"].to_numpy())
    assert (found["low"] is not None) is has_ends
    assert (found["value"] is None) is (n == 0)


def test_a_change_is_of_the_parts_that_both_have() -> None:
    before = drawn_parts(30)
    after = before.iloc[5:].assign(edge=before["edge"] + 0.1)
    found = change_interval(before, after, "edge")
    assert list(found.values()) == pytest.approx([0.1, 0.1, 0.1])
    assert change_interval(before, after.iloc[:9], "edge")["low"] is None


def test_the_change_of_macro_f1_is_sklearns_with_ends_around_it() -> None:
    generator = np.random.default_rng(2)
    actual = generator.choice(CLASSES, 60)
    part_ids = [str(number) for number in range(60)]

    def judged(share: float) -> pd.DataFrame:
        by_chance = generator.choice(CLASSES, 60)
        predicted = np.where(generator.random(60) < share, actual, by_chance)
        columns = {"part_id": part_ids, "actual": actual, "predicted": predicted}
        return pd.DataFrame(columns)

    poor, good = judged(0.3), judged(0.95)
    found = macro_f1_change(poor, good, CLASSES)
    first, second = (f1_score(actual, one["predicted"], average="macro") for one in (poor, good))
    assert found["value"] == pytest.approx(second - first)
    assert found["low"] is not None
    assert found["high"] is not None
    assert 0 < found["low"] < second - first < found["high"]
    assert list(macro_f1_change(good, good, CLASSES).values()) == [0, 0, 0]
    assert macro_f1_change(poor, good.assign(part_id="other"), CLASSES)["value"] is None
