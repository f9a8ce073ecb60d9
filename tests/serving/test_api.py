import hashlib
import random
import time
from pathlib import Path

import anyio
import pytest
from starlette.testclient import TestClient

from serving.api import create_app
from serving.champion import Champion, Served
from tests.bundles import draw_jpeg
from tests.serving.requests import as_files, async_client, code_of


def test_no_redirect_names_the_host_that_a_client_claims(client: TestClient) -> None:
    response = client.post("/inspect/", headers={"host": "evil"}, follow_redirects=False)
    assert code_of(response) == "not_found"


def test_the_card_is_served_byte_by_byte(client: TestClient, served: Served) -> None:
    content = client.get("/model").content
    assert hashlib.sha256(content).hexdigest() == served.card_sha256


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


def test_nothing_is_written_to_disk(client: TestClient, tmp_path: Path) -> None:
    client.post("/inspect", files=as_files(draw_jpeg()))
    assert list(tmp_path.iterdir()) == []
