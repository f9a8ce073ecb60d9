"""The program that holds DVC open: it reads a stage's name per line and answers each in JSON.

First it takes note of data that has changed, as `dvc repro` does: `data.dvc` names what a run read.
What the stages print goes to stdout and stderr as it comes; an answer is a line that begins with
the record separator.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from inspection.processes import die_with_parent

ANSWER = "\x1e"
EMPTY_IS_BROKEN = (".dvc/tmp/rwlock", "dvc.lock")


def main() -> None:
    """Answer first with the names of all stages in order, then to each stage that is named."""
    die_with_parent()
    commands = _private_stdin()
    _mend()
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        repo = Repo()
        repo.scm_context.quiet = True
        stages, sources = _planned(repo)
        for source in sources:
            repo.reproduce(source, single_item=True)
        _say({"stages": stages})
    except DvcException as error:
        _say({"error": _told(error)})
        raise SystemExit(1) from error
    for line in commands:
        try:
            _say({"ran": bool(repo.reproduce(line.strip(), single_item=True))})
        except DvcException as error:
            _say({"error": _told(error)})


def _planned(repo: Any) -> tuple[list[str], list[str]]:
    """The stages that have a command, each after all that it depends on, and the tracked data."""
    from dvc.repo.reproduce import plan_repro

    ordered: list[Any] = plan_repro(repo.index.graph)
    stages = [stage.addressing for stage in ordered if not stage.is_data_source]
    return stages, [stage.addressing for stage in ordered if stage.is_data_source]


def _told(error: BaseException) -> str:
    messages = []
    cause: BaseException | None = error
    while cause is not None:
        messages.append(str(cause))
        cause = cause.__cause__
    return "; ".join(messages)


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


def _mend() -> None:
    """Remove what a killed DVC leaves empty and the next one chokes on; it is made anew."""
    for name in EMPTY_IS_BROKEN:
        path = Path(name)
        if path.is_file() and path.stat().st_size == 0:
            path.unlink()


if __name__ == "__main__":
    main()
