from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from benchmarks.attacks.pictures import jpeg, jpeg_of_scans, png
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View, ViewOutputs
from serving import answers, api, inspections
from serving.api import create_app
from serving.budget import Budget
from serving.champion import Champion
from serving.costs import JPEG_BYTES, cost_of
from serving.lanes import Lane
from tests.bundles import FRAME_SIZE_PX, draw_jpeg
from tests.serving.requests import as_files, code_of

FILES = [("views", (f"{i}.jpg", draw_jpeg("dent"))) for i in range(2)]
COST_BYTES = round(FRAME_SIZE_PX[0] * FRAME_SIZE_PX[1] * JPEG_BYTES)


@pytest.mark.parametrize(("timeout_s", "n_measured"), [(0.0, 0), (1.0, 1), (3.0, 2), (60.0, 3)])
def test_the_time_is_looked_at_before_each_view(
    champion: Champion, monkeypatch: pytest.MonkeyPatch, timeout_s: float, n_measured: int
) -> None:
    """Each of three views takes two seconds of this clock."""
    measured: list[str] = []
    clock = SimpleNamespace(monotonic=lambda: 2.0 * len(measured) + 0.001)
    measure = Inspector.measure

    def slowly(inspector: Inspector, view: View) -> ViewOutputs:
        measured.append(view.name)
        return measure(inspector, view)

    monkeypatch.setattr(inspections, "TIMEOUT_S", timeout_s)
    monkeypatch.setattr(answers, "time", clock)
    monkeypatch.setattr(Inspector, "measure", slowly)
    monkeypatch.setattr(api, "time", SimpleNamespace(monotonic=lambda: 0.0))
    client = TestClient(create_app(champion))
    response = client.post("/inspect", files=as_files(*[draw_jpeg()] * 3))

    assert len(measured) == n_measured
    if n_measured == 3:
        assert response.status_code == 200
    else:
        assert (response.status_code, code_of(response)) == (504, "timeout")


def test_a_request_may_take_a_minute() -> None:
    assert inspections.TIMEOUT_S == 60.0


def test_bentomls_own_time_limit_comes_after_ours_and_not_much_later() -> None:
    assert inspections.BACKSTOP_S == 2 * inspections.TIMEOUT_S


def in_the_light_lane(
    champion: Champion, monkeypatch: pytest.MonkeyPatch, *contents: bytes
) -> bool:
    """Whether a request goes there: the other lane is closed, and it is not put to work."""
    closed = Lane(n_threads=1, n_inside=0)
    monkeypatch.setattr(inspections, "heavy_lane", lambda: closed)
    response = TestClient(create_app(champion)).post("/inspect", files=as_files(*contents))
    assert response.status_code in (200, 429)
    return response.status_code == 200


@pytest.mark.parametrize("light", [True, False])
def test_what_takes_longer_than_the_limit_goes_the_way_of_long_work(
    champion: Champion, monkeypatch: pytest.MonkeyPatch, light: bool
) -> None:
    pictures = [content for _, (_, content) in FILES]
    whole_ms = sum(cost_of(one, max_pixels=10**6).time_ms for one in pictures)
    monkeypatch.setattr(inspections, "HEAVY_MS", whole_ms if light else whole_ms - 0.001)

    assert in_the_light_lane(champion, monkeypatch, *pictures) is light


HEAVY = {
    "16 views of 8.4 megapixels": [png(2890, 2896)] * 16,
    "many scans in small views": [jpeg_of_scans(1000, 1000, 25)] * 8,
    "many views": [draw_jpeg()] * 13,
}
LIGHT = {
    "six views of a camera of 5 megapixels": [jpeg(2464, 2056)] * 6,
    "three of 16 bits": [png(2464, 2056, bits=16)] * 3,
    "eleven small views": [draw_jpeg()] * 11,
}


@pytest.mark.parametrize("what", [*HEAVY, *LIGHT])
def test_the_whole_work_of_a_request_decides_and_not_its_largest_view(
    champion: Champion, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    pictures = (HEAVY | LIGHT)[what]

    assert in_the_light_lane(champion, monkeypatch, *pictures) is (what in LIGHT)


def test_what_a_body_takes_is_not_left_for_decoding(
    champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused for good: to come again would not help."""
    monkeypatch.setattr(inspections, "Budget", lambda: Budget(2 * 10**6))
    padded = draw_jpeg() + bytes(800_000)
    response = TestClient(create_app(champion)).post("/inspect", files=as_files(padded))

    assert (response.status_code, code_of(response)) == (413, "too_large")


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
