import hashlib
import hmac
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from inspection.errors import InspectionError
from pipelines.lots.watch_folder import watch
from tests.bundles import draw_jpeg
from tests.lots import environment, put_parts
from tests.webhooks import receiving

# A machine that is busy with other tests, on which processes take their time to begin.
PATIENCE_S = 120.0

COMMAND = (sys.executable, "-m", "pipelines.lots.watch_folder", "shots", "--out", "out.jsonl")
# Long enough that two looks see a file unchanged, and short for a test.
SETTLE_S = 0.2


def once(**given: Any) -> None:
    watch(Path("shots"), out=Path("out.jsonl"), settle_s=SETTLE_S, once=True, **given)


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]


def told() -> list[tuple[str, str, str]]:
    return [(row["part_id"], row["verdict"], row["error"]) for row in rows()]


def test_each_part_is_told_once_over_restarts(project: Path) -> None:
    put_parts(project / "shots", [0, 1])
    (project / "shots/stranger.jpg").write_bytes(draw_jpeg())
    once()
    first = [
        ("", "", "name_not_understood"),
        ("0000", "pass", ""),
        ("0001", "reject", ""),
    ]
    assert told() == first

    once()
    put_parts(project / "shots", [2])
    once()
    assert told() == [*first, ("0002", "reject", "")]
    assert [row["number"] for row in rows()] == [1, 2, 3, 4]
    assert rows()[1]["n_views"] == 2
    assert rows()[1]["release"] == "1"


def test_a_part_that_was_refused_is_judged_when_a_good_file_comes(project: Path) -> None:
    _, second = put_parts(project / "shots", [1])
    whole = second.read_bytes()
    second.write_bytes(whole[:2000])
    once()
    second.write_bytes(whole)
    once()

    assert told() == [("0001", "", "truncated"), ("0001", "reject", "")]


def test_a_file_that_comes_to_a_part_with_a_verdict_is_told_as_late(project: Path) -> None:
    first, _ = put_parts(project / "shots", [0])
    once()
    (project / "shots/Ch02_0000_0.jpg").write_bytes(draw_jpeg("dent"))
    once()
    assert told() == [("0000", "pass", ""), ("0000", "", "late_view")]
    assert rows()[1]["reasons"] == ["Ch02_0000_0.jpg: came or changed after the part was judged"]

    # the same bytes once more, as after a copy, are no news
    os.utime(first, ns=(0, 1))
    once()
    assert len(rows()) == 2


def test_a_part_that_cannot_be_read_is_told_once_and_judged_when_it_can(project: Path) -> None:
    """As the file of a share that is away for a while; a folder's mode does not stop root."""
    from pipelines.lots.arrivals import Arrived
    from pipelines.lots.journal import Journal
    from pipelines.lots.part import Frame, LotPart
    from pipelines.lots.record import Record
    from pipelines.lots.watch_folder import Watcher

    path = project / "a.jpg"
    arrived = Arrived(LotPart("A", (Frame("a.jpg", path),)), {"a.jpg": (5, 7)})
    with closing(Journal(project / "j.db")) as journal, closing(Record()) as record:
        releases = project / "models/releases"
        watcher = Watcher(journal, record, to_send=False, releases=releases)
        row = watcher.take(arrived)
        assert row is not None
        assert (row["verdict"], row["error"]) == ("", "unreadable")
        assert watcher.take(arrived) is None
        assert (watcher.handled, watcher.unreadable) == ({}, {"a.jpg": (5, 7)})

        path.write_bytes(draw_jpeg())
        row = watcher.take(arrived)
        assert row is not None
        assert row["verdict"] == "pass"
        assert watcher.handled == journal.handled() == {"a.jpg": (5, 7)}


def test_a_folder_that_is_not_there_is_refused_in_a_line(project: Path) -> None:
    with pytest.raises(InspectionError, match="shots: no such folder"):
        once()


def test_two_watchers_never_share_a_folder(project: Path) -> None:
    put_parts(project / "shots", [0])
    stopping = threading.Event()
    given: dict[str, Any] = {"out": Path("out.jsonl"), "settle_s": 60.0, "stopping": stopping}
    thread = threading.Thread(target=watch, args=(Path("shots"),), kwargs=given)
    thread.start()
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not list(Path(".state").glob("lots/*.db")) and time.monotonic() < deadline:
            time.sleep(0.02)
        with pytest.raises(InspectionError, match="a watcher of shots is running already"):
            once()
    finally:
        stopping.set()
        thread.join()


def test_verdicts_are_posted_signed_and_again_until_they_are_taken(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNURL_WEBHOOK_KEY", "key")
    put_parts(project / "shots", [0, 1])
    stopping = threading.Event()
    # the first two posts fail: those of both parts
    with receiving(lambda number: 503 if number < 2 else 200) as received:
        given: dict[str, Any] = {"out": Path("out.jsonl"), "settle_s": SETTLE_S}
        given |= {"stopping": stopping, "webhook": received.url}
        thread = threading.Thread(target=watch, args=(Path("shots"),), kwargs=given)
        thread.start()
        deadline = time.monotonic() + PATIENCE_S
        while len(received.bodies) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        stopping.set()
        thread.join()

    assert [json.loads(body) for body in received.bodies] == rows() * 2
    keys = [headers["idempotency-key"] for headers in received.headers]
    assert keys == [row["key"] for row in rows()] * 2
    for body, headers in zip(received.bodies, received.headers, strict=True):
        expected = hmac.new(b"key", body, hashlib.sha256).hexdigest()
        assert headers["x-knurl-signature"] == f"sha256={expected}"


def test_nothing_is_lost_or_told_twice_by_kills_at_random_moments(project: Path) -> None:
    """Killed again and again while parts come; the receiver refuses every third post."""
    moments = random.Random(7)
    with receiving(lambda number: 500 if number % 3 == 0 else 200) as received:
        words = [*COMMAND, "--settle", "0.1", "--webhook", received.url]
        for number in range(6):
            put_parts(project / "shots", range(10 * number, 10 * number + 10))
            process = subprocess.Popen(
                words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            _wait_for_more(Path("out.jsonl"))
            time.sleep(moments.uniform(0, 0.3))
            process.kill()
            process.wait()
        deadline = time.monotonic() + PATIENCE_S
        subprocess.run([*words, "--once"], env=environment(), check=True, capture_output=True)
        while _unsent() and time.monotonic() < deadline:
            once(webhook=received.url)

    parts = [f"{number:04d}" for number in range(60)]
    assert sorted(row["part_id"] for row in rows()) == parts
    assert [row["number"] for row in rows()] == list(range(1, 61))
    # at least once, and always by the same key, by which a receiver knows it again
    key_of = {row["part_id"]: row["key"] for row in rows()}
    posted = [json.loads(body) for body in received.bodies]
    assert {row["part_id"]: row["key"] for row in posted} == key_of
    taken = Counter(row["part_id"] for i, row in enumerate(posted) if i % 3)
    assert set(taken) == set(parts)


def _wait_for_more(path: Path) -> None:
    """Wait until a file grows."""
    size = path.stat().st_size if path.exists() else 0
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if path.exists() and path.stat().st_size > size:
            return
        time.sleep(0.005)


def _unsent() -> int:
    from pipelines.lots.journal import Journal

    (path,) = Path(".state/lots").glob("*.db")
    journal = Journal(path)
    n_unsent = journal.n_to_send()
    journal.close()
    return n_unsent


def test_ctrl_c_ends_it_well(project: Path) -> None:
    put_parts(project / "shots", [0])
    process = subprocess.Popen(
        [*COMMAND, "--settle", "0.1"], env=environment(), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "0000: pass, normal\n"
    process.send_signal(signal.SIGINT)

    assert process.wait(10) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
