import hashlib
import hmac
import json
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.alerts import posted, run_failed, signature, tell
from tests.webhooks import receiving


def test_people_are_told_as_json_with_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as received:
        monkeypatch.setenv("KNURL_WEBHOOK", received.url)
        assert tell("찍힘 on line 3")

    assert json.loads(received.bodies[0]) == {"text": "찍힘 on line 3"}
    assert received.headers[0]["content-type"] == "application/json"
    assert "x-knurl-signature" not in received.headers[0]


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited before each further try; nobody waits."""
    waited: list[float] = []
    monkeypatch.setattr("pipelines.alerts.time.sleep", waited.append)
    return waited


def test_a_receiver_that_restarts_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    monkeypatch.setenv("KNURL_WEBHOOK_KEY", "key")
    with receiving(lambda number: 503 if number < 2 else 200) as received:
        monkeypatch.setenv("KNURL_WEBHOOK", received.url)
        assert tell("text")

    assert waits == [1.0, 4.0]
    assert received.bodies == [b'{"text": "text"}'] * 3
    assert len({headers["x-knurl-signature"] for headers in received.headers}) == 1


def test_a_receiver_that_stays_away_is_given_up_after_three_tries(
    monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    with receiving(lambda _: 503) as received:
        monkeypatch.setenv("KNURL_WEBHOOK", received.url)
        assert not tell("text")

    assert len(received.bodies) == 3
    assert waits == [1.0, 4.0]


def test_nobody_is_told_where_no_address_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KNURL_WEBHOOK", raising=False)
    assert not tell("text")


def test_a_body_is_signed_where_there_is_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNURL_WEBHOOK_KEY", "key")
    with receiving() as received:
        assert posted(received.url, b"{}") == ""

    expected = hmac.new(b"key", b"{}", hashlib.sha256).hexdigest()
    assert received.headers[0]["x-knurl-signature"] == f"sha256={expected}"


def test_the_signature_is_that_of_the_rfc() -> None:
    """RFC 4231, test case 2."""
    assert signature(b"what do ya want for nothing?", "Jefe") == (
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


@pytest.mark.parametrize("answer", [302, 404, 500])
def test_what_is_not_taken_is_said_without_the_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, answer: int
) -> None:
    caplog.set_level(logging.WARNING)
    with receiving(lambda _: answer) as received:
        monkeypatch.setenv("KNURL_WEBHOOK", received.url)
        assert not tell("text")

    assert f"status {answer}" in caplog.text
    assert "secret-path" not in caplog.text


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/secret", "http://[/secret", "nonsense"])
def test_an_address_that_cannot_be_reached_is_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    monkeypatch.setenv("KNURL_WEBHOOK", url)
    assert not tell("text")
    assert "KNURL_WEBHOOK: not reached" in caplog.text
    assert "secret" not in caplog.text


def test_who_is_told_of_a_line_reads_which_and_what_to_type(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tell("bento: none; to fix: `make bento`")
    (project / "lines/tiles").mkdir(parents=True)
    monkeypatch.chdir(project / "lines/tiles")
    tell("bento: none; to fix: `make bento`")
    # told by the worker, which works for all lines
    monkeypatch.chdir(project)
    flow, state = SimpleNamespace(name="retrain"), SimpleNamespace(name="Crashed", message="gone")
    for tags in (["knurl", "knurl.line.rods"], ["knurl"]):
        run_failed(flow, SimpleNamespace(name="a-run", tags=tags), state)

    assert caplog.messages == [
        "bento: none; to fix: `make bento`",
        "tiles: bento: none; to fix: `make bento LINE=tiles`",
        "rods: retrain/a-run: Crashed: gone",
        "retrain/a-run: Crashed: gone",
    ]
