from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.server import lingering
from serving.server.lingering import Lingering

HEADERS = [(b"content-length", b"30")]
CHUNKS: list[Message] = [
    {"type": "http.request", "body": b"x" * 10, "more_body": more} for more in (True, True, False)
]


def app_that_reads(n_chunks: int) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(n_chunks):
            await receive()
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b"too large"})

    return app


def run(app: ASGIApp, chunks: Sequence[Message], headers: Any) -> tuple[list[Message], int]:
    """What was sent, and how many chunks were taken; a client out of chunks keeps silent."""
    sent: list[Message] = []
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        if taken == len(chunks):
            await anyio.sleep_forever()
        taken += 1
        return chunks[taken - 1]

    async def send(message: Message) -> None:
        sent.append(message)

    async def talk() -> None:
        with anyio.fail_after(5):
            await Lingering(app)({"type": "http", "headers": headers}, receive, send)

    anyio.run(talk)
    return sent, taken


def bodies(sent: Sequence[Message]) -> list[tuple[bytes, bool]]:
    return [(m["body"], m.get("more_body", False)) for m in sent[1:]]


@pytest.mark.parametrize("n_read", [0, 1, 2])
def test_an_early_answer_is_sent_before_the_rest_is_discarded(n_read: int) -> None:
    sent, taken = run(app_that_reads(n_read), CHUNKS, HEADERS)
    assert taken == 3
    assert bodies(sent) == [(b"too large", True), (b"", False)]


def test_an_answer_to_a_whole_body_passes_as_it_is() -> None:
    sent, taken = run(app_that_reads(3), CHUNKS, HEADERS)
    assert taken == 3
    assert bodies(sent) == [(b"too large", False)]


def test_a_request_without_a_body_is_not_waited_for() -> None:
    sent, taken = run(app_that_reads(0), [], [])
    assert taken == 0
    assert bodies(sent) == [(b"too large", False)]


def test_a_client_that_never_ends_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "DRAIN_S", 0.05)
    sent, taken = run(app_that_reads(1), CHUNKS[:2], HEADERS)
    assert taken == 2
    assert bodies(sent)[-1] == (b"", False)


def test_a_client_that_leaves_ends_the_waiting() -> None:
    sent, taken = run(app_that_reads(1), [CHUNKS[0], {"type": "http.disconnect"}], HEADERS)
    assert taken == 2
    assert bodies(sent)[-1] == (b"", False)
