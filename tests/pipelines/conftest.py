import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

# a server is up within half a minute, on a machine that is busy with other tests within some
PATIENCE_S = 600
PIPELINE = """\
stages:
  report:
    cmd: cat double.txt > report.txt
    deps: [double.txt]
    outs: [report.txt]
  double:
    cmd: echo doubling >&2; cat; cat in.txt in.txt > double.txt
    deps: [in.txt]
    outs: [double.txt]
"""
FAILS = "echo try >> tries.txt; echo the camera is gone >&2; exit 3"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC project of two stages, `double` before `report`; the current folder."""
    folder = empty_project(tmp_path, monkeypatch)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "in.txt").write_text("7\n")
    return folder


def empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a DVC project without a stage, made the current one."""
    from dvc.repo import Repo

    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    subprocess.run(["git", "init", "--quiet"], check=True)
    Repo.init().close()
    return folder


def make_fail(project: Path) -> None:
    """Let the stage `double` fail."""
    broken = PIPELINE.replace("cat in.txt in.txt > double.txt", FAILS)
    (project / "dvc.yaml").write_text(broken)


def change(project: Path, old: str, new: str) -> None:
    """Put other text into dvc.yaml."""
    text = (project / "dvc.yaml").read_text()
    assert old in text
    (project / "dvc.yaml").write_text(text.replace(old, new))


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Prefect server with a database of its own, one for all tests."""
    from prefect.settings import PREFECT_HOME, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    home = {PREFECT_HOME: tmp_path_factory.mktemp("prefect")}
    with temporary_settings(home), prefect_test_harness(server_startup_timeout=PATIENCE_S):
        yield
