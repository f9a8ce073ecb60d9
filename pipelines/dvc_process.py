"""One DVC process for all stages of a run.

Importing DVC and opening a project costs more than many a stage; a process per stage would pay it
each time.
"""

import errno
import json
import os
import subprocess
import sys
import termios
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self, TextIO

from inspection.errors import InspectionError
from pipelines import dvc_child

# Of a stage that failed: a traceback's end and what came before it, on one screen.
N_LAST_LINES = 20
# rows and columns of the terminal that stages draw their progress bars on
BARS_SIZE = (24, 60)
ROOT = Path(__file__).parents[1]


class PassingError(InspectionError):
    """A stage was killed, or something held what it needs: trying again can help."""


class Dvc:
    """A DVC process in the current folder; it ends with the block, or with this process.

    `needs` holds all stages in order, and for each those that come before it. A process `beside`
    another one of the same run leaves to that one what is done once. Must be entered in a thread
    that outlives the block: the kernel ends the process with it. Stages draw progress bars where
    `show_bar` is given; it gets each state of a bar.
    """

    needs: dict[str, list[str]]

    def __init__(
        self,
        log: Callable[[str], None],
        *,
        show_bar: Callable[[str], None] | None = None,
        beside: bool = False,
    ) -> None:
        self._log = log
        self._beside = beside
        self._show_bar = show_bar

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def stages(self) -> list[str]:
        """The names of all stages, each after those that it needs."""
        return list(self.needs)

    def run(
        self, stage: str, log: Callable[[str], None], *, force: bool = False
    ) -> bool:
        """Bring one stage up to date; True when it was not. Its output goes to `log`, by line.

        With `force` it is run though it may be up to date.

        Raises InspectionError with the last lines of what was printed, PassingError where trying
        again can help.
        """
        if self._process.poll() is not None:
            self.stop()
            self.start()
        with suppress(BrokenPipeError):  # it has just died, and the answer tells
            self._commands.write(
                f"{dvc_child.FORCE} {stage}\n" if force else f"{stage}\n"
            )
            self._commands.flush()
        answer = self._answer(f"stage {stage}", log)
        return bool(answer["ran"])

    def start(self) -> None:
        """Start the process. Raises InspectionError where there is no pipeline to run."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        reading, writing = _terminal() if self._show_bar else os.pipe()
        arguments = [dvc_child.BESIDE] if self._beside else []
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", dvc_child.__name__, *arguments],
            stdin=subprocess.PIPE,
            stdout=writing,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
            text=True,
            encoding="utf-8",
        )
        os.close(writing)
        assert self._process.stdin is not None
        self._commands: TextIO = self._process.stdin  # type: ignore[assignment]
        self._lines: TextIO = os.fdopen(
            reading, encoding="utf-8", errors="replace", newline=""
        )
        try:
            self.needs = self._answer("dvc.yaml", self._log)["needs"]
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process, and with it a stage that it runs."""
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._commands.close()
        self._lines.close()

    def _answer(self, where: str, log: Callable[[str], None]) -> dict[str, Any]:
        last: deque[str] = deque(maxlen=N_LAST_LINES)
        for line in iter(partial(_next_line, self._lines), ""):
            text = line.rstrip()
            if text.startswith(dvc_child.ANSWER):
                answer: dict[str, Any] = json.loads(text.removeprefix(dvc_child.ANSWER))
                if "error" in answer:
                    kind = PassingError if answer["passing"] else InspectionError
                    raise kind("\n".join([f"{where}: {answer['error']}", *last]))
                return answer
            if self._show_bar and line.endswith("\r"):
                self._show_bar(text)
            elif text:
                last.append(text)
                log(text)
        code = self._process.wait()
        was_killed = code < 0
        kind = PassingError if was_killed else InspectionError
        ended = f"DVC ended with {code}; run it again"
        raise kind("\n".join([f"{where}: {ended}", *last]))


def _terminal() -> tuple[int, int]:
    """A pseudo-terminal in place of a pipe: progress bars are drawn on a terminal only."""
    reading, writing = os.openpty()
    termios.tcsetwinsize(writing, BARS_SIZE)
    return reading, writing


def _next_line(lines: TextIO) -> str:
    """The next line; nothing at the end, which a pseudo-terminal reports as an error."""
    try:
        return lines.readline()
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return ""
