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

N_LAST_LINES = 20
# rows and columns of the terminal that stages draw their progress bars on
BARS_SIZE = (24, 60)
ROOT = Path(__file__).parents[1]


class Dvc:
    """A DVC process in the current folder; it ends with the block, or with this process.

    Must be entered in a thread that outlives the block: the kernel ends the process with it. Stages
    draw progress bars where `show_bar` is given; it gets each state of a bar.
    """

    stages: list[str]

    def __init__(
        self,
        log: Callable[[str], None],
        *,
        show_bar: Callable[[str], None] | None = None,
    ) -> None:
        self._log = log
        self._show_bar = show_bar

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def run(self, stage: str, log: Callable[[str], None]) -> bool:
        """Bring one stage up to date; True when it was not. Its output goes to `log`, by line.

        Raises InspectionError with the last lines of what was printed.
        """
        if self._process.poll() is not None:
            self._stop()
            self._start()
        with suppress(BrokenPipeError):  # it has just died, and the answer tells
            self._commands.write(f"{stage}\n")
            self._commands.flush()
        answer = self._answer(f"stage {stage}", log)
        return bool(answer["ran"])

    def _start(self) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        reading, writing = _terminal() if self._show_bar else os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", dvc_child.__name__],
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
            self.stages = self._answer("dvc.yaml", self._log)["stages"]
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
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
                    raise InspectionError(
                        "\n".join([f"{where}: {answer['error']}", *last])
                    )
                return answer
            if self._show_bar and line.endswith("\r"):
                self._show_bar(text)
            elif text:
                last.append(text)
                log(text)
        self._process.wait()
        ended = f"DVC ended with {self._process.returncode}; run it again"
        raise InspectionError("\n".join([f"{where}: {ended}", *last]))


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
