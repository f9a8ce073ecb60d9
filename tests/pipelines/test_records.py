"""Where the record of a run says that version and report are."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from inspection.storage import write_json, write_text
from pipelines.runs import records
from stages.tracking import TrackingParams
from tests.pipelines.test_retrain import leave_pictures
from tests.registering import Project
from tests.servers import mlflow_server

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
STAGES = ("assemble", "report", "register")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """An MLflow server whose clients write artifacts by way of it."""
    store, artifacts = f"sqlite:///{tmp_path}/server.db", str(tmp_path / "served")
    with mlflow_server(store, artifacts, {}) as address:
        yield address


def registered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project whose bundle is registered, the current folder, as its stages leave it."""
    # by its whole path: MLflow keeps a connection to a relative one, wherever that then leads
    store = TrackingParams(store=str(folder / "mlruns"))
    receipt = Project(folder, store, "line-7").register(monkeypatch, "a")
    write_json(folder / records.RECEIPT, receipt)
    monkeypatch.chdir(folder)


def test_on_a_server_version_and_report_are_links_that_lead_there(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    registered(tmp_path, monkeypatch)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{server.replace('//', '//ada:secret@')}/")
    said = records.links(STAGES)

    assert f"[model line-7, version 1]({server}/#/models/line-7/versions/1)" in said
    assert "secret" not in said
    page = rf"\[of version 1\]\({server}/#/experiments/(\d+)/runs/(\w+)/artifacts/(\S+)\)"
    ((experiment, run, path),) = re.findall(page, said)
    api = f"{server}/api/2.0/mlflow/runs/get"
    info = httpx.get(api, params={"run_id": run}).raise_for_status().json()["run"]["info"]
    assert info["experiment_id"] == experiment
    asked = {"run_uuid": run, "path": path}
    report = httpx.get(f"{server}/get-artifact", params=asked).raise_for_status()
    assert report.text == "<p>report</p>\n"


def test_without_a_server_places_are_named_and_only_of_stages_that_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(tmp_path, monkeypatch)
    write_text(tmp_path / records.REPORT, "<p>report</p>\n")
    version = "- registry: model `line-7`, version 1 (`make registry`)"

    assert records.links(STAGES) == f"- report: `reports/index.html`\n{version}"
    assert records.links(["register"]) == version
    assert records.links(["assemble"]) == ""


@pytest.mark.parametrize(
    ("stages", "shown"),
    [
        (["validate", "assemble"], {"metrics", "confusion", "confusion-picture"}),
        (["evaluate_cam"], {"gallery"}),
        (["report"], {"verdicts"}),
        (["validate"], set()),
    ],
)
def test_a_run_of_some_stages_shows_nothing_of_the_run_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: list[str], shown: set[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    leave_pictures(tmp_path)
    write_json(tmp_path / records.TEST_METRICS, {"test": {"escapes": 0}})
    write_text(tmp_path / records.REPORT, "<p>report</p>\n")
    keys: list[str] = []
    for kind in ("table", "image", "markdown"):
        name = f"create_{kind}_artifact"
        monkeypatch.setattr(records, name, lambda *_, key, description: keys.append(key))

    records.publish_results(stages)
    assert sorted(keys) == sorted(f"retrain-{one}" for one in shown)
