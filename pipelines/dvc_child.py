"""The program that holds DVC open: it reads a stage's name per line and answers each in JSON.

A name behind the word `force` is run though it may be up to date.

First it takes note of data that has changed, as `dvc repro` does: `data.dvc` names what a run read.
With the argument `beside` it does not: another one of the same run has done so, and is at work.
What the stages print goes to stdout and stderr as it comes; an answer is a line that begins with
the record separator.
"""

import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from inspection.failures import explained
from inspection.processes import die_with_parent
from pipelines.dvc_state import PIPELINE, repaired
from pipelines.runs.full_disk import end_where_the_disk_is_full

ANSWER = "\x1e"
BESIDE = "beside"
FORCE = "force"
# A shell reports a process that was killed by a signal as 128 and more; Python as a number below 0.
KILLED_BY_A_SIGNAL = 128

# A run that was killed holds DVC's locks until the kernel has taken back its memory: within a
# second, some seconds where a training has to be swapped in. Another run holds them for longer.
DYING_S = 15.0
ASK_AGAIN_S = 0.2


def main() -> None:
    """Answer first with all stages in order and what each needs, then to each that is named."""
    die_with_parent()
    commands = _private_stdin()
    is_first = BESIDE not in sys.argv[1:]
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    fails = (DvcException, OSError, sqlite3.Error)
    end_where_the_disk_is_full()
    try:
        for line in repaired() if is_first else []:
            sys.stderr.write(f"warning: {line}\n")
        # two stages that run side by side wait for each other to write dvc.lock
        repo = Repo(_wait_for_lock=True)
        repo.scm_context.quiet = True
        needs, sources = _planned(repo)
        for source in sources if is_first else []:
            _brought_up_to_date(repo, source)
        _say({"needs": needs})
    except fails as error:
        _say(_failure(error))
        raise SystemExit(1) from error
    for line in commands:
        try:
            *words, stage = line.split()
            _say({"ran": _brought_up_to_date(repo, stage, force=words == [FORCE])})
        except fails as error:
            _say(_failure(error))


def _brought_up_to_date(repo: Any, stage: str, *, force: bool = False) -> bool:
    """Run a stage, or note tracked data, where it is not up to date; True where it was not.

    A run that is still dying holds what it read and wrote, and is waited for.
    """
    from dvc.exceptions import DvcException

    give_up = time.monotonic() + DYING_S
    while True:
        try:
            return bool(repo.reproduce(stage, single_item=True, force=force))
        except DvcException as error:
            if not _is_held(error) or time.monotonic() > give_up:
                raise
        time.sleep(ASK_AGAIN_S)


def _planned(repo: Any) -> tuple[dict[str, list[str]], list[str]]:
    """The stages that have a command, in order, with those that each needs; the tracked data.

    Those of the dvc.yaml of this folder: as for `dvc repro`, other lines are not meant.
    """
    from dvc.repo.reproduce import plan_repro

    graph = repo.index.graph
    here = str(Path.cwd() / PIPELINE)
    own = [stage for stage in graph if stage.path == here]
    # DVC takes no stages for all of them
    ordered: list[Any] = plan_repro(graph, own) if own else []
    needs = {
        stage.addressing: sorted(
            other.addressing
            for other in graph.successors(stage)
            if not other.is_data_source
        )
        for stage in ordered
        if not stage.is_data_source
    }
    return needs, [stage.addressing for stage in ordered if stage.is_data_source]


def _failure(error: BaseException) -> dict[str, Any]:
    """What went wrong, and whether trying again can help. Raises `error` where it is a bug."""
    from dvc.exceptions import DvcException

    said = explained(error)
    if said is None and not isinstance(error, DvcException):
        raise error
    return {"error": said or _told(error), "passing": _is_passing(error)}


def _is_passing(error: BaseException) -> bool:
    """Whether it came from outside: the stage was killed, or another DVC held what it needs.

    A stage that ends by itself, for a wrong parameter say, ends so every time.
    """
    from dvc.stage.exceptions import StageCmdFailedError

    for cause in _causes(error):
        if isinstance(cause, StageCmdFailedError):
            # DVC keeps it in the message alone
            status = int(str(cause).rpartition("exited with ")[2])
            return status < 0 or status >= KILLED_BY_A_SIGNAL
    return _is_held(error)


def _is_held(error: BaseException) -> bool:
    """Whether another DVC holds what a stage reads or writes."""
    from dvc.lock import LockError

    return any(isinstance(cause, LockError) for cause in _causes(error))


def _told(error: BaseException) -> str:
    return "; ".join(str(cause) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what caused it, what caused that."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(f"\n{ANSWER}{json.dumps(answer)}\n")
    sys.stdout.flush()


def _private_stdin() -> TextIO:
    """The commands, on a descriptor that no stage inherits: a stage reads from /dev/null."""
    commands = os.fdopen(os.dup(0), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return commands


if __name__ == "__main__":
    main()
