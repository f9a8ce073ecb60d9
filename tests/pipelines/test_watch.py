"""The verdict log of a real service, watched: replayed parts, a dimmer lamp, and feedback."""

import base64
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import simplejpeg
from PIL import Image
from starlette.testclient import TestClient

from inspection.errors import InspectionError
from inspection.monitoring.measures import looks_of
from inspection.monitoring.watching import Alarm
from inspection.runtime.inspector import Inspector
from inspection.runtime.recording import logged_views
from inspection.runtime.releases import champion, promote, release
from inspection.runtime.verdict import judge_part
from inspection.runtime.views import View
from inspection.storage import read_json, write_json
from pipelines.champions import RELEASES, usual_path
from pipelines.watch import accept, tell_new, text_of, watched
from pipelines.watch_flow import ALARM, before_and_after, watch
from serving.api import create_app
from serving.champion import Champion
from serving.recorder import KeepingPolicy, Recorder
from tests.bundles import draw_part, make_bundle
from tests.waiting import wait_until
from tests.webhooks import receiving

ROOT = Path(__file__).parents[2]
VERDICTS = Path("verdicts")
POLICY = KeepingPolicy(pass_fraction=1.0, max_bytes=10**8)
N_PARTS = 300
# Prefect sends its events by and by.
PATIENCE_S = 60.0


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A service with its log, in the current folder."""
    monkeypatch.chdir(tmp_path)
    make_bundle(Path("models/bundle"))
    release(Path("models/bundle"), Path("models/releases"), "1")
    promote(Path("models/releases"), "1")
    champion, recorder = Champion(Path("models/releases")), Recorder(VERDICTS, POLICY)
    champion.start()
    with TestClient(create_app(champion, recorder=recorder)) as client:
        yield client
    recorder.close()
    champion.stop()


def replay(client: TestClient, first: int, n_parts: int, *, lamp: float) -> None:
    """Inspect normal parts whose light varies by 3 % from part to part, as of a real lamp."""
    for number in range(first, first + n_parts):
        texts = {"part_id": f"P{number}", "camera": "Ch00"}
        files = {"views": (f"{number}.jpg", lit_part(number, lamp=lamp))}
        client.post("/inspect", data=texts, files=files).raise_for_status()


def lit_part(number: int, *, lamp: float) -> bytes:
    """The JPEG of a normal part."""
    gain = lamp * np.random.default_rng(number).normal(1, 0.03)
    lit = np.clip(draw_part(seed=number) * gain, 0, 255).astype(np.uint8)
    return simplejpeg.encode_jpeg(lit[:, :, None], colorspace="GRAY", quality=95)


@pytest.mark.slow
def test_a_lamp_that_is_30_percent_dimmer_is_noticed_within_100_parts_and_not_before(
    client: TestClient,
) -> None:
    replay(client, 0, N_PARTS, lamp=1.0)
    assert watched().alarms == []

    replay(client, N_PARTS, 100, lamp=0.7)
    found = watched()
    brightness = {one.measure: one for one in found.alarms if one.measure.startswith("bright")}
    assert set(brightness) == {"brightness of rod", "brightness of rivet"}
    for alarm in brightness.values():
        assert alarm.after / alarm.before == pytest.approx(0.7, abs=0.05)

    above, below = rows_of(before_and_after(VERDICTS, next(iter(brightness.values()))))
    assert below / above == pytest.approx(0.7, abs=0.1)

    # said once; accepted, it is the usual
    assert len(tell_new(VERDICTS, found.alarms)) == len(found.alarms)
    assert tell_new(VERDICTS, found.alarms) == []
    accept(VERDICTS, why="new lamp", by="Kim")
    replay(client, N_PARTS + 100, 50, lamp=0.7)
    assert watched().alarms == []
    assert watched().n_parts == 50


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400)])
def test_a_clock_that_jumps_hides_no_part_from_the_watch(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    replay(client, 0, 3, lamp=1.0)
    accept(VERDICTS, why="new lamp", by="Kim")
    jumped = (datetime.now(UTC) + jump).isoformat(timespec="milliseconds")
    with monkeypatch.context() as patch:
        patch.setattr("serving.recorder.now", lambda: jumped)
        patch.setattr("pipelines.watch.now", lambda: jumped)
        replay(client, 3, 2, lamp=1.0)
        assert watched().n_parts == 2
        accept(VERDICTS, why="another", by="Kim")
    replay(client, 5, 1, lamp=1.0)

    assert watched().n_parts == 1


@pytest.mark.parametrize(("lamp", "is_told"), [(0.7, True), (1.0, False)])
def test_a_lamp_that_is_wrong_from_the_first_part_on_is_told_by_the_test_parts(
    client: TestClient, lamp: float, is_told: bool
) -> None:
    write_json(usual_path(RELEASES, "1"), {"Ch00": usual_looks(n_parts=30)})
    replay(client, 0, 50, lamp=lamp)

    told = {one.measure for one in watched().alarms}
    assert ("brightness of rod, by the test parts" in told) == is_told
    assert is_told or not told


def usual_looks(*, n_parts: int) -> dict[str, list[float]]:
    """The measures of normal parts under the usual lamp, which the service has not seen."""
    inspector, found = Inspector(champion(RELEASES)), list[dict[str, float]]()
    for number in range(10_000, 10_000 + n_parts):
        seen = [inspector.measure(View("a.jpg", lit_part(number, lamp=1.0)))]
        views = logged_views(seen, judge_part(seen, inspector.card), inspector.card)
        found.append(looks_of(views))
    return {name: [one[name] for one in found] for name in found[0]}


def rows_of(address: str | None) -> tuple[float, float]:
    """The mean brightness of the upper and the lower row of pictures, without their captions."""
    assert address is not None
    content = base64.b64decode(address.partition(";base64,")[2])
    with Image.open(io.BytesIO(content)) as picture:
        pixels = np.asarray(picture.convert("L"), float)
    half = len(pixels) // 2
    # drawn parts are 320 x 256 pixels: of a place of 224 x 224 they fill the upper 179
    return pixels[20:190].mean(), pixels[half + 20 : half + 190].mean()


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.filterwarnings("default")  # Prefect's own
def test_a_run_of_the_flow_shows_alarms_with_pictures_and_tells_of_new_ones_once(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(usual_path(RELEASES, "1"), {"Ch00": usual_looks(n_parts=30)})
    replay(client, 0, 50, lamp=0.7)
    with receiving() as received:
        monkeypatch.setenv("KNURL_WEBHOOK", received.url)
        rows = watch(follow_alias=False)
        assert watch(follow_alias=False) == rows

    measures = {row["measure"] for row in rows}
    assert {f"brightness of {name}, by the test parts" for name in ("rod", "rivet")} <= measures
    texts = [json.loads(body)["text"] for body in received.bodies]
    assert len(texts) == len(measures) == len(rows)
    assert all(text.startswith("watch: ") and "camera Ch00" in text for text in texts)

    rates, alarms = published("watch-rates"), published("watch-alarms")
    assert (len(rates), len(alarms)) == (2, 2)  # by each run
    assert {row["measure"] for row in json.loads(alarms[-1])} == measures
    pictures = published("watch-pictures")
    assert len(pictures) == len(rows)  # of the first run
    # pictures under the wrong lamp only, whose parts are drawn with a grey of 120
    for address in pictures:
        content = base64.b64decode(address.partition(";base64,")[2])
        with Image.open(io.BytesIO(content)) as picture:
            below = np.asarray(picture.convert("L"), float)[-220:-60, 20:180]
        assert below.mean() < 100

    wait_until(lambda: len(events()) == len(rows), PATIENCE_S)
    assert {event["payload"]["measure"] for event in events()} == measures
    assert {event["resource"]["prefect.resource.id"] for event in events()} == {"knurl.camera.Ch00"}


def published(key: str) -> list[str]:
    """What Prefect's server holds under a key, the oldest first."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=wanted)
    return [str(one.data) for one in sorted(found, key=lambda one: one.created)]


def events() -> list[dict[str, Any]]:
    """The alarms among the events that Prefect's server has received."""
    from prefect.settings import PREFECT_API_URL

    wanted = {"filter": {"event": {"name": [ALARM]}}}
    answer = httpx.post(f"{PREFECT_API_URL.value()}/events/filter", json=wanted)
    return list(answer.raise_for_status().json()["events"])


def test_without_kept_pictures_an_alarm_shows_none(client: TestClient) -> None:
    replay(client, 0, 3, lamp=1.0)
    shutil.rmtree(VERDICTS / "pictures")
    alarm = Alarm("1", "Ch00", "", "brightness of rod", 1.0, 0.7, "2000", "2001", 3)

    assert before_and_after(VERDICTS, alarm) is None


def test_feedback_makes_running_rates(client: TestClient) -> None:
    replay(client, 0, 12, lamp=1.0)
    for number in range(10):
        label = "dent" if number == 0 else "normal"
        words = {"part_id": f"P{number}", "label": label, "reviewer": "Kim"}
        client.post("/feedback", json=words).raise_for_status()
    found = watched()

    assert found.checked["pass"].n_parts == 12
    assert found.checked["pass"].n_checked == 10
    assert found.checked["pass"].n_defective == 1
    assert found.escapes.estimate == 1.0
    assert "checked: 10 of 12 pass" in text_of(found)


def test_the_command_prints_the_rates_and_ends_well_where_nothing_has_changed(
    client: TestClient, tmp_path: Path
) -> None:
    replay(client, 0, 5, lamp=1.0)
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.watch"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("5 parts, 0 alarms\nescapes ")
    kept = read_json(VERDICTS / "watched.json")
    assert (kept["n_parts"], kept["alarms"]) == (5, [])
    assert [one["rate"] for one in kept["rates"]] == ["escapes", "overkill"]


@pytest.mark.usefixtures("client")
def test_without_a_log_and_with_impossible_rates_it_says_what_to_do() -> None:
    with pytest.raises(InspectionError, match=r"false_alarms_a_day: got 2; give a rate between"):
        watched(false_alarms_a_day=2)
    with pytest.raises(InspectionError, match=r"verdicts.db: no verdict log; start the service"):
        watched(Path("elsewhere"))


def test_who_accepts_says_so_and_is_told_what_holds_from_now_on(
    client: TestClient, tmp_path: Path
) -> None:
    replay(client, 0, 1, lamp=1.0)
    command = [sys.executable, "-m", "pipelines.watch", "--accept", "new lamp"]
    here = {"cwd": tmp_path, "env": {"PYTHONPATH": str(ROOT)}, "text": True}
    nobody = subprocess.run(command, stderr=subprocess.PIPE, **here)
    assert nobody.returncode == 2
    assert "--accept: say who accepts it with --by NAME" in nobody.stderr
    assert not (VERDICTS / "accepted.jsonl").exists()

    kim = subprocess.run([*command, "--by", "Kim"], stdout=subprocess.PIPE, **here)
    expected = "accepted by Kim: what is seen from now on is the usual (new lamp)\n"
    assert (kim.returncode, kim.stdout) == (0, expected)
