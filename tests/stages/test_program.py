import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import pytest

from inspection.storage import read_json
from stages import program
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
BEGUN = "begun\n"
HOLDS = f"sys.stdout.write({BEGUN!r}); sys.stdout.flush(); time.sleep(60)"
SPAWNS = """
import subprocess, sys
subprocess.Popen([sys.executable, '-c', sys.argv[1]])
sys.stdin.read()
"""


def source(body: str) -> str:
    """A program of the stage `drawn` whose main is `body`."""
    return (
        "import sys, time\nfrom inspection.errors import InspectionError\n"
        f"from stages import program\ndef main():\n    {body}\nprogram.run('drawn', main)\n"
    )


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def ran(folder: Path, body: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", source(body)],
        cwd=folder,
        env=environment() | variables,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def started(folder: Path, *command: str) -> subprocess.Popen[str]:
    """Start a program, and wait until it says that the stage has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", *command],
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == BEGUN
    return process


def test_a_stage_that_ends_well_ends_with_zero(tmp_path: Path) -> None:
    done = ran(tmp_path, "program.log.info('n_parts 3')")
    assert (done.returncode, done.stderr, done.stdout) == (0, "n_parts 3\n", "")


def test_what_the_user_can_fix_ends_with_one_and_without_a_traceback(tmp_path: Path) -> None:
    done = ran(tmp_path, "raise InspectionError('label: 찍힘 unknown; add it')")
    assert done.returncode == 1
    assert done.stderr == "drawn: failed\nlabel: 찍힘 unknown; add it\n"


FULL_DISK = "open('/dev/full', 'wb', 0).write(b'x')"
FULL_DATABASE = (
    "import sqlite3; d = sqlite3.connect('full.db'); d.execute('PRAGMA max_page_count=1');"
    "d.execute('CREATE TABLE a (b)'); d.execute('INSERT INTO a VALUES (zeroblob(9999))')"
)
DAMAGED_DATABASE = (
    "import sqlite3; open('a.db', 'wb').write(b'x' * 4096);"
    "sqlite3.connect('a.db').execute('SELECT * FROM a')"
)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("body", [FULL_DISK, FULL_DATABASE])
def test_a_full_disk_ends_a_stage_in_one_line_with_the_remedy(tmp_path: Path, body: str) -> None:
    done = ran(tmp_path, body)

    assert done.returncode == 1
    assert done.stderr.startswith("drawn: failed\ndisk: no space left; free some and run it again")
    assert len(done.stderr.splitlines()) == 2


def test_a_damaged_database_ends_a_stage_in_one_line_with_the_remedy(tmp_path: Path) -> None:
    done = ran(tmp_path, DAMAGED_DATABASE)

    assert done.returncode == 1
    assert "database: is damaged (file is not a database); copy it back" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_an_environment_without_utf8_ends_a_stage_in_one_line_with_the_remedy(
    tmp_path: Path,
) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = ran(tmp_path, "sys.stdout.write('ran')", **ascii_only)

    assert (done.returncode, done.stdout) == (1, "")
    assert "set PYTHONUTF8=1" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_the_environment_of_the_project_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    lines = (ROOT / "project.env").read_text().splitlines()
    project = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    done = ran(tmp_path, "sys.stdout.write('찍힘')", **ascii_only, **project)

    assert done.stdout == "찍힘"


def test_our_own_bug_shows_its_traceback(tmp_path: Path) -> None:
    done = ran(tmp_path, "1 / 0")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_a_second_run_of_a_stage_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    first = started(tmp_path, source(HOLDS))
    refused = ran(tmp_path, "sys.stdout.write('ran')")
    first.kill()
    first.communicate()
    again = ran(tmp_path, "sys.stdout.write('ran')")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "stage drawn is running already; wait for it to end" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert (again.returncode, again.stdout) == (0, "ran")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal is of Linux")
def test_a_stage_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    parent = started(tmp_path, SPAWNS, source(HOLDS))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for pipe in (parent.stdin, parent.stdout):
        assert pipe is not None
        pipe.close()
    deadline = time.monotonic() + 20
    while (done := ran(tmp_path, "pass")).returncode and time.monotonic() < deadline:
        time.sleep(0.1)
    assert done.returncode == 0, "the orphan still holds the lock"


# A stage whose libraries take long to be imported, started by a process that dies meanwhile.
IMPORTS = """
import time
open("importing", "w").close()
time.sleep(60)
"""
STARTS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "stages.slow"], cwd=sys.argv[1])
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal is of Linux")
def test_a_stage_that_imports_its_libraries_dies_with_the_process_that_started_it(
    tmp_path: Path,
) -> None:
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    (tmp_path / "inspection").symlink_to(ROOT / "inspection")
    (tmp_path / "stages/slow.py").write_text(IMPORTS)
    command = [sys.executable, "-c", STARTS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        stage = psutil.Process(int(parent.stdout.readline()))
        wait_until((tmp_path / "importing").exists)
        parent.kill()

    psutil.wait_procs([stage], timeout=20)
    assert not stage.is_running() or stage.status() == psutil.STATUS_ZOMBIE


@dataclass(frozen=True)
class Paths:
    val_scores: Annotated[Path, "scores"]
    out: Annotated[Path, "folder"]


def test_paths_come_from_the_command_line_and_all_are_required(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["drawn", "--val-scores", "a/b.csv", "--out", "c"])
    assert program.paths(Paths, "Draws.") == Paths(Path("a/b.csv"), Path("c"))

    monkeypatch.setattr(sys, "argv", ["drawn", "--val-scores", "a/b.csv"])
    with pytest.raises(SystemExit):
        program.paths(Paths, "Draws.")
    assert "--out" in capsys.readouterr().err


def test_a_warning_says_that_it_is_one(tmp_path: Path) -> None:
    done = ran(tmp_path, "program.log.warning('val: %d parts', 2)")
    assert done.stderr == "warning: val: 2 parts\n"


def test_metrics_are_saved_and_their_numbers_logged_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics: dict[str, Any] = {"n": 3, "rate": 0.12345, "of": {"a": 1}, "ok": True, "none": None}
    with caplog.at_level("INFO", logger="knurl"):
        program.save_metrics(tmp_path / "split.json", metrics)
    assert read_json(tmp_path / "split.json") == metrics
    assert caplog.messages == ["split: n 3, rate 0.123"]
