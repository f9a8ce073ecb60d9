import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipelines.doctor import servers
from pipelines.doctor.__main__ import has_fault, told
from pipelines.doctor.finding import Finding
from tests.servers import BUCKET, answering, object_store


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
    told = {"/admin/version": f'"{version("prefect")}"', "/work_pools/line": '{"status": "READY"}'}
    with answering(told) as address:
        found = states(servers.prefect({"PREFECT_API_URL": address}))
    assert found == [("ok", "Prefect"), ("ok", "clock"), ("ok", "work pool")]


@pytest.mark.parametrize(
    ("pool", "told", "remedy"),
    [
        ({}, "is not there yet", "make schedule"),
        ({"/work_pools/line": '{"status": "NOT_READY"}'}, "no worker", "prefect worker start"),
    ],
)
def test_a_pool_that_nobody_works_for_is_a_warning(
    pool: dict[str, str], told: str, remedy: str
) -> None:
    with answering({"/admin/version": version("prefect"), **pool}) as address:
        *_, found = servers.prefect({"PREFECT_API_URL": address})
    assert (found.state, found.subject) == ("warning", "work pool")
    assert told in found.text
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("body", "state", "told"),
    [
        ('{"experiment": {"artifact_location": "mlflow-artifacts:/1"}}', "ok", "by way of"),
        ('{"experiment": {"artifact_location": "s3://plant/1"}}', "warning", "by itself"),
        (None, "ok", "made by the first run"),
    ],
)
def test_artifacts_should_go_through_the_server(
    monkeypatch: pytest.MonkeyPatch, body: str | None, state: str, told: str
) -> None:
    answers = {"/version": version("mlflow")}
    if body is not None:
        answers["/api/2.0/mlflow/experiments/get-by-name?experiment_name=knurl"] = body
    with answering(answers) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        *_, found = servers.mlflow()
    assert (found.state, found.subject) == (state, "artifacts")
    assert told in found.text


def test_a_server_is_shown_the_token_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"/version": version("mlflow"), "/admin/version": version("prefect")}
    with answering(answers, token="Bearer secret") as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        api = {"PREFECT_API_URL": address}
        assert states(servers.mlflow()) == [("fault", "MLflow")]
        assert states(servers.prefect(api)) == [("fault", "Prefect")]

        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
        assert next(servers.mlflow()).state == "ok"
        assert next(servers.prefect(api | {"PREFECT_API_KEY": "secret"})).state == "ok"


def test_a_server_of_another_version_and_another_time_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with answering("0.1", seconds_ahead=3600) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        found = list(servers.mlflow())
    assert states(iter(found)) == [
        ("warning", "MLflow"),
        ("fault", "clock"),
        ("fault", "artifacts"),
    ]
    assert "+3600 s" in found[1].text or "+3599 s" in found[1].text


def test_a_server_that_is_away_or_refuses_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert states(servers.prefect({"PREFECT_API_URL": "http://127.0.0.1:9"})) == [
        ("fault", "Prefect")
    ]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert states(servers.mlflow()) == [("fault", "MLflow")]
    with answering("who are you?", status=401) as address:
        found = servers.prefect({"PREFECT_API_URL": address})
        assert states(found) == [("fault", "Prefect")]


def test_a_service_that_is_not_ready_is_a_fault_and_none_a_warning() -> None:
    with answering("no champion", status=503) as address:
        assert servers.service(address).state == "fault"
    with answering("ready") as address:
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

    add_data_with_remote(folder, str(folder / "plant"))
    assert servers.remote().state == "warning"
    with Repo() as repo:
        repo.push()
    assert servers.remote().state == "ok"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # DVC's own
def test_a_remote_in_s3_lacks_the_data_until_it_was_pushed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.repo import Repo

    pytest.importorskip("dvc_s3", reason="`make test` installs tests/requirements.txt")
    with object_store() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        add_data_with_remote(folder, f"s3://{BUCKET}/dvc")
        assert servers.remote().state == "warning"
        with Repo() as repo:
            repo.push()
        assert servers.remote().state == "ok"

        # a clone has what is in git, and nothing else
        shutil.rmtree(folder / "data")
        shutil.rmtree(folder / ".dvc/cache")
        with Repo() as repo:
            repo.pull()
    assert (folder / "data/1.jpg").read_bytes() == b"a picture"


def add_data_with_remote(folder: Path, url: str) -> None:
    """A DVC project whose data is tracked, and whose default remote is this one."""
    from dvc.repo import Repo

    with Repo.init(no_scm=True) as repo:
        (folder / "data").mkdir()
        (folder / "data/1.jpg").write_bytes(b"a picture")
        repo.add("data")
        config = f"{(folder / '.dvc/config').read_text()}    remote = plant\n"
        remote = f"['remote \"plant\"']\n    url = {url}\n"
        (folder / ".dvc/config").write_text(config + remote)


def test_a_remedy_stands_below_what_it_mends_and_warnings_do_not_fail() -> None:
    finding = Finding("warning", "data", "nothing is tracked yet", "`make demo`")
    line, remedy = told(finding).splitlines()
    assert line.startswith("warning  data")
    assert remedy.strip() == "to fix: `make demo`"
    assert not has_fault([finding])
    assert has_fault([finding, Finding("fault", "data", "missing")])
