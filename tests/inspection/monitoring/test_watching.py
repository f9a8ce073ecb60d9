import numpy as np
import pytest

from inspection.monitoring import watching
from inspection.monitoring.measures import looks_of
from inspection.monitoring.reference import Reference
from inspection.monitoring.watching import alarms
from inspection.runtime.verdict_log import LoggedPart, LoggedView, RegionLook

LEVEL = {"false_alarms_a_day": 0.05, "parts_a_day": 5000}


def logged(
    number: int,
    *,
    camera: str = "Ch00",
    brightness: float = 100.0,
    verdict: str = "pass",
    release: str = "one",
    lot: str = "",
    logit: float = 0.0,
) -> LoggedPart:
    """A part with two views; its looks and scores vary as those of a line do."""
    random = np.random.default_rng(number)

    def view(name: str) -> LoggedView:
        look = RegionLook(
            x_px=float(random.normal(20, 3)),
            y_px=float(random.normal(80, 3)),
            width_px=float(random.normal(160, 2)),
            height_px=80.0,
            brightness=brightness * float(random.normal(1, 0.03)),
            focus=float(random.normal(0.3, 0.02)),
        )
        return LoggedView(
            name=name, sha256="00", width_px=320, height_px=256, verdict=verdict, label="normal",
            scores={"classifier": float(random.normal()), "anomaly": float(random.normal())},
            thresholds={}, probabilities={}, regions={"rod": look},
            embedding=[float(random.normal(logit, 1)), 0.0],
        )  # fmt: skip

    return LoggedPart(
        request_id=f"{lot}.{number}" if lot else f"r{number}", part_id=f"p{number}", camera=camera,
        taken_at=None, answered_at=f"2026-01-01T{number:06d}", latency_ms=30.0, line="rods",
        release=release, card_sha256="0", verdict=verdict, label="normal", worst_view="a",
        views=[view("a"), view("b")],
    )  # fmt: skip


# As many normal test parts as the sample line has, and their measures.
TEST_PARTS = [looks_of(logged(10_000 + number).views) for number in range(48)]
USUAL = {name: [one[name] for one in TEST_PARTS] for name in TEST_PARTS[0]}


def test_a_dimmer_lamp_of_one_camera_is_noticed_there_and_nowhere_else() -> None:
    usual = [logged(n, camera=f"Ch0{n % 2}") for n in range(600)]
    assert alarms(usual, **LEVEL) == []

    dim = [
        logged(n, camera=f"Ch0{n % 2}", brightness=70.0 if n % 2 else 100.0)
        for n in range(600, 800)
    ]
    (alarm,) = alarms([*usual, *dim], **LEVEL)
    assert (alarm.camera, alarm.measure) == ("Ch01", "brightness of rod")
    assert 600 <= int(alarm.noticed.partition("T")[2]) < 700
    assert alarm.after / alarm.before < 0.8
    assert "camera Ch01: brightness of rod" in alarm.text


def test_an_embedding_that_moves_is_noticed_where_nothing_else_does() -> None:
    usual = [logged(n) for n in range(300)]
    other = [logged(n, logit=3.0) for n in range(300, 400)]
    assert alarms(usual, **LEVEL) == []

    (alarm,) = alarms([*usual, *other], **LEVEL)
    assert (alarm.measure, alarm.n_parts) == ("embedding 1", 400)


def test_more_rejects_are_noticed() -> None:
    usual = [logged(n, verdict="reject" if n % 25 == 0 else "pass") for n in range(300)]
    worse = [logged(n, verdict="reject" if n % 2 else "pass") for n in range(300, 450)]
    measures_found = {alarm.measure for alarm in alarms([*usual, *worse], **LEVEL)}

    assert measures_found == {"rate of parts rejected", "rate of parts not passed"}


def test_a_new_release_is_held_against_itself_only() -> None:
    before = [logged(n, brightness=100.0) for n in range(200)]
    after = [logged(n, brightness=70.0, release="two") for n in range(200, 400)]

    assert alarms([*before, *after], **LEVEL) == []


def test_a_lot_that_is_unlike_all_before_it_is_named() -> None:
    usual = [logged(n, lot=f"lot{n // 20}") for n in range(200)]
    odd = [logged(n, lot="odd", brightness=85.0) for n in range(200, 215)]
    found = alarms([*usual, *odd], **LEVEL)

    assert [(alarm.lot, alarm.measure) for alarm in found] == [("odd", "brightness of rod")]


@pytest.mark.parametrize(("n_parts", "is_named"), [(8, True), (7, False)])
def test_a_lot_of_eight_parts_is_held_against_those_before(n_parts: int, is_named: bool) -> None:
    usual = [logged(n) for n in range(200)]
    odd = [logged(n, lot="odd", brightness=60.0) for n in range(200, 200 + n_parts)]
    named = {alarm.lot for alarm in alarms([*usual, *odd], **LEVEL)}

    assert ("odd" in named) == is_named


def test_all_tests_together_raise_as_many_false_alarms_as_are_allowed() -> None:
    shares = (watching.OF_STREAMS, watching.OF_LOTS, watching.OF_CARD, watching.OF_USUAL)
    assert sum(shares) == 1


def test_the_first_two_hundred_parts_of_a_stream_are_held_against_the_test_parts() -> None:
    known = Reference("one", {}, "normal", 0.05, usual={"Ch00": USUAL})
    dim = [logged(number, brightness=70.0) for number in range(300)]

    (alarm,) = alarms(dim, **LEVEL, reference=known)
    assert alarm.n_parts == 200
