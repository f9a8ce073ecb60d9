"""A registry on Postgres with artifacts in S3, and a host that has nothing but its address."""

import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from inspection.errors import InspectionError
from inspection.runtime.releases import POINTER, champion, champion_line
from inspection.runtime.signatures import make_keys, read_public_key
from pipelines.champions import usual_path
from pipelines.doctor import servers
from pipelines.promote import promote
from pipelines.rollback import rollback
from pipelines.runs.store import opened
from pipelines.shipping.follow import Followed, brought, follow, wanted
from serving.api import create_app
from serving.champion import Champion
from stages import tracking
from tests.architecture import ROOT
from tests.bundles import draw_jpeg, sample_line
from tests.registering import Project
from tests.servers import BUCKET, PATIENCE_S, mlflow_server, object_store, postgres
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
LINE = "followed-line"
STORE = tracking.TrackingParams()
# From the alias to the answer: two looks of the follower, and the service's own.
PROMISE_S = 10.0


@pytest.fixture(scope="module")
def plant() -> Iterator[dict[str, str]]:
    """The environment of the plant: MLflow on Postgres, its artifacts in a bucket, by proxy."""
    with (
        postgres() as database,
        object_store() as bucket,
        mlflow_server(database.address("mlflow"), f"s3://{BUCKET}/mlflow", bucket) as address,
    ):
        yield {**bucket, "MLFLOW_TRACKING_URI": address}


@pytest.fixture
def address(plant: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The registry's address, which is all that this process is told of the plant."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", plant["MLFLOW_TRACKING_URI"])
    return plant["MLFLOW_TRACKING_URI"]


def bucket_of(plant: dict[str, str]) -> Any:
    import boto3

    return boto3.resource(
        "s3",
        endpoint_url=plant["AWS_ENDPOINT_URL"],
        region_name=plant["AWS_DEFAULT_REGION"],
        aws_access_key_id=plant["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=plant["AWS_SECRET_ACCESS_KEY"],
    ).Bucket(BUCKET)


def answered(client: TestClient) -> tuple[str, str]:
    """The verdict on a dented part, and the release that gave it."""
    answer = client.post("/inspect", files={"views": ("a.jpg", draw_jpeg("dent"))}).json()
    return answer["verdict"], answer["model"]["release"]


@contextmanager
def following(folder: Path, **variables: str) -> Iterator[None]:
    """The command, in an empty folder, told of the address and of the name of the line."""
    command = [sys.executable, "-m", "pipelines.shipping.follow", "--line", LINE, "--every", "0.5"]
    begun = subprocess.Popen(
        command, cwd=folder, env=os.environ | variables | {"PYTHONPATH": str(ROOT)}
    )
    try:
        yield
    finally:
        begun.terminate()
        assert begun.wait() == 0


def test_another_host_serves_what_is_promoted_signed_and_whole_and_nothing_else(
    plant: dict[str, str],
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, host = tmp_path / "home", tmp_path / "host"
    home.mkdir()
    host.mkdir()
    public = make_keys(tmp_path / "line.key")
    monkeypatch.setenv("KNURL_SIGNING_KEY", str(tmp_path / "line.key"))
    project = Project(home, STORE, LINE)
    project.register(monkeypatch, "a")
    assert promote(by="Ada") == "promoted"
    first = champion(home / "models/releases").name
    stored = [one.key for one in bucket_of(plant).objects.filter(Prefix="mlflow/")]
    assert any(key.endswith("card.json") for key in stored)
    assert not (home / "mlruns").exists()

    there = host / "models/releases"
    with following(host, KNURL_PUBLIC_KEY=str(public)):
        wait_until(lambda: (there / POINTER).is_file(), PATIENCE_S)
        serving = Champion(there, read_public_key(public))
        serving.start()
        with TestClient(create_app(serving)) as client:
            assert answered(client) == ("reject", first)
            usual = usual_path(home / "models/releases", first).read_bytes()
            wait_until(lambda: usual_path(there, first).is_file(), PATIENCE_S)
            assert usual_path(there, first).read_bytes() == usual

            project.register(monkeypatch, "b")
            assert promote(by="Ada") == "promoted"
            second = champion(home / "models/releases").name
            assert second != first
            wait_until(lambda: answered(client)[1] == second, PROMISE_S)
            rollback(reason="overkill on Monday", by="Ada")
            wait_until(lambda: answered(client)[1] == first, PROMISE_S)
        serving.stop()
    assert list(host.iterdir()) == [host / "models"]

    # an alias that was moved by hand, past the gate
    registry = opened()[2]
    registry.client.set_registered_model_alias(LINE, tracking.CHAMPION, "2")
    with pytest.raises(InspectionError, match="names version 2, which no gate has seen"):
        brought(LINE, STORE, there)
    registry.client.set_registered_model_alias(LINE, tracking.CHAMPION, "1")

    # a key of somebody else
    strangers = {"KNURL_PUBLIC_KEY": str(make_keys(tmp_path / "strangers.key"))}
    with pytest.raises(InspectionError, match="is not the signature of this release"):
        brought(LINE, STORE, tmp_path / "third", strangers)
    assert not (tmp_path / "third" / POINTER).exists()

    # what is usual, changed in the bucket: said, and no reason to hold a release back
    run = registry.tags("1")["run_id"]
    (recorded,) = (
        one for one in bucket_of(plant).objects.all() if f"{run}/artifacts/usual/" in one.key
    )
    recorded.put(Body=b"{}")
    found = brought(LINE, STORE, tmp_path / "other")
    assert champion(tmp_path / "other", read_public_key(public)).name == found.release == first
    assert "is in the registry not what was recorded" in str(found)
    assert not usual_path(tmp_path / "other", first).exists()

    # a model that was changed in the bucket
    for one in bucket_of(plant).objects.all():
        if one.key.endswith("classifier.onnx"):
            one.put(Body=one.get()["Body"].read() + b"\0")
    with pytest.raises(InspectionError, match="whole neither there nor in the registry"):
        brought(LINE, STORE, tmp_path / "fourth")
    assert champion(there, read_public_key(public)).name == first


def test_a_move_of_any_length_is_kept_whole(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL holds the tags of a registered model to 5,000 characters, sqlite does not."""
    Project(tmp_path, STORE, "long-line").register(monkeypatch, "a")
    # each character takes six in JSON
    who, why = "\x01" * 6000, "\x02" * 6000
    assert promote(override=why, by=who) == "promoted"
    registry = opened()[2]

    (entry,) = registry.entries()
    assert (entry["who"], entry["why"]) == (who, why)
    assert {"parity", "latency"} <= {rule["name"] for rule in entry["rules"]}
    assert (registry.served(), registry.promoted()) == ("1", "1")


def test_the_doctor_finds_nothing_amiss_and_strangers_names_are_refused(address: str) -> None:
    found = list(servers.mlflow())
    assert [(one.state, one.subject) for one in found] == [
        ("ok", "MLflow"),
        ("ok", "clock"),
        ("ok", "artifacts"),
    ]
    assert "mlflow-artifacts:" in found[2].text

    asked = f"{address}/api/2.0/mlflow/experiments/get-by-name?experiment_name={STORE.experiment}"
    status = {
        host: httpx.get(asked, headers={"Host": host}).status_code
        for host in ("mlflow:5000", "evil.example")
    }
    assert status == {"mlflow:5000": 200, "evil.example": 403}


def test_hosts_take_turns_and_a_claim_of_the_dead_is_dropped(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tracking.reader(STORE).MlflowClient()
    monkeypatch.setattr(tracking, "PATIENCE_S", 1.0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()

    monkeypatch.chdir(tmp_path / "a")
    with tracking.changing_aliases(STORE):
        monkeypatch.chdir(tmp_path / "b")  # another checkout, with a file of its own to wait by
        held = rf"process {os.getpid()} on {platform.node()}, since .* changes aliases"
        with (
            pytest.raises(InspectionError, match=held),
            tracking.changing_aliases(STORE),
        ):
            pass
    with tracking.changing_aliases(STORE):
        pass

    tags = {tracking.HOST_TAG: platform.node(), tracking.PROCESS_TAG: f"{2**22 + 1} 1.00"}
    client.create_registered_model(tracking.CLAIM, tags=tags)
    with tracking.changing_aliases(STORE):
        pass
    assert client.search_registered_models(f"name = '{tracking.CLAIM}'") == []


def test_a_registry_that_is_away_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    stopping = threading.Event()
    following = threading.Thread(
        target=follow,
        args=([Followed(LINE, STORE, tmp_path)],),
        kwargs={"every_s": 0.05, "stopping": stopping},
    )
    with caplog.at_level("INFO", logger="knurl.follow"):
        following.start()
        time.sleep(1.0)
        stopping.set()
        following.join()

    assert len(caplog.messages) == 1  # said once, tried some twenty times
    assert "no answer from 127.0.0.1:9" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_of_several_lines_each_serves_from_a_folder_of_its_own(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in ("rods", "tiles"):
        (tmp_path / line).mkdir()
        Project(tmp_path / line, STORE, line).register(monkeypatch, "a")
        assert promote(by="Ada") == "promoted"
    host = tmp_path / "host"
    host.mkdir()
    command = [sys.executable, "-m", "pipelines.shipping.follow", "--once", "--line"]
    here: dict[str, Any] = {"cwd": host, "env": os.environ | {"PYTHONPATH": str(ROOT)}}

    subprocess.run([*command, "rods", "tiles"], check=True, **here)
    assert champion_line(host / "models/releases") == "rods"
    assert champion_line(host / "lines/tiles/models/releases") == "tiles"

    # one that is not there keeps no other from being followed
    said = subprocess.run([*command, "none", "tiles"], capture_output=True, text=True, **here)
    assert said.returncode == 1
    assert said.stderr.count("serves\n") == 1
    assert "none: no version has the alias 'champion'" in said.stderr


def test_in_a_checkout_its_lines_are_followed_by_the_names_that_their_params_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, name in ((tmp_path, "rod-assembly"), (tmp_path / "lines/tiles", "tiles")):
        line = sample_line().model_copy(update={"name": name})
        sections = {
            "line": line.model_dump(mode="json", exclude_defaults=True),
            "tracking": {"store": "mlruns"},
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "params.yaml").write_text(json.dumps(sections))
    monkeypatch.chdir(tmp_path)

    root, tiles = wanted([], Path("/releases"), Path("/lines"))
    assert (root.line, root.store.store, root.releases) == (
        "rod-assembly", "mlruns", Path("/releases"),
    )  # fmt: skip
    assert (tiles.line, tiles.store.store, tiles.releases) == (
        "tiles", "lines/tiles/mlruns", Path("/lines/tiles/models/releases"),
    )  # fmt: skip
    with pytest.raises(InspectionError, match=r"'\.\./b' is no name for one"):
        wanted(["a", "../b"])
    monkeypatch.chdir(tmp_path / "lines/tiles")
    (alone,) = wanted([])
    assert (alone.line, alone.releases) == ("tiles", Path("models/releases"))
