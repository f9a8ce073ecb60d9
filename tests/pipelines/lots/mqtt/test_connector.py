"""The connector as a whole, with real brokers."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from inspection.errors import InspectionError
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict_log import VerdictLog
from inspection.runtime.views import View
from pipelines.lots.mqtt import __main__ as command
from pipelines.lots.mqtt.address import address_of
from tests.brokers import FRAMES, VERDICTS, Broker, Camera, part_message
from tests.bundles import draw_jpeg
from tests.lots import environment, promote_new, put_parts
from tests.waiting import wait_until

# A machine that is busy with other tests, on which processes take their time to begin.
PATIENCE_S = 120.0
# What a connector logs when it waits for parts.
READY = "parts come by"


class Told(logging.Handler):
    """What a connector logs, in order."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def holds(self, text: str) -> bool:
        """Whether a line holds this."""
        return any(text in line for line in list(self.lines))


@contextmanager
def connector(broker: Broker, *, is_awaited: bool = True, **given: Any) -> Iterator[Told]:
    """A connector in a thread of this process, once it waits for parts; yields what it logs."""
    stopping = threading.Event()
    address = address_of(broker.url, {})
    options = {"frames": FRAMES, "verdicts": VERDICTS, "stopping": stopping} | given
    thread = threading.Thread(target=command.connect, args=(address,), kwargs=options)
    told = Told()
    logger = logging.getLogger("knurl")
    logger.setLevel(logging.INFO)
    logger.addHandler(told)
    thread.start()
    try:
        if is_awaited:
            wait_until(lambda: told.holds(READY), PATIENCE_S)
        yield told
    finally:
        stopping.set()
        thread.join()
        logger.removeHandler(told)
        logger.setLevel(logging.NOTSET)


@contextmanager
def process(broker: Broker, *flags: str, code: str = "") -> Iterator["subprocess.Popen[str]"]:
    """The command as a process; `code` is run before it."""
    program = f"{code}\nfrom pipelines.lots.mqtt.__main__ import main\nmain()"
    topics = ("--frames", FRAMES, "--verdicts", VERDICTS)
    words = [sys.executable, "-c", program, "--broker", broker.url, *topics, *flags]
    log = Path("connector.log").open("a")  # noqa: SIM115
    with log, subprocess.Popen(words, env=environment(), stderr=log, text=True) as begun:
        try:
            yield begun
        finally:
            begun.kill()
            begun.wait()


def said() -> list[str]:
    """What connectors in processes have logged."""
    return Path("connector.log").read_text().splitlines()


def n_logged(project: Path) -> Counter[str | None]:
    """How often each part is in the verdict log."""
    import sqlite3

    with closing(sqlite3.connect(project / "verdicts/verdicts.db")) as database:
        return Counter(row[0] for row in database.execute("SELECT part_id FROM parts"))


def test_the_answer_is_the_inspectors_verdict_by_path_and_by_content(
    project: Path, broker: Broker, camera: Camera
) -> None:
    paths = put_parts(project / "shots", [1])
    contents = [path.read_bytes() for path in paths]
    with connector(broker, root=project / "shots"):
        named = {"part_id": "A-1", "views": [{"path": path.name} for path in paths]}
        camera.send(named | {"camera": "Ch00", "taken_at": "2026-11-25T06:30:00+09:00"}, b"one")
        camera.send(part_message("A-2", left=contents[0], right=contents[1]), b"two")
        by_path, by_content = camera.wait_for(2)

    inspector = Inspector(project / "models/releases/1")
    views = [View(path.name, content) for path, content in zip(paths, contents, strict=True)]
    part = inspector.inspect(views)
    worst = next(view for view in part.views if view.name == part.worst_view)
    expected = (part.verdict, part.label, worst.scores)
    assert part.verdict == "reject"
    assert (by_path["verdict"], by_path["label"], by_path["scores"]) == expected
    assert (by_content["verdict"], by_content["label"], by_content["scores"]) == expected
    assert by_path["boxes"] == [
        box | {"view": {"left": paths[0].name, "right": paths[1].name}[box["view"]]}
        for box in by_content["boxes"]
    ]
    assert [view["sha256"] for view in by_path["views"]] == [
        hashlib.sha256(content).hexdigest() for content in contents
    ]
    assert camera.correlations == [b"one", b"two"]
    with closing(VerdictLog(project / "verdicts")) as log:
        (logged,) = log.parts_of("A-1")
    assert (logged.camera, logged.taken_at) == ("Ch00", "2026-11-25T06:30:00+09:00")


def test_a_part_that_is_sent_twice_is_judged_once_and_answered_twice(
    project: Path, broker: Broker, camera: Camera
) -> None:
    message = part_message("A-1", a=draw_jpeg("dent"))
    with connector(broker) as first:
        camera.send(message)
        camera.wait_for(1)
    with connector(broker) as second:
        camera.send(message)
        camera.wait_for(2)
        promote_new(project, "2")
        camera.send(message)
        camera.wait_for(3)

    assert camera.lines[0] == camera.lines[1]
    assert [answer["release"] for answer in camera.answers] == ["1", "1", "2"]
    told = [line for line in [*first.lines, *second.lines] if line.startswith("A-1")]
    assert told == ["A-1: reject, dent", "A-1: reject, dent; as before", "A-1: reject, dent"]
    assert n_logged(project) == {"A-1": 2}


def test_what_comes_while_the_connector_is_away_waits_at_the_broker(
    project: Path, broker: Broker, camera: Camera
) -> None:
    with connector(broker):
        camera.send(part_message("A-0", a=draw_jpeg()))
        camera.wait_for(1)
    for number in range(1, 8):
        camera.send(part_message(f"A-{number}", a=draw_jpeg()))
    with connector(broker):
        answers = camera.wait_for(8)

    assert [answer["part_id"] for answer in answers] == [f"A-{number}" for number in range(8)]


def test_killed_between_verdict_and_acknowledgement_nothing_is_lost_or_judged_twice(
    project: Path, broker: Broker, camera: Camera
) -> None:
    kill = (
        "import os, paho.mqtt.client as paho\npaho.Client.ack = lambda *_: os.kill(os.getpid(), 9)"
    )
    with process(broker) as first:
        wait_until(lambda: any(READY in line for line in said()), PATIENCE_S)
        first.kill()
        first.wait()
    for number in range(3):
        camera.send(part_message(f"A-{number}", a=draw_jpeg("dent", seed=number)))

    with process(broker, code=kill) as killed:
        assert killed.wait(PATIENCE_S) == -signal.SIGKILL
    assert camera.wait_for(1)[0]["part_id"] == "A-0"
    with process(broker):
        camera.wait_for(4)

    assert [answer["part_id"] for answer in camera.answers] == ["A-0", "A-0", "A-1", "A-2"]
    assert camera.lines[0] == camera.lines[1]
    assert [line for line in said() if line.startswith("A-")] == [
        "A-0: reject, dent", "A-0: reject, dent; as before",
        "A-1: reject, dent", "A-2: reject, dent",
    ]  # fmt: skip
    assert n_logged(project) == {"A-0": 1, "A-1": 1, "A-2": 1}


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing_and_every_part_has_one_verdict(
    project: Path, broker: Broker, camera: Camera
) -> None:
    import random
    import time

    moments = random.Random(3)
    with process(broker):
        wait_until(lambda: any(READY in line for line in said()), PATIENCE_S)
    for begun in range(4):
        # to each some of its own: a fast machine would have judged all before the last one
        for number in range(10 * begun, 10 * begun + 10):
            camera.send(part_message(f"A-{number}", a=draw_jpeg("dent", seed=number)))
        n_before = len(camera.lines)
        with process(broker):
            wait_until(lambda n=n_before: len(camera.lines) > n, PATIENCE_S)
            time.sleep(moments.uniform(0, 0.2))

    with process(broker):
        wait_until(lambda: len({one["part_id"] for one in camera.answers}) == 40, PATIENCE_S)

    lines: dict[str, set[bytes]] = {}
    for line in camera.lines:
        lines.setdefault(json.loads(line)["part_id"], set()).add(line)
    assert all(len(told) == 1 for told in lines.values())
    assert n_logged(project) == {f"A-{number}": 1 for number in range(40)}


def test_one_part_is_in_hand_and_the_others_stay_at_the_broker(
    project: Path, broker: Broker, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the broker sends ahead: it may hold no word of Receive Maximum."""
    import paho.mqtt.client as paho

    from pipelines.lots.mqtt.answering import Answering

    in_hand: set[bytes] = set()
    most = 0
    go_on = threading.Event()
    answer, acknowledge = Answering.answer, paho.Client.ack

    def held(self: Answering, payload: bytes) -> bytes:
        nonlocal most
        in_hand.add(payload)
        most = max(most, len(in_hand))
        assert go_on.wait(PATIENCE_S)
        return answer(self, payload)

    def acknowledged(self: paho.Client, number: int, qos: int) -> Any:
        in_hand.clear()
        return acknowledge(self, number, qos)

    monkeypatch.setattr(Answering, "answer", held)
    monkeypatch.setattr(paho.Client, "ack", acknowledged)
    with connector(broker):
        for number in range(12):
            camera.send(part_message(f"A-{number}", a=draw_jpeg()))
        wait_until(lambda: bool(in_hand))
        assert camera.lines == []
        go_on.set()
        answers = camera.wait_for(12)

    assert [one["part_id"] for one in answers] == [f"A-{number}" for number in range(12)]
    assert most == 1


def test_a_message_that_is_no_part_is_answered_and_costs_no_other(
    project: Path, broker: Broker, camera: Camera
) -> None:
    good = part_message("A-1", a=draw_jpeg())
    garbage: list[Any] = [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"part_id": "\\ud800", "views": []}',
        b'"text"',
        {"part_id": "A-2"},
        {"part_id": "A-3", "views": [{"path": "a.jpg"}]},
        {"part_id": "A-4", "views": [{"name": "a", "content": "!!!!"}]},
        part_message("A-5", a=b"no picture"),
        good | {"oven\u001b[2J": 180},
    ]
    with connector(broker):
        for message in garbage:
            camera.send(message)
        camera.send(good)
        answers = camera.wait_for(len(garbage) + 1)

    assert [answer["part_id"] for answer in answers] == [
        "", "", "", "", "", "A-2", "A-3", "A-4", "A-5", "A-1", "A-1",
    ]  # fmt: skip
    errors = [answer["error"] for answer in answers]
    assert errors == ["bad_message"] * 8 + ["not_an_image", "bad_message", ""]
    assert all(answer["reasons"] for answer in answers[:-1])
    assert answers[-1]["verdict"] == "pass"


def test_a_broker_that_restarts_is_waited_for_and_told_once(
    project: Path, broker: Broker, camera: Camera
) -> None:
    with connector(broker) as told:
        camera.send(part_message("A-0", a=draw_jpeg()))
        camera.wait_for(1)
        told.lines.clear()
        broker.stop()
        wait_until(lambda: told.holds("tried again until it is back"))
        broker.start()
        wait_until(lambda: told.holds(READY) and camera.is_subscribed())
        camera.send(part_message("A-1", a=draw_jpeg()))
        answers = camera.wait_for(2)

    assert answers[-1]["part_id"] == "A-1"
    assert len([line for line in told.lines if "tried again until it is back" in line]) == 1


def test_a_broker_that_restarts_while_a_part_is_in_hand_gets_its_verdict(
    project: Path, broker: Broker, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.lots.mqtt.answering import Answering

    answer = Answering.answer

    def restarted(self: Answering, payload: bytes) -> bytes:
        monkeypatch.setattr(Answering, "answer", answer)
        broker.stop()
        broker.start()
        # where the verdict goes nobody may be yet
        wait_until(camera.is_subscribed)
        return answer(self, payload)

    monkeypatch.setattr(Answering, "answer", restarted)
    with connector(broker) as told:
        camera.send(part_message("A-0", a=draw_jpeg("dent")))
        camera.wait_for(1)

    assert {answer["verdict"] for answer in camera.answers} == {"reject"}
    assert len(set(camera.lines)) == 1
    assert [line for line in told.lines if line == "A-0: reject, dent"] == ["A-0: reject, dent"]


def test_a_broker_that_comes_later_than_the_connector_is_waited_for(
    project: Path, broker: Broker
) -> None:
    broker.stop()
    with connector(broker, is_awaited=False) as told:
        wait_until(lambda: told.holds("no connection"))
        broker.start()
        camera = Camera(broker)
        wait_until(lambda: told.holds(READY))
        camera.send(part_message("A-0", a=draw_jpeg()))
        camera.wait_for(1)
        camera.close()


def test_two_connectors_share_the_parts_of_a_topic(
    project: Path, broker: Broker, camera: Camera, tmp_path: Path
) -> None:
    """Two processes, as of two machines: each with a folder of its own."""
    shared = f"$share/cell/{FRAMES}"
    others = tmp_path / "second"
    others.mkdir()
    log = others / "log"
    words = [sys.executable, "-m", "pipelines.lots.mqtt", "--broker", broker.url]
    words += ["--frames", shared, "--verdicts", VERDICTS, "--client-id", "second"]
    words += ["--releases", str(project / "models/releases")]
    with (
        log.open("w") as file,
        subprocess.Popen(words, cwd=others, env=environment(), stderr=file) as second,
        connector(broker, frames=shared, client_id="first") as told,
    ):
        wait_until(lambda: READY in log.read_text(), PATIENCE_S)
        for number in range(20):
            camera.send(part_message(f"A-{number}", a=draw_jpeg()))
        answers = camera.wait_for(20)
        second.terminate()

    assert sorted(answer["part_id"] for answer in answers) == sorted(
        f"A-{number}" for number in range(20)
    )
    assert told.holds("A-")
    assert "A-" in log.read_text()


def test_sigterm_ends_it_after_the_part_in_hand(
    project: Path, broker: Broker, camera: Camera
) -> None:
    stop = (
        "import os, signal\n"
        "from pipelines.lots.mqtt import answering\n"
        "judge = answering.judge\n"
        "def stopped(*given):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return judge(*given)\n"
        "answering.judge = stopped"
    )
    with process(broker, code=stop) as ended:
        wait_until(lambda: any(READY in line for line in said()), PATIENCE_S)
        for number in range(3):
            camera.send(part_message(f"A-{number}", a=draw_jpeg()))
        assert ended.wait(PATIENCE_S) == 0
    assert [answer["part_id"] for answer in camera.wait_for(1)] == ["A-0"]

    with connector(broker):
        answers = camera.wait_for(3)
    assert [answer["part_id"] for answer in answers] == ["A-0", "A-1", "A-2"]


def test_a_second_connector_of_a_topic_is_refused(project: Path, broker: Broker) -> None:
    second = pytest.raises(InspectionError, match="a connector of knurl/test-line/parts")
    with connector(broker), second:
        command.connect(
            address_of(broker.url, {}),
            frames=FRAMES,
            verdicts=VERDICTS,
            stopping=threading.Event(),
        )


@pytest.mark.parametrize(
    ("topic", "pattern", "is_among"),
    [
        ("knurl/a/parts", "knurl/+/parts", True),
        ("a/b", "$share/group/a/#", True),
        ("knurl/a/verdicts", "knurl/+/parts", False),
        ("a/b", "$share/group/b", False),
    ],
)
def test_a_topic_is_held_against_a_pattern(topic: str, pattern: str, is_among: bool) -> None:
    pytest.importorskip("paho.mqtt")
    assert command.is_among(topic, pattern) == is_among


def test_verdicts_that_would_come_back_as_parts_are_refused(project: Path) -> None:
    pytest.importorskip("paho.mqtt")
    with pytest.raises(InspectionError, match="would come back as parts"):
        command.connect(
            address_of("mqtt://127.0.0.1", {}),
            frames="$share/cell/knurl/+/parts",
            verdicts="knurl/a/parts",
            stopping=threading.Event(),
        )


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], "--broker: none is named, nor in KNURL_BROKER"),
        (["--broker", "http://:secret@host"], "--broker: is no address of a broker"),
        (["--broker", "mqtt://127.0.0.1", "--root", "none"], "none: no such folder"),
    ],
)
def test_what_is_wrong_with_the_command_is_said_in_a_line(
    project: Path, flags: list[str], told: str
) -> None:
    pytest.importorskip("paho.mqtt")
    topics = ("--frames", FRAMES, "--verdicts", VERDICTS)
    words = [sys.executable, "-m", "pipelines.lots.mqtt", *topics, *flags]
    plain = {key: value for key, value in environment().items() if key != "KNURL_BROKER"}
    done = subprocess.run(words, env=plain, capture_output=True, text=True)

    assert done.returncode == 1
    assert told in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not os.path.exists(".state/lots")
