"""Runs the commands of a project, and kills them: at any moment, or soon after their first write.

A command spends most of its time on imports, so that a moment drawn from all of it rarely hits a
write. Every other kill is therefore drawn from the time after the first file has changed.
"""

import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from inspection.errors import InspectionError
from inspection.runtime.bundle import verified
from inspection.runtime.releases import POINTER, champion

# Before a command has run once nobody knows how long it takes.
FIRST_GUESS_S = 10.0
# A look at the watched folders takes some 50 us: 2 % of a core.
LOOK_S = 0.002
# A look at the processes takes some ms, and no stage is shorter than a second.
LOOK_AT_PROCESSES_S = 0.1
# A process that dies with its parent does so at once, on a busy machine within seconds.
CHILDREN_END_S = 30.0
# What the last command has written to stderr.
SAID = Path(".state/kills.stderr")
# The longest name of a command in the table.
NAME_WIDTH = 13


# By the name of a program: for how long it was at work, in seconds.
Times = dict[str, float]


@dataclass
class Outcome:
    """What came of killing one command: how often it was hit, and what was lost, in words."""

    name: str
    n_killed: int = 0
    n_too_late: int = 0
    lost: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Duration:
    """How long a whole run took, and when in it the first watched file changed."""

    whole_s: float = FIRST_GUESS_S
    first_write_s: float = 0.0


class Commands:
    """The commands of a project. What they write first is noticed in the folders `watched`."""

    def __init__(
        self,
        project: Path,
        watched: Sequence[str],
        seed: int,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.project = project
        self._variables = dict(variables or {})
        self._watched = [project / name for name in watched]
        self._random = random.Random(seed)
        self._takes: dict[str, Duration] = {}
        self._said = project / SAID

    def run(self, command: str, *, learn: bool = True) -> None:
        """Run a command to its end; how long it takes is learned. Raises InspectionError."""
        before = self._newest()
        began_s = time.monotonic()
        process = self._started(command)
        # a first write that has not come by then is not waited for
        at_most_s = FIRST_GUESS_S * 100
        wrote_s = self._until_write(process, before, at_most_s) - began_s
        process.wait()
        self._check_ended_well(command, process)
        if learn:
            whole_s = time.monotonic() - began_s
            self._takes[command] = Duration(whole_s, wrote_s)

    def killed(
        self, command: str, outcome: Outcome, *, after_a_write: bool = True
    ) -> None:
        """Start a command and kill it, with all its children, at some moment of its time.

        How long it takes is learned from whole runs. Every other kill waits for the first write,
        unless no kill is to come `after_a_write`.
        """
        takes = self._takes.get(command, Duration())
        n_before = outcome.n_killed + outcome.n_too_late
        process = self._started(command)
        if after_a_write and n_before % 2:
            # ten times what the whole took: on a machine that has become slower
            at_most_s = takes.whole_s * 10
            self._until_write(process, self._newest(), at_most_s)
            after_write_s = takes.whole_s - takes.first_write_s
            delay_s = self._random.uniform(0, after_write_s)
        else:
            delay_s = self._random.uniform(0, takes.whole_s)

        self._kill_after(process, delay_s, outcome)

    def watched(self, command: str, programs: Mapping[str, Sequence[str]]) -> Times:
        """Run a command to its end; how long each of `programs`, by name, was at work in it, in s.

        A program is the arguments of a process that the command starts. Raises InspectionError.
        """
        process = self._started(command)
        first_s: dict[str, float] = {}
        last_s: dict[str, float] = {}
        while process.poll() is None:
            for name in _at_work(process, programs):
                last_s[name] = time.monotonic()
                first_s.setdefault(name, last_s[name])
            time.sleep(LOOK_AT_PROCESSES_S)

        self._check_ended_well(command, process)
        return {name: last_s[name] - first_s[name] for name in first_s}

    def killed_in(
        self,
        command: str,
        outcome: Outcome,
        program: Sequence[str],
        at_most_s: float,
        *,
        each_child: bool = False,
    ) -> None:
        """Start a command and kill it, with all its children, while a program is at work in it:
        at some moment of the first `at_most_s`.

        Its process group is killed; with `each_child` those in sessions of their own, too, which
        otherwise are to die with their parents.
        """
        process = self._started(command)
        while process.poll() is None and not _at_work(process, {"it": program}):
            time.sleep(LOOK_AT_PROCESSES_S)
        delay_s = self._random.uniform(0, at_most_s)
        self._kill_after(process, delay_s, outcome, each_child=each_child)

    def _kill_after(
        self,
        process: "subprocess.Popen[bytes]",
        delay_s: float,
        outcome: Outcome,
        *,
        each_child: bool = False,
    ) -> None:
        """Kill a process and all that it has started; one that has ended by then was missed."""
        try:
            process.wait(timeout=delay_s)
        except subprocess.TimeoutExpired:
            children = psutil.Process(process.pid).children(recursive=True)
            os.killpg(process.pid, signal.SIGKILL)
            for child in children if each_child else ():
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            process.wait()
            # those in sessions of their own die with their parents; nobody starts anew any sooner
            _, alive = psutil.wait_procs(children, timeout=CHILDREN_END_S)
            outcome.n_killed += 1
            if any(map(_runs, alive)):
                outcome.lost["a process outlives the one that started it"] += 1
            return
        outcome.n_too_late += 1
        if process.returncode:
            outcome.lost[f"fails, not killed: {self._last_said()}"] += 1

    def _check_ended_well(
        self, command: str, process: "subprocess.Popen[bytes]"
    ) -> None:
        if process.returncode:
            raise InspectionError(f"{command}: {self._last_said()}; run it by hand")

    def _last_said(self) -> str:
        """The last lines that the last command has written to stderr."""
        return last_lines(self._said.read_text("utf-8", errors="replace"))

    def repeated(self, command: str, outcome: Outcome, *, learn: bool = True) -> None:
        """Run a command that was killed once more; that it fails is a loss."""
        try:
            self.run(command, learn=learn)
        except InspectionError as error:
            outcome.lost[f"repeated, it fails: {error}"] += 1

    def _until_write(
        self, process: "subprocess.Popen[bytes]", before: int, at_most_s: float
    ) -> float:
        """Wait for the first change of a watched file, or the end; returns when that was."""
        deadline_s = time.monotonic() + at_most_s
        while process.poll() is None and time.monotonic() < deadline_s:
            if self._newest() != before:
                break
            time.sleep(LOOK_S)
        return time.monotonic()

    def _newest(self) -> int:
        """When something in the watched folders changed last, in ns since 1970."""
        newest = 0
        for folder in self._watched:
            with suppress(FileNotFoundError):
                newest = max(newest, folder.stat().st_mtime_ns)
                for one in os.scandir(folder):
                    newest = max(newest, one.stat().st_mtime_ns)
        return newest

    def _started(self, command: str) -> "subprocess.Popen[bytes]":
        """Start a command by this Python, whose programs are found before others."""
        words = shlex.split(command)
        words = [sys.executable if word == "python" else word for word in words]

        programs = Path(sys.executable).parent
        path = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
        variables = self._variables | {
            "PYTHONPATH": str(self.project),
            "PATH": path,
        }
        self._said.parent.mkdir(parents=True, exist_ok=True)
        # not a pipe: nobody reads while a command is watched, and it would fill up
        with self._said.open("wb") as said:
            return subprocess.Popen(
                words,
                cwd=self.project,
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )


def _runs(process: psutil.Process) -> bool:
    """Whether a process is not dead, be it that nobody has asked how it ended (a zombie)."""
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _at_work(
    process: "subprocess.Popen[bytes]", programs: Mapping[str, Sequence[str]]
) -> list[str]:
    """The names of those programs that a process has started, itself or by others."""
    found: list[str] = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            # one that has just ended tells no arguments
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                arguments = child.cmdline()[1:]
                found += [
                    name for name, one in programs.items() if arguments == list(one)
                ]
    return found


def last_lines(said: str, n: int = 3) -> str:
    """The last lines of what a command has said, in one."""
    return " / ".join(said.strip().splitlines()[-n:])


def check_champion(releases: Path, outcome: Outcome) -> None:
    """What a service would take up now is whole; before the first promotion there is none."""
    if not (releases / POINTER).exists():
        return
    try:
        verified(champion(releases))
    except InspectionError as error:
        outcome.lost[f"no whole release serves: {error}"] += 1


def table(
    outcomes: Sequence[Outcome],
    what: str = "killed",
    missed: str = "too late",
    *,
    name_width: int = NAME_WIDTH,
) -> str:
    """A row for each outcome, and a line for each loss.

    `what` heads the names, `missed` how often one was not hit: it ended before, or it fitted.
    """
    width = len(missed)
    rows = [f"{what:{name_width}} {'times':>5} {missed}  lost\n"]
    for one in outcomes:
        n_lost = sum(one.lost.values())
        rows.append(
            f"{one.name:{name_width}} {one.n_killed:5} {one.n_too_late:{width}}  "
            f"{n_lost or 'nothing'}\n"
        )
        rows += [f"  {n} x {loss}\n" for loss, n in one.lost.items()]
    return "".join(rows)
