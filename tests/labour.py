"""What worker processes do in tests; they import it by its name."""

import os
import signal
import time
from pathlib import Path


def square(number: int) -> int:
    return number * number


def pid_of_worker(_: int) -> tuple[int, str]:
    """The process, and how many threads its linear algebra may use."""
    return os.getpid(), os.environ["OMP_NUM_THREADS"]


def square_or_die(number: int) -> int:
    """The square; 3 ends its process as the kernel does for want of memory."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def die_once(path: Path) -> str:
    """The file's text; where there is no file, it is written, and the process ends."""
    if not path.exists():
        path.write_text(path.name)
        os.kill(os.getpid(), signal.SIGKILL)
    return path.read_text()


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds
