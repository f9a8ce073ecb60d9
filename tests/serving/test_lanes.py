import time

import anyio
import pytest
from starlette.testclient import TestClient

from serving import lanes
from serving.api import create_app
from serving.champion import Champion
from serving.lanes import Lane
from serving.refusals import RefusedError


def test_beyond_those_that_may_wait_a_request_is_refused_at_once() -> None:
    lane = Lane(n_threads=1, n_inside=3)
    refused: list[RefusedError] = []
    done: list[str] = []

    async def ask() -> None:
        try:
            done.append(await lane.run(lambda: time.sleep(0.1) or "done"))
        except RefusedError as error:
            refused.append(error)

    async def talk() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(ask)

    anyio.run(talk)
    assert done == ["done"] * 3
    assert [(error.status, error.code) for error in refused] == [(429, "busy")] * 2
    assert refused[0].headers() == {"Retry-After": "1"}


def test_a_place_is_free_again_after_work_that_fails() -> None:
    lane = Lane(n_threads=1, n_inside=1)

    def fail() -> None:
        raise ZeroDivisionError

    async def talk() -> str:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await lane.run(fail)
        return await lane.run(lambda: "free")

    assert anyio.run(talk) == "free"


@pytest.mark.parametrize(
    ("lane", "n_threads", "n_inside"), [(lanes.light_lane(8), 2, 10), (lanes.heavy_lane(), 1, 4)]
)
def test_the_lanes_have_their_width(lane: Lane, n_threads: int, n_inside: int) -> None:
    assert (lane._n_threads, lane._n_inside) == (n_threads, n_inside)


@pytest.mark.parametrize("max_waiting", [0, 1, 30])
def test_beside_those_at_work_as_many_wait_as_is_asked_for(max_waiting: int) -> None:
    assert lanes.light_lane(max_waiting)._n_inside == 2 + max_waiting


def test_who_comes_last_into_a_full_light_lane_waits_two_seconds_at_most() -> None:
    n_before_each = (lanes.N_LIGHT + lanes.MAX_WAITING) / lanes.N_LIGHT

    assert n_before_each * lanes.HEAVY_MS == 1500


def test_eight_clients_are_never_refused() -> None:
    assert lanes.light_lane(lanes.MAX_WAITING)._n_inside >= 8


def test_where_too_many_wait_a_request_is_refused_before_its_body_is_read(
    champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "N_LIGHT", 0)
    client = TestClient(create_app(champion, max_waiting=0))
    response = client.post("/inspect", content=b"no form", headers={"content-type": "text/plain"})

    assert (response.status_code, response.json()["error"]["code"]) == (429, "busy")
    assert response.headers["retry-after"] == "1"


def test_large_frames_do_not_hold_up_small_ones() -> None:
    light, heavy = lanes.light_lane(8), lanes.heavy_lane()
    ended: list[str] = []

    async def run(lane: Lane, name: str, seconds: float) -> None:
        await lane.run(lambda: time.sleep(seconds))
        ended.append(name)

    async def talk() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(run, heavy, "heavy", 0.3)
            await anyio.sleep(0.05)
            tasks.start_soon(run, light, "light", 0.01)

    anyio.run(talk)
    assert ended == ["light", "heavy", "heavy"]
