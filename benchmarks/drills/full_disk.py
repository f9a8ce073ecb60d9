"""Fills the disk under every stage of a real pipeline, and under the service's log.

    python -m benchmarks.drills.full_disk [--project FOLDER] [--tries 1] [--seed 0]

Works on a copy of a finished project (the current one), on a disk of its own in memory: it needs
the right to mount one (`unshare --map-root-user --mount`). Everything is computed once, to learn
how much each stage writes, and then anew: each stage is run with room for a share of that, drawn
at random, and once more with room enough. Exit 1 where something was lost, or where a program said
nothing that helps.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drills.kills import Outcome, check_champion, last_lines, table
from benchmarks.drills.service_log import fill_under_the_log
from benchmarks.drills.small_disk import SmallDisk, in_own_namespace
from benchmarks.drills.whole_pipeline import WholePipeline, copied
from inspection.errors import InspectionError
from inspection.runtime.releases import POINTER
from pipelines.champions import RELEASES
from pipelines.dvc_process import Dvc

# What a person who reads it needs: what is wrong, and that nothing is lost.
SAID = "no space left"
TRACE = "Traceback"
# A stage holds its largest file for some tens of milliseconds before it is renamed.
LOOK_S = 0.005
# The longest name in the table, with a blank.
NAME_WIDTH = 16
# A stage that has not ended after five times what it needed, on a machine that is busy, and a
# minute for DVC's start, does not end.
TIME_FACTOR, TIME_MORE_S = 5, 60


@dataclass(frozen=True)
class Growth:
    """How many bytes a stage needed at most while DVC ran it, and how long that took."""

    stage: str
    n_bytes: int
    took_s: float


class FullDisk:
    """A project on a disk of its own; it is the current folder."""

    def __init__(self, disk: SmallDisk, project: Path, seed: int) -> None:
        self._disk = disk
        self._pipeline = WholePipeline(project)
        self._random = random.Random(seed)

    def learn(self) -> list[Growth]:
        """Compute every stage once."""
        self._pipeline.forget()
        found = []
        with Dvc(_unheard) as dvc:
            for stage in dvc.stages:
                before, began_s = self._disk.used_bytes, time.monotonic()
                peak = self._peak(lambda stage=stage: dvc.run(stage, _unheard))  # type: ignore[misc]
                found.append(Growth(stage, peak - before, time.monotonic() - began_s))
        self._pipeline.note()
        return found

    def fill_under_repro(self) -> Outcome:
        """`make repro` where nothing is computed yet and not a page is left."""
        outcome = Outcome("make repro")
        self._pipeline.forget()
        self._disk.leave(0)
        words = [sys.executable, "-m", "pipelines.repro"]
        done = subprocess.run(words, capture_output=True, text=True)
        self._disk.make_room()
        if done.returncode:
            self._judge(done.stdout + done.stderr, outcome)
        else:
            outcome.n_too_late += 1
        return outcome

    def fill(self, needed: Sequence[Growth], tries: int) -> list[Outcome]:
        """Every stage anew: with too little room `tries` times, then with enough."""
        self._pipeline.forget()
        outcomes = []
        for growth in needed:
            outcome = Outcome(growth.stage)
            for share in sorted(self._random.random() for _ in range(tries)):
                self._disk.leave(round(share * growth.n_bytes))
                self._try(growth, outcome)
            self._disk.make_room()
            self._recover(growth.stage, outcome)
            outcomes.append(outcome)
        self._pipeline.check(outcomes[-1])
        return outcomes

    def _try(self, growth: Growth, outcome: Outcome) -> None:
        try:
            with ending_after(TIME_FACTOR * growth.took_s + TIME_MORE_S):
                _run(growth.stage)
        except InspectionError as error:
            self._judge(str(error), outcome)
        else:
            outcome.n_too_late += 1
        check_champion(RELEASES, outcome)

    def _judge(self, said: str, outcome: Outcome) -> None:
        """Whether somebody who reads it knows what to do."""
        outcome.n_killed += 1
        if SAID not in said.lower():
            outcome.lost[f"not said that the disk is full: {last_lines(said, 2)}"] += 1
        if TRACE in said:
            outcome.lost[f"a traceback: {last_lines(said, 2)}"] += 1

    def _recover(self, stage: str, outcome: Outcome) -> None:
        try:
            _run(stage)
        except InspectionError as error:
            outcome.lost[f"fails with room too: {last_lines(str(error), 2)}"] += 1

    def _peak(self, run: Callable[[], object]) -> int:
        """The most that is taken of the disk while something runs."""
        ended = threading.Event()
        peak = self._disk.used_bytes

        def look() -> None:
            nonlocal peak
            while not ended.wait(LOOK_S):
                peak = max(peak, self._disk.used_bytes)

        looking = threading.Thread(target=look)
        looking.start()
        try:
            run()
        finally:
            ended.set()
            looking.join()
        return peak


def _run(stage: str) -> None:
    """One stage as `make repro` runs it, by a DVC that has just been started."""
    with Dvc(_unheard) as dvc:
        dvc.run(stage, _unheard)


def _unheard(line: str) -> None:
    """What a stage prints; its error repeats the last of it."""


@contextmanager
def ending_after(seconds: float) -> Iterator[None]:
    """A block that ends with an InspectionError where it takes longer; in the main thread."""

    def end(*_: object) -> None:
        raise InspectionError(f"has not ended after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    """Copy the project onto a disk in memory, fill it under every stage, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--tries", type=int, default=1, help="of each stage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--project", type=Path, default=Path(), help="a finished one")
    given = parser.parse_args()
    if not (given.project / "dvc.yaml").is_file():
        parser.error(f"{given.project}: holds no pipeline; name a finished project")
    in_own_namespace("benchmarks.drills.full_disk")

    with tempfile.TemporaryDirectory() as name:
        disk = SmallDisk(Path(name))
        project = copied(given.project, disk.place / "project")
        os.chdir(project)
        # what programs write beside goes to the same disk
        os.environ["TMPDIR"] = str(disk.place)
        drill = FullDisk(disk, project, given.seed)
        needed = drill.learn()
        outcomes = [drill.fill_under_repro(), *drill.fill(needed, given.tries)]
        if (RELEASES / POINTER).exists():
            outcomes.append(fill_under_the_log(disk, RELEASES))
        os.chdir("/")
        disk.unmount()
    sys.stdout.write(
        table(outcomes, "disk full under", "it fitted", name_width=NAME_WIDTH)
    )
    sys.exit(1 if any(one.lost for one in outcomes) else 0)


if __name__ == "__main__":
    main()
