import numpy as np
import pytest
from scipy.stats import binomtest

from inspection.monitoring import reference
from inspection.monitoring.reference import Band, Reference, bands, outside
from inspection.monitoring.watching import alarms
from tests.inspection.monitoring.test_watching import LEVEL, USUAL, logged

# Of the sample line: 3 of 48 normal test parts are rejected, 6 more go to review.
NORMAL = {"n_parts": 48, "pass": 39, "review": 6, "reject": 3}
CARD = Reference("one", {"normal": NORMAL}, "normal", defect_rate=0.05)
REJECTED, NOT_PASSED = "rate of parts rejected", "rate of parts not passed"


def test_the_bands_are_exact_bounds_of_the_normal_test_parts_and_the_defective_ones() -> None:
    found = bands(CARD, confidence=0.95)

    for name, count in ((REJECTED, 3), (NOT_PASSED, 9)):
        exact = binomtest(count, 48).proportion_ci(0.90, method="exact")
        assert found[name].low == pytest.approx(0.95 * exact.low)
        assert found[name].high == pytest.approx(0.95 * exact.high + 0.05)


def test_a_card_that_counts_nothing_is_no_reference() -> None:
    assert bands(Reference("one", {}, "normal", 0.05), confidence=0.95) == {}
    assert alarms([logged(n, verdict="reject") for n in range(100)], **LEVEL,
                  reference=Reference("one", {}, "normal", 0.05)) == []  # fmt: skip


def test_a_line_within_its_band_is_said_to_be_outside_less_often_than_is_allowed() -> None:
    """At the very edge of the band, over two thousand parts; 400 lines, 5 % allowed a side."""
    random, band = np.random.default_rng(0), Band(low=0.02, high=0.2)
    wrong = {
        rate: sum(
            outside(list(random.random(2000) < rate), band, alpha=0.05) is not None
            for _ in range(400)
        )
        for rate in (0.02, 0.1, 0.2)
    }

    # 400 at 5 % come out above 28 once in twenty times
    assert max(wrong.values()) <= 28, wrong
    assert wrong[0.1] == 0


@pytest.mark.parametrize(("alpha", "noticed_at"), [(0.75, 0), (0.749, None)])
def test_bets_of_one_three_and_six_tenths_share_what_is_staked(
    alpha: float, noticed_at: int | None
) -> None:
    """Where all three win they have won 1.1, 1.3 and 1.6, a third of the stake each: 1 / 0.75."""
    assert reference._first(np.array([1.0]), 1.0, alpha) == noticed_at


@pytest.mark.parametrize(("rate", "within"), [(0.5, 60), (0.3, 400), (0.0, 1000)])
def test_a_rate_outside_is_noticed(rate: float, within: int) -> None:
    values = list((np.random.default_rng(1).random(2000) < rate).astype(float))
    excess = outside(values, Band(low=0.02, high=0.2), alpha=1e-3)

    assert excess is not None
    assert excess.noticed_at < within
    assert (excess.rate > excess.bound) == (rate > 0.2)


def test_a_line_that_is_wrong_from_its_first_part_on_is_noticed_by_the_card() -> None:
    parts = [logged(n, verdict="reject" if n % 2 else "pass") for n in range(150)]
    assert alarms(parts, **LEVEL) == []  # nothing changes

    found = {alarm.measure: alarm for alarm in alarms(parts, **LEVEL, reference=CARD)}
    # of 48 parts 9 not passed leave room for more than four in ten: half is not shown in 150 parts
    assert set(found) == {f"{REJECTED}, by the card at most"}
    alarm = found[f"{REJECTED}, by the card at most"]
    assert (alarm.camera, alarm.since) == ("Ch00", parts[0].answered_at)
    assert alarm.before < 0.3 < alarm.after


def test_a_lamp_that_is_wrong_from_the_first_part_on_is_noticed_by_the_test_parts() -> None:
    known = Reference("one", {}, "normal", 0.05, usual={"Ch00": USUAL})
    usual = [logged(number) for number in range(300)]
    dim = [logged(number, brightness=70.0) for number in range(300)]

    assert alarms(dim, **LEVEL) == []  # nothing changes
    assert alarms(usual, **LEVEL, reference=known) == []
    (alarm,) = alarms(dim, **LEVEL, reference=known)
    assert alarm.measure == "brightness of rod, by the test parts"
    assert alarm.before == pytest.approx(100, rel=0.02)
    assert alarm.after == pytest.approx(70, rel=0.02)
    assert alarm.since == dim[0].answered_at
    assert int(alarm.noticed.partition("T")[2]) < 60


def test_the_test_parts_of_one_camera_or_release_say_nothing_of_another() -> None:
    known = Reference("one", {}, "normal", 0.05, usual={"Ch00": USUAL})
    other_camera = [logged(number, camera="Ch01", brightness=70.0) for number in range(100)]
    other_release = [logged(number, release="two", brightness=70.0) for number in range(100)]

    assert alarms(other_camera, **LEVEL, reference=known) == []
    assert alarms(other_release, **LEVEL, reference=known) == []


def test_the_card_of_one_release_says_nothing_of_another() -> None:
    parts = [logged(n, verdict="reject", release="two") for n in range(100)]

    assert alarms(parts, **LEVEL, reference=CARD) == []


def test_a_usual_line_fits_its_card() -> None:
    random = np.random.default_rng(2)
    verdicts = random.choice(["pass", "review", "reject"], 3000, p=[0.80, 0.10, 0.10])
    parts = [logged(n, verdict=str(verdict)) for n, verdict in enumerate(verdicts)]

    assert alarms(parts, **LEVEL, reference=CARD) == []
