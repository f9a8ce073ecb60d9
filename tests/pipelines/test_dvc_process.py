import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inspection.errors import InspectionError
from pipelines.dvc_process import Dvc
from tests.pipelines.conftest import make_fail
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RUNS_A_LONG_STAGE = """
from pipelines.dvc_process import Dvc
with Dvc(lambda line: None) as dvc:
    dvc.run("double", lambda line: None)
"""


def test_each_stage_comes_after_what_it_depends_on_and_runs_once(project: Path) -> None:
    lines: list[str] = []
    with Dvc(lines.append) as dvc:
        assert dvc.stages == ["double", "report"]
        assert [dvc.run(stage, lines.append) for stage in dvc.stages] == [True, True]
        assert [dvc.run(stage, lines.append) for stage in dvc.stages] == [False, False]
    assert (project / "report.txt").read_text() == "7\n7\n"
    assert "doubling" in lines


def test_a_failed_stage_tells_its_last_lines_and_dvc_goes_on(project: Path) -> None:
    make_fail(project)
    with Dvc(lambda _: None) as dvc:
        with pytest.raises(
            InspectionError, match=r"(?s)stage double: .*exited with 3.*camera is gone"
        ):
            dvc.run("double", lambda _: None)
        (project / "double.txt").write_text("by hand")
        assert dvc.run("report", lambda _: None)


def test_a_stage_that_is_not_there_is_named(project: Path) -> None:
    with (
        Dvc(lambda _: None) as dvc,
        pytest.raises(InspectionError, match="stage missing: Stage 'missing' not found"),
    ):
        dvc.run("missing", lambda _: None)


def test_a_dvc_that_was_killed_is_started_again(project: Path) -> None:
    with Dvc(lambda _: None) as dvc:
        dvc._process.kill()
        dvc._process.wait()
        assert dvc.run("double", lambda _: None)


@contextmanager
def held_by_a_dying_run(project: Path, **paths: str) -> Iterator[None]:
    """Paths are held, to `read` or to `write`, by a process that ends three seconds later."""
    dying = subprocess.Popen(["sleep", "3"])
    holder = {"pid": dying.pid, "cmd": "a run that was killed"}
    held = {
        "read": {str(project / path): [holder] for path in [paths.get("read")] if path},
        "write": {str(project / path): holder for path in [paths.get("write")] if path},
    }
    (project / ".dvc/tmp/rwlock").write_text(json.dumps(held))
    reaper = threading.Thread(target=dying.wait)  # or it stays, as a zombie
    assert dying.poll() is None
    reaper.start()
    yield
    reaper.join()


def test_a_run_that_is_still_dying_is_waited_for(project: Path) -> None:
    with Dvc(lambda _: None) as dvc, held_by_a_dying_run(project, write="double.txt"):
        assert dvc.run("double", lambda _: None)


def test_so_is_one_that_still_reads_the_data(project: Path) -> None:
    (project / "data").mkdir()
    (project / "data/a.txt").write_text("a")
    subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", "data"], check=True)
    (project / "data/b.txt").write_text("b")
    with held_by_a_dying_run(project, read="data"), Dvc(lambda _: None) as dvc:
        assert dvc.run("double", lambda _: None)


def test_what_a_killed_dvc_left_empty_is_repaired(project: Path) -> None:
    for left in ("dvc.lock", ".dvc/tmp/rwlock"):
        (project / left).touch()
    with Dvc(lambda _: None) as dvc:
        assert dvc.run("double", lambda _: None)
    assert "double:" in (project / "dvc.lock").read_text()


def test_outside_of_a_project_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(InspectionError, match=r"dvc\.yaml: you are not inside of a DVC repository"),
        Dvc(lambda _: None),
    ):
        pass


def test_a_broken_pipeline_file_is_named(project: Path) -> None:
    (project / "dvc.yaml").write_text("stages: [")
    with pytest.raises(InspectionError, match=r"dvc\.yaml"), Dvc(lambda _: None):
        pass


def test_dvc_dies_with_its_parent(project: Path) -> None:
    pid_file = project / "pid"
    slow = "echo $PPID > pid; exec sleep 60"
    text = (project / "dvc.yaml").read_text()
    (project / "dvc.yaml").write_text(text.replace("cat in.txt in.txt > double.txt", slow))
    parent = subprocess.Popen(
        [sys.executable, "-c", RUNS_A_LONG_STAGE], env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    wait_until(lambda: pid_file.is_file() and pid_file.read_text().strip() != "")
    dvc_pid = int(pid_file.read_text())
    assert is_alive(dvc_pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not is_alive(dvc_pid))


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_data_that_has_changed_is_taken_note_of_before_any_stage_runs(project: Path) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "in.txt"], check=True)
    (project / "in.txt").write_text("8\n")
    before = (project / "in.txt.dvc").read_text()
    with Dvc(lambda _: None) as dvc:
        assert dvc.stages == ["double", "report"]
    assert (project / "in.txt.dvc").read_text() != before
