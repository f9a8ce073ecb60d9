import numpy as np
import pytest

from inspection.monitoring.outcomes import Checked, checked_parts, escape_rate, overkill_rate
from inspection.runtime.verdict_log import Feedback
from tests.inspection.monitoring.test_watching import logged


def said(label: str, *, part: str | None = None, request: str | None = None) -> Feedback:
    return Feedback(given_at="now", request_id=request, part_id=part, label=label, reviewer="Kim")


def test_the_last_verdict_and_the_last_word_on_a_part_count() -> None:
    parts = [logged(1), logged(2, verdict="reject"), logged(3, verdict="review"), logged(4)]
    parts.append(logged(1, verdict="reject"))
    words = [said("dent", part="p1"), said("normal", part="p1"), said("dent", request="r2")]
    found = checked_parts(parts, words, normal="normal")

    assert found == {
        "pass": Checked(1, 0, 0),
        "review": Checked(1, 0, 0),
        "reject": Checked(2, 2, 1),
    }


def test_rates_count_each_verdict_by_its_share_of_all_parts() -> None:
    checked = {
        "pass": Checked(900, 90, 1),  # of 900, ten are defective
        "review": Checked(60, 30, 10),  # twenty
        "reject": Checked(40, 40, 30),  # thirty, and ten good ones
    }

    assert escape_rate(checked).estimate == pytest.approx(10 / 60)
    assert overkill_rate(checked).estimate == pytest.approx(10 / (890 + 40 + 10))


def test_without_checked_parts_nothing_is_known() -> None:
    nothing = {verdict: Checked(10, 0, 0) for verdict in ("pass", "review", "reject")}

    assert escape_rate(nothing).estimate is None
    assert escape_rate(nothing).upper_bound == 1.0
    assert overkill_rate(nothing).upper_bound == 1.0


def test_the_bounds_hold_in_19_of_20_draws() -> None:
    random = np.random.default_rng(0)
    defective = {"pass": 0.01, "review": 0.3, "reject": 0.8}
    n_parts = {"pass": 900, "review": 60, "reject": 40}
    n_checked = {"pass": 200, "review": 60, "reject": 40}
    counts = {name: n_parts[name] * share for name, share in defective.items()}
    good = {name: n_parts[name] - count for name, count in counts.items()}
    escapes, overkill = counts["pass"] / sum(counts.values()), good["reject"] / sum(good.values())

    held = np.zeros(2)
    for _ in range(300):
        checked = {
            name: Checked(n_parts[name], n, int(random.binomial(n, defective[name])))
            for name, n in n_checked.items()
        }
        held += (
            escape_rate(checked).upper_bound >= escapes,
            overkill_rate(checked).upper_bound >= overkill,
        )
    assert min(held) / 300 >= 0.95
