from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest
from starlette.testclient import TestClient

from serving import forms, uploads
from serving.champion import Champion
from serving.server import lingering
from tests.bundles import draw_jpeg
from tests.serving.requests import as_files, async_client, code_of


def test_views_of_one_name_are_told_apart(client: TestClient) -> None:
    files = [("views", ("shot.jpg", draw_jpeg()))] * 3
    answer = client.post("/inspect", files=files).json()
    assert [view["name"] for view in answer["views"]] == [
        "shot.jpg",
        "shot.jpg (2)",
        "shot.jpg (3)",
    ]


def test_a_name_that_looks_like_one_told_apart_is_told_apart_too(client: TestClient) -> None:
    files = [("views", (name, draw_jpeg())) for name in ("x (3)", "x", "x")]
    names = [view["name"] for view in client.post("/inspect", files=files).json()["views"]]
    assert len(set(names)) == 3


def test_a_korean_name_comes_back_as_it_went(client: TestClient) -> None:
    files = [("views", ("Ch00_1000_널링양품_1.jpg", draw_jpeg()))]
    assert client.post("/inspect", files=files).json()["worst_view"] == "Ch00_1000_널링양품_1.jpg"


def form_of(*contents: bytes) -> bytes:
    head = b'--b\r\ncontent-disposition: form-data; name="views"; filename="a.jpg"\r\n\r\n'
    return b"".join(head + content + b"\r\n" for content in contents) + b"--b--\r\n"


BAD_REQUESTS: dict[str, tuple[dict[str, Any], int, str]] = {
    "nothing": ({}, 415, "not_multipart"),
    "json": ({"json": {"views": []}}, 415, "not_multipart"),
    "raw image": ({"content": draw_jpeg()}, 415, "not_multipart"),
    "urlencoded": ({"data": {"views": "http://127.0.0.1/a.jpg"}}, 415, "not_multipart"),
    "no file": ({"files": [("views", (None, "http://127.0.0.1/a.jpg"))]}, 400, "not_a_file"),
    "unknown field": ({"files": as_files(draw_jpeg(), field="image")}, 400, "unknown_field"),
    "field beside the views": (
        {"files": [*as_files(draw_jpeg()), ("threshold", (None, "0"))]},
        400,
        "unknown_field",
    ),
    "too many": ({"files": as_files(*[b"x"] * 17)}, 413, "too_many_views"),
    "no boundary": (
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
        400,
        "broken_multipart",
    ),
    "empty form": (
        {
            "content": b"--b--\r\n",
            "headers": {"content-type": "multipart/form-data; boundary=b"},
        },
        400,
        "no_views",
    ),
    "broken form": (
        {"content": b"--c\r\n", "headers": {"content-type": "multipart/form-data; boundary=b"}},
        400,
        "broken_multipart",
    ),
    "form cut off within the second file": (
        {
            "content": form_of(draw_jpeg(), draw_jpeg("dent"))[:-3000],
            "headers": {"content-type": "multipart/form-data; boundary=b"},
        },
        400,
        "broken_multipart",
    ),
    "odd charset": (
        {
            "content": b"--b--\r\n",
            "headers": {"content-type": "multipart/form-data; boundary=b; charset=idna"},
        },
        415,
        "not_utf8",
    ),
    "unknown parameter": ({"params": {"heatmaps": "true"}}, 400, "unknown_parameter"),
    "odd parameter": ({"params": {"heatmap": "maybe"}}, 400, "bad_parameter"),
}


@pytest.mark.parametrize(("request_", "status", "code"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_bad_request_is_refused_with_a_code(
    client: TestClient, request_: dict[str, Any], status: int, code: str
) -> None:
    response = client.post("/inspect", **request_)
    assert (response.status_code, code_of(response)) == (status, code)


def test_a_body_that_announces_too_much_is_refused_unread(client: TestClient) -> None:
    headers = {
        "content-type": "multipart/form-data; boundary=b",
        "content-length": str(300 * 2**20),
    }
    response = client.post("/inspect", content=b"--b", headers=headers)
    assert (response.status_code, code_of(response)) == (413, "too_large")


def test_a_body_that_announces_nothing_is_refused_at_the_limit(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_BODY_BYTES", 100_000)
    head = b'--b\r\ncontent-disposition: form-data; name="views"; filename="a"\r\n\r\n'
    sent = 0

    def body() -> Any:
        nonlocal sent
        yield head
        for _ in range(50):
            sent += 10_000
            yield b"x" * 10_000

    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = client.post("/inspect", content=body(), headers=headers)
    assert (response.status_code, code_of(response)) == (413, "too_large")


def test_one_file_over_its_limit_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "MAX_FILE_BYTES", 1000)
    response = client.post("/inspect", files=as_files(b"x" * 1001))
    assert (response.status_code, code_of(response)) == (413, "too_large")


def test_a_body_that_comes_too_slowly_is_refused(
    champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "READ_TIMEOUT_S", 0.05)
    monkeypatch.setattr(lingering, "DRAIN_S", 0.05)

    async def body() -> AsyncIterator[bytes]:
        yield b"--b\r\n"
        await anyio.sleep(0.5)

    async def talk() -> httpx.Response:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        async with async_client(champion) as client:
            return await client.post("/inspect", content=body(), headers=headers)

    response = anyio.run(talk)
    assert (response.status_code, code_of(response)) == (408, "too_slow")
