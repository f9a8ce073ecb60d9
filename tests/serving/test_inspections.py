import pytest
from starlette.testclient import TestClient

from serving import inspections
from serving.api import create_app
from serving.budget import WORKING_COPIES, Budget
from serving.champion import Champion
from serving.lanes import Lane
from tests.bundles import FRAME_SIZE_PX, draw_jpeg

FILES = [("views", (f"{i}.jpg", draw_jpeg("dent"))) for i in range(2)]
COST_BYTES = FRAME_SIZE_PX[0] * FRAME_SIZE_PX[1] * WORKING_COPIES


def test_a_request_whose_time_is_up_ends_between_two_views_in_our_form(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspections, "TIMEOUT_S", 0.0)
    response = client.post("/inspect", files=FILES)

    assert response.status_code == 504
    assert response.json()["error"]["code"] == "timeout"


def test_a_request_may_take_a_minute() -> None:
    assert inspections.TIMEOUT_S == 60.0


def test_bentomls_own_time_limit_comes_after_ours_and_not_much_later() -> None:
    assert inspections.BACKSTOP_S == 2 * inspections.TIMEOUT_S


@pytest.mark.parametrize(("limit", "lane"), [(COST_BYTES, "light"), (COST_BYTES - 1, "heavy")])
def test_what_takes_more_than_the_limit_goes_the_way_of_large_frames(
    champion: Champion, monkeypatch: pytest.MonkeyPatch, limit: int, lane: str
) -> None:
    monkeypatch.setattr(inspections, "HEAVY_BYTES", limit)
    closed = Lane(n_threads=1, n_inside=0)
    monkeypatch.setattr(inspections, "heavy_lane", lambda: closed)
    response = TestClient(create_app(champion)).post("/inspect", files=FILES)

    assert response.status_code == (200 if lane == "light" else 429)


def test_memory_is_given_back_after_an_answer_and_after_a_refusal(
    champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room for one request and not for two, and six come one after the other."""
    room = 2 * len(draw_jpeg()) + 1000 + COST_BYTES
    monkeypatch.setattr(inspections, "Budget", lambda: Budget(room))
    client = TestClient(create_app(champion))
    contents = (draw_jpeg(), b"no picture") * 3
    responses = [client.post("/inspect", files=[("views", ("a", one))]) for one in contents]

    assert [response.status_code for response in responses] == [200, 422] * 3
