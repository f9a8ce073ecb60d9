import json
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.lots.journal import Journal
from pipelines.lots.sender import QUEUE, Sender
from tests.lots import add_passed

# A machine that is busy with other tests, on which processes take their time to begin.
PATIENCE_S = 120.0


class Receiver:
    """Takes what it is posted, but for parts in `refuses`; what it was posted, in order."""

    def __init__(self) -> None:
        self.refuses: set[str] = set()
        self.posted: list[str] = []
        self.keys: list[str] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> str:
        part_id = json.loads(body)["part_id"]
        self.posted.append(part_id)
        self.keys.append(headers["Idempotency-Key"])
        return "status 500" if part_id in self.refuses else ""


def test_each_verdict_is_sent_once_with_its_key(journal: Journal) -> None:
    receiver = Receiver()
    sender = Sender(journal, "http://x", receiver)
    add_passed(journal, "A", "B", to_send=True)

    assert sender.send_due(0.0) == 2
    assert sender.send_due(1.0) == 0
    assert receiver.posted == ["A", "B"]
    assert len(set(receiver.keys)) == 2


def test_what_failed_is_tried_again_after_1_2_4_seconds_and_others_do_not_wait_for_it(
    journal: Journal,
) -> None:
    receiver = Receiver()
    receiver.refuses = {"A"}
    sender = Sender(journal, "http://x", receiver)
    add_passed(journal, "A", "B", to_send=True)
    tried = []
    for tenth in range(100):
        receiver.posted.clear()
        sender.send_due(tenth / 10)
        if "A" in receiver.posted:
            tried.append(tenth / 10)
        if not tenth:
            assert receiver.posted == ["A", "B"]

    assert tried == [0.0, 1.0, 3.0, 7.0]


def test_what_could_not_be_sent_is_sent_after_a_restart_with_the_same_key(tmp_path: Path) -> None:
    receiver = Receiver()
    receiver.refuses = {"A"}
    with closing(Journal(tmp_path / "j.db")) as journal:
        add_passed(journal, "A", to_send=True)
        Sender(journal, "http://x", receiver).send_due(0.0)

    receiver.refuses = set()
    with closing(Journal(tmp_path / "j.db")) as journal:
        assert Sender(journal, "http://x", receiver).send_due(0.0) == 1
        assert journal.n_to_send() == 0
    assert receiver.keys[0] == receiver.keys[1]


def test_no_more_than_a_queue_of_verdicts_is_held_at_a_time(journal: Journal) -> None:
    receiver = Receiver()
    sender = Sender(journal, "http://x", receiver)
    add_passed(journal, *(f"{number}" for number in range(QUEUE + 5)), to_send=True)

    assert sender.send_due(0.0) == QUEUE
    assert sender.send_due(0.0) == 5


def test_a_hundred_verdicts_that_are_refused_do_not_hold_up_the_next(journal: Journal) -> None:
    receiver = Receiver()
    bad = [f"bad{number}" for number in range(QUEUE)]
    receiver.refuses = set(bad)
    sender = Sender(journal, "http://x", receiver)
    add_passed(journal, *bad, to_send=True)
    sender.send_due(0.0)
    add_passed(journal, "good", to_send=True)

    assert sender.send_due(0.5) == 1
    assert receiver.posted[-1] == "good"


def test_a_journal_that_cannot_be_used_ends_no_sending(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A table that is gone for a while stands for what a disk may do to the file."""
    caplog.set_level(logging.WARNING)
    receiver = Receiver()
    with (
        closing(Journal(tmp_path / "j.db")) as journal,
        closing(sqlite3.connect(tmp_path / "j.db")) as other,
    ):
        add_passed(journal, "A", to_send=True)
        other.execute("ALTER TABLE verdicts RENAME TO gone")
        other.commit()
        sender = Sender(journal, "http://x", receiver)
        sender.start()
        wait_for(lambda: bool(caplog.messages))
        other.execute("ALTER TABLE gone RENAME TO verdicts")
        other.commit()
        wait_for(lambda: journal.n_to_send() == 0)
        sender.stop()

    assert receiver.posted == ["A"]
    (said,) = caplog.messages
    assert said.startswith("webhook: the journal cannot be used (no such table: verdicts)")


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_an_outage_is_logged_once(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    receiver = Receiver()
    receiver.refuses = {"A", "B"}
    add_passed(journal, "A", "B", to_send=True)
    Sender(journal, "http://secret", receiver).send_due(0.0)

    assert caplog.messages == ["webhook: status 500; what could not be sent waits"]
