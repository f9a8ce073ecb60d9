"""The store: made by several at once, copied, runs of killed trainings, a damaged database."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from inspection.errors import InspectionError
from stages import tracking
from stages.tracking import HOST_TAG, PROCESS_TAG, TrackingParams
from tests.stages.conftest import statuses
from tests.surroundings import plain_environment

pytestmark = pytest.mark.filterwarnings("default")
ROOT = Path(__file__).parents[2]
TRAINS_FOR_EVER = """
import sys, time
from stages import tracking
store = tracking.TrackingParams(store=sys.argv[1], experiment=sys.argv[2])
tracking.connect(store).start_run(tags=tracking.owner())
sys.stdout.write("begun\\n"); sys.stdout.flush(); time.sleep(600)
"""

LOGS_A_NOTE = """
import sys
from stages import tracking
mlflow = tracking.connect(tracking.TrackingParams(store="mlruns", experiment="notes"))
with mlflow.start_run(run_name=sys.argv[1]):
    mlflow.log_text("a note", "note.txt")
"""


def logging_a_note(checkout: Path, name: str) -> "subprocess.Popen[str]":
    """A process in a checkout that connects to its store and logs a run of this name."""
    return subprocess.Popen(
        [sys.executable, "-c", LOGS_A_NOTE, name],
        cwd=checkout,
        env=plain_environment() | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def ended_well(process: "subprocess.Popen[str]") -> None:
    _, said = process.communicate()
    assert process.returncode == 0, said


def asked(checkout: Path, query: str) -> list[str]:
    with closing(sqlite3.connect(checkout / "mlruns/mlflow.db")) as database:
        return sorted(str(value) for (value,) in database.execute(query))


@pytest.mark.slow
def test_two_make_one_store_at_once_and_a_copied_checkout_writes_into_itself(
    tmp_path: Path,
) -> None:
    first, copy = tmp_path / "first", tmp_path / "copy"
    first.mkdir()
    for process in [logging_a_note(first, name) for name in ("a", "b")]:
        ended_well(process)
    assert asked(first, "SELECT name FROM runs") == ["a", "b"]
    assert asked(first, "PRAGMA journal_mode") == ["wal"]

    shutil.copytree(first, copy)
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    assert sum(path.name == "note.txt" for path in before) == 2
    ended_well(logging_a_note(copy, "c"))

    assert {path: path.read_bytes() for path in first.rglob("*") if path.is_file()} == before
    assert asked(copy, "SELECT name FROM runs") == ["a", "b", "c"]
    assert len(list(copy.rglob("note.txt"))) == 3


@pytest.mark.slow
def test_the_run_of_a_training_that_was_killed_is_marked_at_the_next_start(
    tracked: TrackingParams,
) -> None:
    command = [sys.executable, "-c", TRAINS_FOR_EVER, tracked.store, tracked.experiment]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    assert statuses(tracked) == ["RUNNING"]  # it lives, and is left alone

    process.kill()
    process.communicate()
    assert statuses(tracked) == ["KILLED"]


@pytest.mark.slow
def test_runs_of_other_hosts_and_of_nobody_are_left_alone(tracked: TrackingParams) -> None:
    mlflow = tracking.connect(tracked)
    for tags in ({HOST_TAG: "another", PROCESS_TAG: "1 1.00"}, {}):
        mlflow.start_run(tags=tags)
        mlflow.end_run("RUNNING")

    assert statuses(tracked) == ["RUNNING", "RUNNING"]


def test_the_number_of_a_process_that_is_given_again_does_not_keep_a_run_alive() -> None:
    mine = tracking.owner()[PROCESS_TAG]

    assert mine == tracking._process(int(mine.split()[0]))
    assert tracking._process(2**22 + 1) == "gone"  # above what Linux gives out


def test_a_clock_that_is_set_does_not_end_the_run_of_a_training_that_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel reckons when a process began by the time of day of the boot, which moves."""
    mine = tracking.owner()[PROCESS_TAG]
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: 1e9)

    assert tracking._process(int(mine.split()[0])) == mine


@pytest.mark.parametrize("content", [b"no database" * 400, b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_database_is_told_in_one_line_and_left_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "mlflow.db").write_bytes(content)
    with pytest.raises(InspectionError, match=r"mlflow\.db: is damaged") as caught:
        tracking.connect(TrackingParams(store=str(tmp_path)))

    assert len(str(caught.value).splitlines()) == 1
    assert (tmp_path / "mlflow.db").read_bytes() == content
