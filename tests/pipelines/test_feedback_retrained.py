"""From a picture that the service has judged to the manifest that a retraining learns from."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from benchmarks.apps.servers import bentoml_command, free_port, running
from inspection.runtime.releases import promote, release
from inspection.storage import read_table, sha256_of
from samples.draw import draw_line
from tests.bundles import make_bundle, sample_line
from tests.test_end_to_end import make_project, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    # what great_expectations imports
    pytest.mark.filterwarnings("default"),
]

CLEAN = Path("artifacts/labels/manifest.parquet")
CHANGES = Path("artifacts/labels/changes.csv")
STAGES = ["validate", "clean_labels"]
TAKE = [sys.executable, "-m", "pipelines.take_feedback"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample line with forty parts, as the current folder, and a release of its name."""
    folder = tmp_path / "knurl"
    make_project(folder)
    make_bundle(folder / "models/bundle", line=sample_line(name="rod-assembly"))
    release(folder / "models/bundle", folder / "models/releases", "1")
    promote(folder / "models/releases", "1")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return folder


@pytest.fixture
def address(project: Path, tmp_path: Path) -> Iterator[str]:
    """The service on that release; every picture is kept."""
    port = free_port()
    command = bentoml_command("serving.service:Inspection", port)
    variables = {"KNURL_KEEP_PASS_PERCENT": "100", "KNURL_TOKEN": ""}
    with running(command, port, tmp_path / "service", variables, cwd=project) as server:
        yield server.address


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    """A frame of a part that the line has not seen."""
    draw_line(out=tmp_path / "other", truth=tmp_path / "truth", n_parts=5, seed=77)
    return min((tmp_path / "other/images").iterdir())


def retrained(project: Path) -> bytes:
    """What the flow leaves of the clean manifest."""
    from pipelines.retrain import retrain

    retrain(stages=STAGES)
    return (project / CLEAN).read_bytes()


def test_a_picture_stands_in_the_clean_manifest_with_the_label_that_a_person_gave_and_can_be_undone(
    project: Path, address: str, frame: Path
) -> None:
    before = retrained(project)
    request = judged(address, frame)
    words = {"part_id": "A-17", "label": "slide", "reviewer": "Kim", "note": "seen by hand"}
    httpx.post(f"{address}/feedback", json=words).raise_for_status()
    run(TAKE, project)
    retrained(project)

    digest = sha256_of(frame)
    (row,) = rows_of(read_table(project / CLEAN), "image_sha256", digest)
    assert (row["label"], row["label_source"], row["held"]) == ("slide", "review", False)
    assert row["camera"] == "Ch00"
    listed = pd.read_csv(project / CHANGES, dtype=str)
    (change,) = rows_of(listed, "view_id", row["view_id"])
    assert (change["what"], change["after"], change["source"]) == ("label", "slide", "review")
    assert change["reason"] == f"Kim: feedback on request {request}: seen by hand"

    run([*TAKE, "--undo"], project)
    assert retrained(project) == before


def judged(address: str, frame: Path) -> str:
    """Let the service judge a frame of part A-17; the id of the request."""
    texts = {"part_id": "A-17", "camera": "Ch00"}
    files = {"views": (frame.name, frame.read_bytes())}
    answer = httpx.post(f"{address}/inspect", data=texts, files=files, timeout=60)
    return str(answer.raise_for_status().json()["request_id"])


def rows_of(table: pd.DataFrame, column: str, value: str) -> list[dict[str, Any]]:
    return table[table[column] == value].to_dict("records")
