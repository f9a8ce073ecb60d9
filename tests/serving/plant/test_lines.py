import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from inspection.errors import InspectionError
from inspection.runtime.releases import POINTER, promote, release
from inspection.runtime.verdict_log import read_parts
from serving.plant.lines import Lines
from tests.bundles import draw_jpeg, make_bundle, sample_line
from tests.serving.test_metrics import samples

VIEW = ("views", ("a.jpg", draw_jpeg("dent")))
Start = Callable[[], tuple[TestClient, Lines]]


def inspect(client: TestClient, path: str, **about: str) -> dict[str, Any]:
    fields = [*((name, (None, text)) for name, text in about.items()), VIEW]
    response = client.post(f"{path}/inspect", files=fields)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_each_line_is_judged_by_its_own_champion_and_the_root_as_without_lines(
    start: Start,
) -> None:
    client, _ = start()

    rod, tile = inspect(client, ""), inspect(client, "/lines/tiles")

    assert (rod["model"]["release"], rod["cause"]) == ("rods-1", "the part fell in transfer")
    assert (tile["model"]["release"], tile["cause"]) == ("tiles-1", "kiln")
    assert client.get("/lines/tiles/model").json()["line"]["name"] == "tiles"
    assert client.get("/model").json()["line"]["name"] == "rods"


def test_each_line_logs_its_verdicts_and_feedback_in_its_own_folder(
    start: Start, plant: Path
) -> None:
    client, _ = start()
    inspect(client, "", part_id="A-1")
    inspect(client, "/lines/tiles", part_id="A-1")
    inspect(client, "/lines/tiles", part_id="T-2")

    said = {"part_id": "T-2", "label": "chip", "reviewer": "Kim"}
    assert client.post("/lines/tiles/feedback", json=said).status_code == 201
    assert client.post("/feedback", json=said).json()["error"]["code"] == "unknown_label"
    trace = client.get("/lines/tiles/parts/T-2").json()
    assert [one["label"] for one in trace["feedback"]] == ["chip"]
    assert client.get("/parts/T-2").status_code == 404
    assert len(client.get("/parts/A-1").json()["verdicts"]) == 1

    for folder, expected in ((plant, ["A-1"]), (plant / "lines/tiles", ["A-1", "T-2"])):
        assert [part.part_id for part in read_parts(folder / "verdicts")] == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/lines/rots/inspect"),
        ("POST", "/lines/rots/feedback"),
        ("GET", "/lines/rots/parts/1"),
        ("GET", "/lines/rots/model"),
        ("GET", "/lines/../model"),
        ("GET", "/lines/%2e%2e/model"),
    ],
)
def test_a_line_that_there_is_not_is_refused_as_anything_that_is_not_there(
    start: Start, method: str, path: str
) -> None:
    client, _ = start()

    response = client.request(method, path)

    code = response.json()["error"]["code"] if response.status_code == 404 else "/model of the root"
    assert code == "unknown_line" or ".." in path


def test_a_line_without_a_champion_is_told_and_takes_no_other_out_of_service(start: Start) -> None:
    client, _ = start()

    refused = client.post("/lines/new/inspect", files=[VIEW])
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_release")
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["release"]) == (200, "rods-1")
    lines = ready.json()["lines"]
    assert [(name, one["ready"]) for name, one in lines.items()] == [
        ("new", False),
        ("tiles", True),
    ]
    assert "champion.json" in lines["new"]["problem"]
    assert "`dvc --cd lines/new repro`" in lines["new"]["problem"]
    listed = client.get("/lines").json()["lines"]
    assert [(one["name"], one["path"], one["release"]) for one in listed] == [
        ("rods", "", "rods-1"),
        ("new", "/lines/new", ""),
        ("tiles", "/lines/tiles", "tiles-1"),
    ]


def test_a_broken_release_at_the_start_leaves_the_other_lines_and_serves_once_it_is_whole(
    start: Start, plant: Path
) -> None:
    model = plant / "models/releases/rods-1/classifier.onnx"
    aside = plant / "aside"
    shutil.move(model, aside)
    client, _ = start()

    assert inspect(client, "/lines/tiles")["model"]["release"] == "tiles-1"
    assert client.get("/readyz").status_code == 200
    answer = client.post("/inspect", files=[VIEW])
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_release")

    shutil.move(aside, model)
    until(lambda: client.get("/readyz").json()["release"] == "rods-1")
    assert inspect(client, "")["model"]["release"] == "rods-1"


def test_a_line_that_is_made_and_one_that_is_promoted_are_served_without_a_restart(
    start: Start, plant: Path, tmp_path: Path
) -> None:
    client, _ = start()
    assert client.get("/lines/late/model").status_code == 404

    for name in ("late", "new"):
        make_bundle(tmp_path / name, version=name, line=sample_line(name=name))
        releases = plant / f"lines/{name}/models/releases"
        release(tmp_path / name, releases, f"{name}-1")
        promote(releases, f"{name}-1")
        until(lambda name=name: client.get(f"/lines/{name}/model").status_code == 200)
        assert inspect(client, f"/lines/{name}")["model"]["release"] == f"{name}-1"


def test_where_no_line_has_a_release_or_a_thread_has_died_the_service_is_not_ready(
    start: Start, plant: Path
) -> None:
    (plant / "lines/tiles/models/releases" / POINTER).unlink()
    (plant / "models/releases" / POINTER).unlink()
    client, lines = start()
    assert client.get("/readyz").status_code == 503

    promote(plant / "models/releases", "rods-1")
    until(lambda: client.get("/readyz").status_code == 200)

    lines.stop()
    assert client.get("/readyz").status_code == 503


def test_the_line_in_the_root_must_have_a_champion_where_it_is_alone(
    start: Start, plant: Path
) -> None:
    shutil.rmtree(plant / "lines")
    (plant / "models/releases" / POINTER).unlink()

    with pytest.raises(InspectionError, match=r"champion\.json"):
        start()


def test_metrics_count_by_line_and_names_of_lines_that_are_none_add_no_series(
    start: Start,
) -> None:
    client, _ = start()
    inspect(client, "")
    inspect(client, "/lines/tiles")
    for path in ("/lines/l/model", "/metrics"):
        client.get(path)
    before = samples(client)
    for number in range(300):
        client.get(f"/lines/l{number}/model")

    verdicts = {key[1:] for key in before if key[0] == "knurl_verdicts_total"}
    assert verdicts == {
        ("label=dent", "release=rods-1", "verdict=reject"),
        ("label=dent", "line=tiles", "release=tiles-1", "verdict=reject"),
    }
    route = ("knurl_requests_total", "method=POST", "status=200")
    routes = [("route=/inspect",), ("route=/lines/{line}/inspect",)]
    assert all(before[route[0], route[1], *one, route[2]] == 1 for one in routes)
    assert before["knurl_release_problem", "line=new"] == 1
    assert before["knurl_release_problem", "line=tiles"] == 0
    assert samples(client).keys() == before.keys()


def test_lines_share_the_room_of_those_that_wait(start: Start) -> None:
    """The lanes are the machine's: a full lane refuses parts of every line."""
    client, _ = start()
    app = client.app
    while not hasattr(app, "router"):
        app = app.app
    inspections = app.routes[0].endpoint.__self__._inspections
    inspections._light._inside = inspections._light._n_inside

    for path in ("", "/lines/tiles"):
        files = [("views", ("a.jpg", draw_jpeg()))]
        assert client.post(f"{path}/inspect", files=files).status_code == 429


def test_requests_of_several_lines_at_once_are_each_answered_by_their_own(start: Start) -> None:
    client, _ = start()
    found: list[tuple[str, str]] = []

    def ask(path: str, release: str) -> None:
        for _ in range(5):
            found.append((inspect(client, path)["model"]["release"], release))

    threads = [
        threading.Thread(target=ask, args=one)
        for one in (("", "rods-1"), ("/lines/tiles", "tiles-1")) * 2
    ]
    with client:  # one event loop for all, as in the service
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(found) == 20
    assert all(answered == asked for answered, asked in found)
