"""What worker processes do in tests; they import it by its name."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.pixels import ImageError

if TYPE_CHECKING:
    from inspection.models.ddp import Rank


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


@dataclass(frozen=True)
class Number:
    """A view by the name of its file, which is its number."""

    path: str


def text_and_process(folder: Path, view: Number) -> tuple[str, int]:
    """The text of a view's file, and the process that read it; no text where there is no file."""
    file = folder / view.path
    return (file.read_text() if file.exists() else ""), os.getpid()


def text_or_die_once(folder: Path, view: Number) -> str:
    """The text of a view's file; 17 ends the process that reads it for the first time."""
    if view.path == "17":
        die_once(folder / "read")
    return (folder / view.path).read_text()


def text_or_die(folder: Path, view: Number) -> str:
    """The text of a view's file; 17 ends each process that reads it."""
    if view.path == "17":
        os.kill(os.getpid(), signal.SIGKILL)
    return (folder / view.path).read_text()


def refuse(folder: Path, view: Number) -> str:
    """An error as a decoder raises it."""
    raise ImageError("empty", f"{view.path}: the file is empty")


def add_up(rank: "Rank") -> float:
    """The sum of the numbers of all processes that train together, each from 1."""
    import torch
    from torch import distributed

    if not distributed.is_initialized():
        distributed.init_process_group("gloo", rank=rank.number, world_size=rank.n)
    number = torch.tensor(rank.number + 1.0)
    distributed.all_reduce(number)
    return float(number)


def add_up_and_die(rank: "Rank") -> None:
    """The second process ends after the first sum, where the others wait for it."""
    add_up(rank)
    if rank.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    add_up(rank)


class DiesWhenRead:
    """Work that ends the process that reads it."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (3,)
