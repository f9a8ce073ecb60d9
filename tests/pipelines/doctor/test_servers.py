import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipelines.doctor import servers
from pipelines.doctor.__main__ import has_fault, told
from pipelines.doctor.finding import Finding


@contextmanager
def server(body: str, *, status: int = 200, seconds_ahead: float = 0.0) -> Iterator[str]:
    """The address of a real server with one answer, whose clock goes ahead of ours."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def date_time_string(self, timestamp: float | None = None) -> str:
            import time

            return super().date_time_string((timestamp or time.time()) + seconds_ahead)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, whose registry is a sqlite file that is not there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"tracking": {"store": "mlruns"}}, file)
    return tmp_path


def states(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(one.state, one.subject) for one in findings]


def test_a_server_of_this_version_and_time_is_well() -> None:
    with server(f'"{version("prefect")}"') as address:
        found = states(servers.prefect({"PREFECT_API_URL": address}))
    assert found == [("ok", "Prefect"), ("ok", "clock")]


def test_a_server_of_another_version_and_another_time_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with server("0.1", seconds_ahead=3600) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        found = list(servers.mlflow())
    assert states(iter(found)) == [("warning", "MLflow"), ("fault", "clock")]
    assert "+3600 s" in found[1].text or "+3599 s" in found[1].text


def test_a_server_that_is_away_or_refuses_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert states(servers.prefect({"PREFECT_API_URL": "http://127.0.0.1:9"})) == [
        ("fault", "Prefect")
    ]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert states(servers.mlflow()) == [("fault", "MLflow")]
    with server("who are you?", status=401) as address:
        found = servers.prefect({"PREFECT_API_URL": address})
        assert states(found) == [("fault", "Prefect")]


def test_a_service_that_is_not_ready_is_a_fault_and_none_a_warning() -> None:
    with server("no champion", status=503) as address:
        assert servers.service(address).state == "fault"
    with server("ready") as address:
        assert servers.service(address).state == "ok"
    assert servers.service("http://127.0.0.1:9").state == "warning"


def test_a_registry_that_is_no_database_is_a_fault_and_a_new_one_is_not(folder: Path) -> None:
    assert states(servers.mlflow()) == [("ok", "MLflow")]
    (folder / "mlruns").mkdir()
    (folder / "mlruns/mlflow.db").write_bytes(b"not a database" * 100)
    assert states(servers.mlflow()) == [("fault", "MLflow")]


def test_a_remote_that_is_not_there_is_a_fault_and_none_a_warning(folder: Path) -> None:
    from dvc.repo import Repo

    Repo.init(no_scm=True).close()
    assert servers.remote().state == "warning"
    core = "[core]\n    no_scm = true\n    remote = plant\n"
    remote = "['remote \"plant\"']\n    url = nosuch://bucket\n"
    (folder / ".dvc/config").write_text(core + remote)
    finding = servers.remote()
    assert (finding.state, finding.remedy) == ("fault", "`dvc remote list`, then mend it")


@pytest.mark.filterwarnings("default")  # DVC's own
def test_a_remote_that_lacks_the_data_is_a_warning_until_it_was_pushed(folder: Path) -> None:
    from dvc.repo import Repo

    with Repo.init(no_scm=True) as repo:
        (folder / "data").mkdir()
        (folder / "data/1.jpg").write_bytes(b"a picture")
        repo.add("data")
        config = f"{(folder / '.dvc/config').read_text()}    remote = plant\n"
        url = f"['remote \"plant\"']\n    url = {folder / 'plant'}\n"
        (folder / ".dvc/config").write_text(config + url)
        assert servers.remote().state == "warning"
    with Repo() as repo:
        repo.push()
    assert servers.remote().state == "ok"


def test_a_remedy_stands_below_what_it_mends_and_warnings_do_not_fail() -> None:
    finding = Finding("warning", "data", "nothing is tracked yet", "`make demo`")
    line, remedy = told(finding).splitlines()
    assert line.startswith("warning  data")
    assert remedy.strip() == "to fix: `make demo`"
    assert not has_fault([finding])
    assert has_fault([finding, Finding("fault", "data", "missing")])
