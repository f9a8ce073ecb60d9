import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp

from inspection.runtime.releases import promote, release
from serving import client as module
from serving.api import create_app, create_plant_app
from serving.champion import Champion
from serving.client import AsyncClient, Client, Part, ServiceError
from serving.inspections import Inspections
from serving.plant.wiring import plant_of
from serving.recorder import KeepingPolicy, Recorder
from serving.refusals import RefusedError
from serving.settings import Settings
from tests.bundles import draw_jpeg, make_bundle


@pytest.fixture
def address(champion: Champion, tmp_path: Path) -> Iterator[str]:
    """The real app on a real socket."""
    recorder = Recorder(tmp_path / "verdicts", KeepingPolicy(0.0, 10**6))
    with at_work(create_app(champion, tokens=("secret",), recorder=recorder)) as found:
        yield found
    recorder.close()


@pytest.fixture
def lines_address(releases: Path, tmp_path: Path) -> Iterator[str]:
    """The app of two lines, the champion of one of which is called `tiles-1`."""
    own = tmp_path / "lines/tiles/models"
    make_bundle(own / "bundle", version="tiles-1")
    release(own / "bundle", own / "releases", "tiles-1")
    promote(own / "releases", "tiles-1")
    policy = KeepingPolicy(0.0, 10**6)
    lines = plant_of(
        Settings(releases, (), tmp_path / "verdicts", policy, lines=tmp_path / "lines")
    )
    lines.start()
    with at_work(create_plant_app(lines)) as found:
        yield found
    lines.stop()


@contextmanager
def at_work(app: ASGIApp) -> Iterator[str]:
    """The address at which an app answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_a_part_is_inspected_told_about_and_traced(address: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(draw_jpeg("dent"))
    with Client(address, token="secret") as client:
        answer = client.inspect([path, ("b.jpg", draw_jpeg())], part_id="A/1", camera="Ch00")
        told = client.give_feedback(label="slide", reviewer="Kim", part_id="A/1")
        trace = client.trace("A/1")

    assert (answer.verdict, answer.label, answer.worst_view) == ("reject", "dent", "a.jpg")
    assert told.number == 1
    assert [part.request_id for part in trace.verdicts] == [answer.request_id]
    assert [feedback.label for feedback in trace.feedback] == ["slide"]


def test_a_client_of_a_line_asks_that_line_and_lists_all(
    lines_address: str, tmp_path: Path
) -> None:
    with Client(lines_address, line="tiles") as client:
        answer = client.inspect([("a.jpg", draw_jpeg("dent"))], part_id="T-1")
        client.give_feedback(label="slide", reviewer="Kim", part_id="T-1")
        trace = client.trace("T-1")
        lot = client.inspect_lot([Part([("a.jpg", draw_jpeg())], part_id="T-2")])
        listed = client.lines().lines
    with Client(lines_address, line="a/b") as client, pytest.raises(ServiceError) as refused:
        client.trace("T-1")

    assert answer.model.release == lot.parts[0].model.release == "tiles-1"
    assert [said.label for said in trace.feedback] == ["slide"]
    assert [(one.name, one.path, one.ready) for one in listed] == [
        ("test-line", "", True),
        ("tiles", "/lines/tiles", True),
    ]
    assert refused.value.status == 404


def test_the_async_client_of_a_line_asks_that_line(lines_address: str) -> None:
    async def asked() -> tuple[str, int]:
        async with AsyncClient(lines_address, line="tiles") as client:
            answer = await client.inspect([("a.jpg", draw_jpeg())])
            return answer.model.release, len((await client.lines()).lines)

    assert anyio.run(asked) == ("tiles-1", 2)


# What is by detector, class or region, and no object of its own.
MAPS = {"scores", "verdicts", "thresholds", "probabilities", "regions"}


def with_new_keys(value: Any, *, is_map: bool = False) -> Any:
    """The answer of a newer service: each object of it has a key that we do not know."""
    if isinstance(value, list):
        return [with_new_keys(one) for one in value]
    if not isinstance(value, dict):
        return value
    changed = {key: with_new_keys(one, is_map=key in MAPS) for key, one in value.items()}
    return changed if is_map else changed | {"new": 1}


def test_a_client_reads_the_answers_of_a_newer_service(address: str) -> None:
    with Client(address, token="secret") as client:
        answer = client.inspect([("a.jpg", draw_jpeg("dent"))], part_id="A")
        client.give_feedback(label="slide", reviewer="Kim", part_id="A")
        trace = client.trace("A")

    for known in (answer, trace):
        newer = with_new_keys(known.model_dump())
        assert json.dumps(newer).count('"new"') >= 6
        read = module._read(httpx.Response(200, json=newer), type(known))
        assert read == known


def test_a_lot_is_inspected(address: str) -> None:
    parts = [Part([("a.jpg", draw_jpeg(kind))], part_id=kind) for kind in ("dent", "slide")]
    with Client(address, token="secret") as client:
        lot = client.inspect_lot(parts)

    assert [(part.part_id, part.label) for part in lot.parts] == [
        ("dent", "dent"),
        ("slide", "slide"),
    ]


def test_a_part_of_a_lot_needs_an_id(address: str) -> None:
    parts = [Part([("a.jpg", draw_jpeg())], part_id="1"), Part([("b.jpg", draw_jpeg())])]
    with Client(address) as client, pytest.raises(ValueError, match="number 1 has no part_id"):
        client.inspect_lot(parts)


def test_the_async_client_says_the_same(address: str) -> None:
    async def talk() -> tuple[str, str, int]:
        async with AsyncClient(address, token="secret") as client:
            answer = await client.inspect([("a.jpg", draw_jpeg("dent"))], part_id="A1")
            await client.give_feedback(label="dent", reviewer="Kim", part_id="A1")
            lot = await client.inspect_lot([Part([("a.jpg", draw_jpeg())], part_id="A2")])
            trace = await client.trace("A1")
        return answer.label, lot.parts[0].label, len(trace.feedback)

    assert anyio.run(talk) == ("dent", "normal", 1)


def test_a_refusal_is_an_error_with_its_code(address: str) -> None:
    with Client(address) as client, pytest.raises(ServiceError, match="unauthorized") as caught:
        client.inspect([("a.jpg", draw_jpeg())])

    assert (caught.value.status, caught.value.code) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("n_busy", "n_asked", "works"), [(2, 3, True), (4, 5, True), (9, 5, False)]
)
def test_a_busy_service_is_asked_again_a_few_times(
    address: str, monkeypatch: pytest.MonkeyPatch, n_busy: int, n_asked: int, works: bool
) -> None:
    asked = 0
    really = Inspections.answer

    async def answer(self: Inspections, *about: object) -> bytes:
        nonlocal asked
        asked += 1
        if asked <= n_busy:
            raise RefusedError(429, "busy", "come again")
        return await really(self, *about)  # type: ignore[arg-type]

    monkeypatch.setattr(Inspections, "answer", answer)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    with Client(address, token="secret") as client:
        if works:
            client.inspect([("a.jpg", draw_jpeg())])
        else:
            with pytest.raises(ServiceError, match="busy"):
                client.inspect([("a.jpg", draw_jpeg())])

    assert asked == n_asked
