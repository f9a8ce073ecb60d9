import base64
import hashlib
import random
import struct
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from inspection.images import decode
from inspection.runtime.views import View
from serving import forms, uploads
from serving.api import create_app
from serving.champion import Champion, Served
from serving.server import lingering
from tests.bundles import draw_jpeg, draw_part

Files = list[tuple[str, tuple[str, bytes]]]


def as_files(*contents: bytes, field: str = "views") -> Files:
    return [(field, (f"{i}.jpg", content)) for i, content in enumerate(contents)]


def code_of(response: Any) -> str:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    return str(body["error"]["code"])


@pytest.mark.parametrize("defect", ["normal", "dent", "slide", "under_press"])
def test_the_service_answers_what_the_inspector_says(
    client: TestClient, served: Served, defect: str
) -> None:
    content = draw_jpeg(defect)
    answer = client.post("/inspect", files=as_files(content)).json()
    said = served.inspector.inspect([View("0.jpg", content)])
    (view,), (seen,) = answer["views"], said.views
    for key in ("verdict", "label", "cause", "worst_view"):
        assert answer[key] == getattr(said, key)
    for key in ("name", "sha256", "verdict", "label", "verdicts", "reasons"):
        assert view[key] == getattr(seen, key)
    assert view["scores"] == pytest.approx(seen.scores)
    assert view["probabilities"] == pytest.approx(seen.probabilities)
    assert [(box["x_px"], box["y_px"]) for box in view["boxes"]] == [
        (found.box.x_px, found.box.y_px) for found in seen.boxes
    ]


def test_a_defect_is_boxed_where_it_was_drawn(client: TestClient) -> None:
    answer = client.post("/inspect", files=as_files(draw_jpeg("dent"))).json()
    assert (answer["verdict"], answer["label"]) == ("reject", "dent")
    (box,) = answer["views"][0]["boxes"]
    assert [box[key] for key in ("x_px", "y_px", "width_px", "height_px")] == [84, 112, 24, 24]


def test_the_worst_view_decides_and_is_named(client: TestClient) -> None:
    files = as_files(*(draw_jpeg(kind) for kind in ("normal", "slide", "normal")))
    answer = client.post("/inspect", files=files).json()
    assert (answer["verdict"], answer["label"]) == ("reject", "slide")
    assert answer["worst_view"] == "1.jpg"
    assert [view["verdict"] for view in answer["views"]] == ["pass", "reject", "pass"]


def test_a_view_without_the_part_goes_to_review_with_reasons(client: TestClient) -> None:
    black = zlib.compress(bytes(257 * 256))
    answer = client.post("/inspect", files=as_files(png(256, 256, black))).json()
    assert answer["verdict"] == "review"
    assert len(answer["views"][0]["reasons"]) == 2
    assert answer["views"][0]["scores"] == {}


def test_the_answer_tells_model_input_and_thresholds(client: TestClient, served: Served) -> None:
    content = draw_jpeg()
    answer = client.post("/inspect", files=as_files(content)).json()
    assert answer["model"] == {
        "line": "test-line",
        "version": "test-1",
        "release": "1",
        "card_sha256": served.card_sha256,
    }
    assert answer["views"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert answer["views"][0]["thresholds"] == {
        "classifier": {"accept_below": 0.3, "reject_above": 0.9},
        "anomaly": {"accept_below": 1.0, "reject_above": 2.0},
    }


def test_heatmaps_come_only_when_asked_for(client: TestClient) -> None:
    for query, expected in (("", False), ("?heatmap=false", False), ("?heatmap=true", True)):
        answer = client.post(f"/inspect{query}", files=as_files(draw_jpeg())).json()
        assert ("heatmaps" in answer["views"][0]) is expected


def test_a_heatmap_is_warm_on_the_defect_and_grey_on_a_good_part(client: TestClient) -> None:
    def colour(defect: str) -> tuple[float, float]:
        answer = client.post("/inspect?heatmap=true", files=as_files(draw_jpeg(defect))).json()
        picture = decode(base64.b64decode(answer["views"][0]["heatmaps"]["classifier"]), channels=3)
        assert picture.shape == (80, 160, 3)
        spread = np.ptp(picture.astype(int), axis=2)
        return float(spread[24:48, 64:88].mean()), float(spread[:, :40].mean())

    assert colour("dent")[0] > 40
    assert max(colour("normal")) < 1
    assert colour("dent")[1] < 1


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


def test_no_redirect_names_the_host_that_a_client_claims(client: TestClient) -> None:
    response = client.post("/inspect/", headers={"host": "evil.example"}, follow_redirects=False)
    assert code_of(response) == "not_found"


def test_a_korean_name_comes_back_as_it_went(client: TestClient) -> None:
    files = [("views", ("Ch00_1000_널링양품_1.jpg", draw_jpeg()))]
    assert client.post("/inspect", files=files).json()["worst_view"] == "Ch00_1000_널링양품_1.jpg"


def test_the_card_is_served_byte_by_byte(client: TestClient, served: Served) -> None:
    content = client.get("/model").content
    assert hashlib.sha256(content).hexdigest() == served.card_sha256


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pieces = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + pieces


BAD_FILES = {
    "empty": (b"", 422, "empty"),
    "truncated": (draw_jpeg()[:-2000], 422, "truncated"),
    "text": (b"not a picture at all", 422, "not_an_image"),
    "html": (b"<html>404</html>", 422, "not_an_image"),
    "svg that names a file": (
        b"<svg xmlns:xlink='http://www.w3.org/1999/xlink'><image xlink:href='/etc/passwd'/></svg>",
        422,
        "not_an_image",
    ),
    "bomb of 10 gigapixels": (png(100_000, 100_000), 413, "too_large"),
}


@pytest.mark.parametrize(("content", "status", "code"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_with_its_name_and_reason(
    client: TestClient, content: bytes, status: int, code: str
) -> None:
    response = client.post("/inspect", files=as_files(draw_jpeg(), content))
    assert (response.status_code, code_of(response)) == (status, code)
    assert response.json()["error"]["message"].startswith("1.jpg: ")


def test_every_bad_file_is_named_at_once(client: TestClient) -> None:
    response = client.post("/inspect", files=as_files(b"", draw_jpeg(), b"text"))
    lines = response.json()["error"]["message"].splitlines()
    assert [line.split(":")[0] for line in lines] == ["0.jpg", "2.jpg"]


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


class SlowChampion(Champion):
    def current(self) -> Served:
        time.sleep(0.3)
        return super().current()


def test_others_are_answered_while_a_part_is_inspected(releases: Path) -> None:
    order: list[str] = []
    champion = SlowChampion(releases)
    champion.start()

    async def talk() -> None:
        async with async_client(champion) as client, anyio.create_task_group() as tasks:

            async def inspect() -> None:
                response = await client.post("/inspect", files=as_files(draw_jpeg()))
                order.append(f"inspected {response.status_code}")

            tasks.start_soon(inspect)
            await anyio.sleep(0.05)
            await client.get("/openapi.json")
            order.append("described")

    anyio.run(talk)
    champion.stop()

    assert order == ["described", "inspected 200"]


def async_client(champion: Champion) -> httpx.AsyncClient:
    app = create_app(champion)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


def test_a_missing_method_or_path_is_refused_with_a_code(client: TestClient) -> None:
    assert code_of(client.get("/inspect")) == "method_not_allowed"
    assert code_of(client.get("/elsewhere")) == "not_found"


@pytest.mark.parametrize("path", ["/inspect", "/model", "/metrics"])
@pytest.mark.parametrize("shown", [None, "", "Bearer", "Bearer wrong", "secret", "Basic secret"])
def test_without_the_token_nothing_is_answered(
    champion: Champion, path: str, shown: str | None
) -> None:
    client = TestClient(create_app(champion, tokens=("secret", "next")))
    headers = {} if shown is None else {"authorization": shown}
    method = "POST" if path == "/inspect" else "GET"
    response = client.request(method, path, headers=headers)
    assert (response.status_code, code_of(response)) == (401, "unauthorized")


@pytest.mark.parametrize("shown", ["Bearer secret", "bearer secret", "Bearer next"])
def test_with_a_token_the_part_is_inspected(champion: Champion, shown: str) -> None:
    client = TestClient(create_app(champion, tokens=("secret", "next")))
    headers = {"authorization": shown}
    assert client.post("/inspect", files=as_files(draw_jpeg()), headers=headers).is_success
    assert client.get("/model", headers=headers).is_success


class FailingChampion(Champion):
    def current(self) -> Served:
        raise ZeroDivisionError


def test_our_own_fault_is_a_500_in_json(releases: Path) -> None:
    app = create_app(FailingChampion(releases))
    client = TestClient(app, raise_server_exceptions=False)
    response = client.post("/inspect", files=as_files(draw_jpeg()))
    assert (response.status_code, code_of(response)) == (500, "internal")


def test_no_mutilated_request_is_our_fault(client: TestClient) -> None:
    content = draw_jpeg("dent")
    sent = client.build_request("POST", "/inspect", files=as_files(content, draw_jpeg()))
    body, kind = sent.read(), sent.headers["content-type"]
    generator = random.Random(0)
    statuses = set()
    for _ in range(150):
        broken = mutilated(body, generator)
        response = client.post("/inspect", content=broken, headers={"content-type": kind})
        statuses.add(response.status_code)
    assert max(statuses) < 500
    assert {400, 422} <= statuses


def mutilated(body: bytes, generator: random.Random) -> bytes:
    """Flip bytes near the front, where the headers are, and now and then cut the end off."""
    broken = bytearray(body)
    for _ in range(generator.randint(1, 4)):
        reach = generator.choice([60, 200, 1000, len(broken)])
        broken[generator.randrange(reach)] = generator.randrange(256)
    keep = generator.choice([len(broken), len(broken), generator.randrange(len(broken))])
    return bytes(broken[:keep])


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (17, 13)])
def test_a_tiny_or_thin_frame_gets_a_verdict(client: TestClient, size: tuple[int, int]) -> None:
    width, height = size
    data = zlib.compress((b"\0" + b"\xc8" * width) * height)
    response = client.post("/inspect", files=as_files(png(width, height, data)))
    assert response.status_code == 200


def test_colour_and_sixteen_bit_frames_get_the_verdict_of_the_grey_one(client: TestClient) -> None:
    import cv2

    frame = draw_part("dent")
    deep = frame.astype(np.uint16) * 257
    colour = np.repeat(frame[:, :, None], 3, axis=2)
    files = as_files(*(cv2.imencode(".png", image)[1].tobytes() for image in (frame, deep, colour)))
    views = client.post("/inspect", files=files).json()["views"]
    assert [view["label"] for view in views] == ["dent"] * 3
    assert len({round(view["scores"]["classifier"], 4) for view in views}) == 1


def test_nothing_is_written_to_disk(client: TestClient, tmp_path: Path) -> None:
    client.post("/inspect", files=as_files(draw_jpeg()))
    assert list(tmp_path.iterdir()) == []
