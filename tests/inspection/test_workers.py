import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from inspection.errors import InspectionError
from inspection.workers import (
    PROCESSES,
    Lost,
    in_workers,
    n_processes,
    physical_cores,
)
from tests.architecture import ROOT
from tests.labour import pid_of_worker, square

# A machine that is busy with other tests, on which processes take their time to begin.
PATIENCE_S = 120.0

PARENT = """
from inspection.workers import in_workers
from tests.labour import sleep
if __name__ == "__main__":
    for _ in in_workers(sleep, [0, 60, 60], n_workers=2):
        print("ready", flush=True)
"""

KILLED = """
import sys
from pathlib import Path
from inspection.workers import in_workers
from tests.labour import die_once
for text in in_workers(die_once, map(Path, sys.argv[1:]), n_workers=2):
    print(text)
"""


ENDED = """
from inspection.workers import in_workers
from tests.labour import square_or_die
for found in in_workers(square_or_die, range(30), n_workers=2):
    print(found)
"""


def printed(code: str, *words: str) -> list[str]:
    """The lines of a process of its own: what is killed there takes no other test with it."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=of_project(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def of_project() -> dict[str, str]:
    """The environment of a process that imports the project."""
    return os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("n_workers", [1, 2])
def test_results_come_in_the_order_of_the_items(n_workers: int) -> None:
    assert list(in_workers(square, range(50), n_workers=n_workers)) == [n * n for n in range(50)]


def test_nothing_to_do_starts_no_worker() -> None:
    assert list(in_workers(square, [], n_workers=2)) == []


def test_only_a_few_items_are_taken_ahead_of_the_results() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = in_workers(square, items(), n_workers=2)
    for n_results in range(1, 5):
        next(results)
        # eight for each worker, and one more for each that was handed over
        assert len(taken) == 2 * 8 + n_results - 1
    results.close()


def test_work_is_done_in_other_processes_of_one_thread() -> None:
    found = set(in_workers(pid_of_worker, range(30), n_workers=2))
    pids = {pid for pid, _ in found}

    assert os.getpid() not in pids
    assert len(pids) <= 2
    assert {threads for _, threads in found} == {"1"}


def test_an_item_that_ends_its_worker_is_lost_and_no_other_is() -> None:
    found = printed(ENDED)

    assert found[3] == str(Lost(3))
    others = [one for number, one in enumerate(found) if number != 3]
    assert others == [str(n * n) for n in range(30) if n != 3]


def test_a_worker_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}" for number in range(4)]
    for path in paths[1:]:
        path.write_text(path.name)

    assert printed(KILLED, *map(str, paths)) == ["0", "1", "2", "3"]


def test_an_exception_of_the_function_passes() -> None:
    with pytest.raises(TypeError, match="can't multiply sequence"):
        list(in_workers(square, [1, "two", 3], n_workers=1))  # type: ignore[list-item]


def test_the_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        env=of_project(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    children = psutil.Process(parent.pid).children()
    assert len(children) >= 2
    parent.kill()
    parent.wait()
    parent.stdout.close()

    deadline = time.monotonic() + PATIENCE_S
    while any(map(psutil.Process.is_running, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [one for one in children if one.is_running()] == []


def test_a_process_uses_no_more_cores_than_it_is_given() -> None:
    assert 1 <= physical_cores() <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("said", "n_tasks", "n"), [("4", 6, 4), ("4", 3, 3), ("1", 6, 1)])
def test_no_more_processes_than_tasks_nor_than_was_said(said: str, n_tasks: int, n: int) -> None:
    assert n_processes(n_tasks, {PROCESSES: said}) == n


def test_without_a_word_there_is_a_process_for_each_core() -> None:
    assert n_processes(1000, {}) == physical_cores()
    assert n_processes(0, {}) == 1


@pytest.mark.parametrize("said", ["", "0", "-2", "two"])
def test_a_number_of_processes_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(InspectionError, match=f"{PROCESSES}: should be a number from 1"):
        n_processes(6, {PROCESSES: said})
