"""A server that answers, and is no MLflow: one line, whatever asks it."""

import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from inspection.errors import InspectionError
from pipelines import promote, rollback, status
from pipelines.runs import store
from stages.tracking import TrackingParams
from tests.registering import Project
from tests.servers import answering

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
PAGE = "<html><body>" + "Who are you? " * 1000 + "</body></html>"
STRANGERS = {"no page": (404, PAGE), "a token": (401, PAGE), "a page": (200, PAGE)}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a project of which nothing is registered, the current folder."""
    project = Project(tmp_path, TrackingParams(), "a-line")
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(project.params(), file)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", [promote, rollback, status])
@pytest.mark.parametrize("asked", STRANGERS)
def test_a_server_that_is_no_mlflow_is_told_in_one_line_with_the_remedy(
    command: object, asked: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, page = STRANGERS[asked]
    monkeypatch.setattr(sys, "argv", ["command"])
    with answering(page, status=code) as address:
        named = address.replace("//", "//ada:secret@")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
        with pytest.raises(SystemExit, match="1"):
            command.main()  # type: ignore[attr-defined]

    _, said = capsys.readouterr().err.splitlines()
    assert "answers, and not as an MLflow server does" in said
    assert "correct the address" in said
    assert "secret" not in said
    assert len(said) < 600


def test_before_a_training_only_a_server_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.require_server()
    assert not (folder / "mlruns").exists()

    with answering("", status=404) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(InspectionError, match="answers, and not as an MLflow server does"):
            store.require_server()
