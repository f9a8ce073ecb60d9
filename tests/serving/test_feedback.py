from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving import feedback
from serving.api import create_app
from serving.champion import Champion
from serving.recorder import KeepingPolicy, Recorder
from tests.bundles import draw_jpeg


@pytest.fixture
def client(champion: Champion, tmp_path: Path) -> Iterator[TestClient]:
    recorder = Recorder(tmp_path / "verdicts", KeepingPolicy(0.0, 10**6))
    with TestClient(create_app(champion, recorder=recorder)) as client:
        yield client
    recorder.close()


@pytest.fixture
def request_id(client: TestClient) -> str:
    """The request that inspected part A/1."""
    files = [("views", ("a.jpg", draw_jpeg("dent")))]
    answer = client.post("/inspect", files=files, data={"part_id": "A/1"}).json()
    return str(answer["request_id"])


def said(**more: str) -> dict[str, str]:
    return {"part_id": "A/1", "label": "slide", "reviewer": "김", "note": "밀림"} | more


def test_the_trace_of_a_part_tells_verdicts_and_feedback(
    client: TestClient, request_id: str
) -> None:
    response = client.post("/feedback", json=said())
    trace = client.get("/parts/A%2F1").json()

    assert (response.status_code, response.json()) == (201, {"number": 1})
    assert trace["part_id"] == "A/1"
    assert [verdict["request_id"] for verdict in trace["verdicts"]] == [request_id]
    view = trace["verdicts"][0]["views"][0]
    assert view["scores"]["classifier"] > 0.9
    assert view["boxes"][0]["found_by"] == "classifier"
    assert "classifier" in view["reasons"][0]
    (told,) = trace["feedback"]
    assert (told["label"], told["reviewer"], told["note"]) == ("slide", "김", "밀림")


def test_feedback_may_name_a_request(client: TestClient, request_id: str) -> None:
    body = {"request_id": request_id, "label": "normal", "reviewer": "Lee"}

    assert client.post("/feedback", json=body).status_code == 201
    assert len(client.get("/parts/A/1").json()["feedback"]) == 1


BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "unknown part": ({"json": said(part_id="B2")}, 404, "unknown_part"),
    "unknown label": ({"json": said(label="scratch")}, 422, "unknown_label"),
    "no reviewer": ({"json": said(reviewer="")}, 422, "bad_feedback"),
    "two ids": ({"json": said(request_id="r")}, 422, "bad_feedback"),
    "no id": ({"json": {"label": "dent", "reviewer": "Kim"}}, 422, "bad_feedback"),
    "unknown key": ({"json": said(verdict="pass")}, 422, "bad_feedback"),
    "control characters": ({"json": said(note="a\x1b[2K")}, 422, "bad_feedback"),
    "a form": ({"data": said()}, 415, "not_json"),
    "no json": (
        {"content": b"{", "headers": {"content-type": "application/json"}},
        422,
        "bad_feedback",
    ),
    "not utf-8": (
        {"content": b'"\xff"', "headers": {"content-type": "application/json"}},
        422,
        "bad_feedback",
    ),
}


@pytest.mark.parametrize(("asked", "status", "code"), BAD.values(), ids=BAD)
def test_feedback_that_cannot_be_logged_is_refused(
    client: TestClient, request_id: str, asked: dict[str, Any], status: int, code: str
) -> None:
    response = client.post("/feedback", **asked)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert client.get("/parts/A/1").json()["feedback"] == []


@pytest.mark.parametrize(("n_characters", "status"), [(2000, 201), (2001, 422)])
def test_a_note_has_a_length(
    client: TestClient, request_id: str, n_characters: int, status: int
) -> None:
    response = client.post("/feedback", json=said(note="x" * n_characters))

    assert response.status_code == status


@pytest.mark.parametrize(("n_bytes", "status"), [(16384, 422), (16385, 413)])
def test_a_body_has_a_size(client: TestClient, n_bytes: int, status: int) -> None:
    assert feedback.MAX_BODY_BYTES == 16384
    headers = {"content-type": "application/json"}
    response = client.post("/feedback", content=b" " * n_bytes, headers=headers)

    assert response.status_code == status


def test_a_part_that_was_never_inspected_has_no_trace(client: TestClient) -> None:
    response = client.get("/parts/none")

    assert (response.status_code, response.json()["error"]["code"]) == (404, "unknown_part")


def test_a_service_without_a_log_says_so(champion: Champion) -> None:
    client = TestClient(create_app(champion))

    for response in (client.post("/feedback", json=said()), client.get("/parts/A1")):
        assert (response.status_code, response.json()["error"]["code"]) == (503, "no_log")
