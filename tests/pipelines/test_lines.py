"""Commands in the folder of a line: they touch that line alone."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from inspection.errors import InspectionError
from pipelines import retrain
from pipelines.dvc_process import Dvc
from pipelines.dvc_state import RWLOCK, dvc_root, repaired
from pipelines.runs import branch, known_errors
from pipelines.runs.overrides import KEPT, overridden

OF_THE_LINE = """\
stages:
  triple:
    cmd: cat in.txt in.txt in.txt > triple.txt
    deps: [in.txt]
    params: [times]
    outs: [triple.txt]
"""


@pytest.fixture
def line(project: Path) -> Path:
    """A line beside that of the root, whose stage has another name."""
    folder = project / "lines/tiles"
    folder.mkdir(parents=True)
    (folder / "dvc.yaml").write_text(OF_THE_LINE)
    (folder / "params.yaml").write_text("times: 3\n")
    (folder / "in.txt").write_text("1\n")
    return folder


def git(*words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    return subprocess.run(
        ["git", *who, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def ignore(_: str) -> None:
    """What is printed is of no use here."""


def test_a_run_has_the_stages_of_its_folder_only(
    project: Path, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Dvc(ignore) as dvc:
        assert dvc.stages == ["double", "report"]

    monkeypatch.chdir(line)
    with Dvc(ignore) as dvc:
        assert dvc.stages == ["triple"]
        assert dvc.run("triple", ignore)
    assert (line / "triple.txt").read_text() == "1\n1\n1\n"
    assert (line / "dvc.lock").is_file()
    assert not (project / "double.txt").exists()


def test_parameters_that_are_put_back_bring_back_no_files_of_another_line(
    project: Path, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (project, line):
        subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=folder, check=True)
    (project / "double.txt").write_text("at work\n")
    monkeypatch.chdir(line)

    with overridden(["times=4"]):
        (line / "triple.txt").write_text("of the run\n")

    assert not KEPT.exists()
    assert (line / "triple.txt").read_text() == "1\n1\n1\n"
    assert (project / "double.txt").read_text() == "at work\n"


def test_of_the_lines_of_a_checkout_one_is_trained_at_a_time(
    line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrain, "TURN_PATIENCE_S", 0.0)
    with retrain.turn():
        monkeypatch.chdir(line)
        with (
            pytest.raises(InspectionError, match="the training of another line is running"),
            retrain.turn(),
        ):
            pass
    with retrain.turn():
        assert not (line / ".state").exists()


def test_a_run_of_a_line_is_committed_with_the_sources_as_they_were(
    project: Path, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "source.py").write_text("as committed")
    git("add", ".")
    git("commit", "--quiet", "-m", "all")
    (project / "source.py").write_text("as it ran")
    (line / "dvc.lock").write_text("of the run")
    monkeypatch.chdir(line)

    name = branch.commit("a run")

    assert git("show", f"{name}:source.py") == "as it ran"
    assert git("show", f"{name}:lines/tiles/dvc.lock") == "of the run"


def test_what_a_power_cut_leaves_of_dvc_is_mended_from_the_folder_of_a_line(
    project: Path, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / RWLOCK).parent.mkdir(parents=True, exist_ok=True)
    (project / RWLOCK).write_bytes(b"")
    monkeypatch.chdir(line)

    assert len(repaired()) == 1
    assert not (project / RWLOCK).exists()
    assert dvc_root() == project


def test_the_log_of_a_flow_names_the_commands_of_its_line(
    line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_errors.quiet()
    monkeypatch.chdir(line)
    error = InspectionError("folds: missing; run `dvc repro`")
    raised = (InspectionError, error, None)
    record = logging.LogRecord("", logging.ERROR, "", 0, "failed: %r", (error,), raised)

    assert logging.getLogger("prefect.flow_runs").filter(record)
    assert "run `dvc --cd lines/tiles repro`" in record.getMessage()
    assert record.exc_info is None
