import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from inspection.runtime.inspector import Inspector
from inspection.runtime.pictures import picture_path
from inspection.runtime.verdict_log import FILE, read_parts
from inspection.runtime.views import View
from serving.api import create_app
from serving.champion import Champion
from serving.recorder import KeepingPolicy, Recorder
from tests.bundles import DENT, ROD, draw_jpeg

POLICY = KeepingPolicy(pass_fraction=0.0, max_bytes=10**6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "verdicts"


@pytest.fixture
def client(champion: Champion, folder: Path) -> Iterator[TestClient]:
    recorder = Recorder(folder, POLICY)
    with TestClient(create_app(champion, recorder=recorder)) as client:
        yield client
    recorder.close()


def inspect(client: TestClient, *contents: bytes, **texts: str) -> dict:
    files = [("views", (f"{i}.jpg", content)) for i, content in enumerate(contents)]
    return client.post("/inspect", files=files, data=texts).raise_for_status().json()


def test_every_verdict_is_logged_with_all_that_it_rests_on(
    client: TestClient, folder: Path, champion: Champion
) -> None:
    content = draw_jpeg("dent")
    taken_at = "2026-11-25T06:30:00+09:00"
    answer = inspect(client, content, part_id="A1", camera="Ch00", taken_at=taken_at)

    (part,) = read_parts(folder)
    assert (part.request_id, part.part_id) == (answer["request_id"], "A1")
    assert (part.camera, part.taken_at) == ("Ch00", taken_at)
    assert (part.verdict, part.label) == ("reject", "dent")
    assert (part.release, part.card_sha256) == ("1", champion.current().card_sha256)
    view, told = part.views[0], answer["views"][0]
    assert (view.sha256, view.scores) == (told["sha256"], told["scores"])
    assert {name: t.model_dump() for name, t in view.thresholds.items()} == told["thresholds"]
    assert (view.width_px, view.height_px) == (320, 256)
    assert 0 < part.latency_ms < 60_000


def test_brightness_focus_place_and_embedding_are_logged(
    client: TestClient, folder: Path, releases: Path
) -> None:
    content = draw_jpeg("dent")
    inspect(client, content)
    outputs = Inspector(releases / "1").measure(View("a", content))

    view = next(read_parts(folder)).views[0]
    rod = view.regions["rod"]
    assert rod.brightness == pytest.approx(float(outputs.crops["rod"].mean()), abs=0.01)
    assert 100 < rod.brightness < DENT
    assert rod.focus > 0
    assert (rod.x_px, rod.y_px) == pytest.approx((ROD.x_px, ROD.y_px), abs=8)
    assert view.embedding[:3] == pytest.approx(outputs.detectors["classifier"].values, abs=1e-4)


def test_pictures_of_rejected_parts_are_kept_and_of_passed_ones_not(
    client: TestClient, folder: Path
) -> None:
    answers = [inspect(client, draw_jpeg(kind)) for kind in ("dent", "normal")]
    hashes = [answer["views"][0]["sha256"] for answer in answers]

    assert [answer["verdict"] for answer in answers] == ["reject", "pass"]
    assert [picture_path(folder, sha256).is_file() for sha256 in hashes] == [True, False]
    assert picture_path(folder, hashes[0]).read_bytes() == draw_jpeg("dent")


def test_the_request_id_stands_in_the_answer_its_header_and_the_log(
    client: TestClient, folder: Path
) -> None:
    response = client.post("/inspect", files=[("views", ("a.jpg", draw_jpeg()))])

    request_id = response.headers["x-request-id"]
    assert response.json()["request_id"] == request_id == next(read_parts(folder)).request_id


def test_a_refused_request_leaves_no_row(client: TestClient, folder: Path) -> None:
    inspect(client, draw_jpeg())
    client.post("/inspect", files=[("views", ("a.jpg", b"no picture"))])

    assert len(list(read_parts(folder))) == 1


def spoil(folder: Path) -> None:
    """A file that is no database, where the log should be."""
    folder.mkdir()
    (folder / FILE).write_bytes(b"x" * 4096)


def occupy(folder: Path) -> None:
    """A file where the folder should be."""
    folder.write_text("not a folder")


@pytest.mark.parametrize("break_", [spoil, occupy])
def test_a_log_that_cannot_be_written_costs_no_answer_and_is_told(
    client: TestClient, folder: Path, break_: object
) -> None:
    assert callable(break_)
    break_(folder)
    answers = [inspect(client, draw_jpeg("dent")) for _ in range(2)]

    assert {answer["verdict"] for answer in answers} == {"reject"}
    ready = client.get("/readyz")
    assert (ready.status_code, str(folder) in ready.json()["log_problem"]) == (200, True)
    metrics = client.get("/metrics").text
    assert 'knurl_log_failures{line=""} 2.0' in metrics
    assert 'knurl_log_problem{line=""} 1.0' in metrics


def test_a_full_disk_costs_no_answer_and_the_log_goes_on_when_there_is_room(
    client: TestClient, folder: Path
) -> None:
    """The kernel's own limit on the size of a file stands for the disk: a real failed write."""
    inspect(client, draw_jpeg("dent"))
    was = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, was[1]))
    try:
        answer = inspect(client, draw_jpeg("slide"))
        problem = client.get("/readyz").json()["log_problem"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, was)
    later = inspect(client, draw_jpeg("under_press"))

    assert (answer["label"], later["label"]) == ("slide", "under_press")
    assert problem is not None
    assert client.get("/readyz").json()["log_problem"] is None
    assert [part.label for part in read_parts(folder)] == ["dent", "under_press"]
