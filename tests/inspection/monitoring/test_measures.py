import numpy as np

from inspection.monitoring.measures import looks_of, measures, seen_of
from tests.inspection.monitoring.test_watching import logged


def test_a_part_has_the_mean_look_of_its_views_and_its_highest_scores() -> None:
    part = logged(1)
    first, second = part.views
    found = measures(part)

    assert found["brightness of rod"] == np.mean(
        [first.regions["rod"].brightness, second.regions["rod"].brightness]
    )
    assert found["score of anomaly"] == max(first.scores["anomaly"], second.scores["anomaly"])
    assert found["rate of parts rejected"] == 0.0


def test_looks_are_the_measures_that_need_no_verdict() -> None:
    part = logged(1, verdict="reject")
    rates = {name for name in measures(part) if name.startswith("rate of ")}

    assert rates == {"rate of parts rejected", "rate of parts not passed"}
    assert looks_of(part.views) == {
        name: value for name, value in measures(part).items() if name not in rates
    }


def test_a_part_is_seen_with_its_time_and_its_lot() -> None:
    seen = seen_of(logged(3, lot="4711"))

    assert (seen.at, seen.lot) == ("2026-01-01T000003", "4711")
