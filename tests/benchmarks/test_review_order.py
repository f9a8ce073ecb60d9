import numpy as np
import pytest

from benchmarks.review_order import Bench, looks_for, report, share_of_gain
from inspection.evaluation.costs import Costs
from tests.labelled_views import LINE, views

N_PARTS = 90
WRONG = {f"sha{number}" for number in range(8)}


@pytest.fixture(scope="module")
def bench() -> Bench:
    """Parts that two numbers tell apart; eight dented ones are called normal."""
    truth = ["dent" if number < 40 else "normal" for number in range(N_PARTS)]
    called = ["normal" if number < len(WRONG) else label for number, label in enumerate(truth)]
    table = views(*((f"p{number}", label, [], "") for number, label in enumerate(called)))
    centres = np.array([[3.0 * (label == "dent"), 0.0] for label in truth])
    noise = np.random.default_rng(0).normal(0, 1, centres.shape)
    groups = table[["view_id", "near_duplicate_group"]].assign(group_id=table["part_id"])
    return Bench(
        raw=table.drop(columns="near_duplicate_group"),
        groups=groups,
        features=centres + noise,
        truth=dict(zip(table["image_sha256"], truth, strict=True)),
        line=LINE,
        costs=Costs(),
        seed=0,
    )


def test_correcting_wrong_labels_lowers_the_cost_and_right_ones_change_nothing(
    bench: Bench,
) -> None:
    before = bench.cost([])
    assert bench.cost(["sha20", "sha60"]) == before
    assert bench.cost(WRONG) < before


def test_the_report_counts_what_each_order_finds_and_gains(bench: Bench) -> None:
    desk = [*sorted(WRONG), *(f"sha{number}" for number in range(8, N_PARTS))]
    said = report(bench, WRONG, desk, n_draws=2).splitlines()
    nothing, everything, by_desk, at_random, as_many = said[1:]
    assert "0 of   8" in nothing
    assert nothing.endswith(" 0 %")
    assert "8 of   8" in everything
    assert everything.endswith(" 100 %")
    # four looks by the desk's order find four; chance finds as many among half of the views
    assert by_desk.split()[6:10] == ["4", "of", "8", "4"]
    assert "4 of   8" in at_random
    assert int(at_random.split()[9]) > 20
    assert int(as_many.split()[8]) == 4


def test_looks_are_counted_until_enough_wrong_labels_were_met() -> None:
    assert looks_for(["a", "b", "c", "d"], {"b", "d"}, 1) == 2
    assert looks_for(["a", "b", "c", "d"], {"b", "d"}, 2) == 4
    assert looks_for(["a", "b"], {"b"}, 0) == 0


def test_the_share_of_the_gain_is_none_where_there_is_nothing_to_gain() -> None:
    assert share_of_gain(0.3, before=0.4, after=0.2) == pytest.approx(0.5)
    assert share_of_gain(0.3, before=0.3, after=0.3) == 0
