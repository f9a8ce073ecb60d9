"""The DVC processes of this process: a task is lent an idle one, or a new one is started.

So a task needs to know a stage's name and no live object, and may run in any process that stands
in the project's root.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pipelines.dvc_process import Dvc

_lock = threading.Lock()
_idle: dict[Path, list[Dvc]] = {}
_n_started: dict[Path, int] = {}
# The kernel ends a DVC process with the thread that started it, and threads of tasks come and go:
# this one stays.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dvc")


@contextmanager
def lent(log: Callable[[str], None]) -> Iterator[Dvc]:
    """A DVC process in the current folder that nobody else uses meanwhile."""
    folder = Path.cwd()
    dvc = _taken(folder) or _started(folder, log)
    try:
        yield dvc
    finally:
        with _lock:
            _idle.setdefault(folder, []).append(dvc)


def end_idle() -> None:
    """End the idle processes of the current folder; the next one takes note of changed data."""
    folder = Path.cwd()
    with _lock:
        idle = _idle.pop(folder, [])
        _n_started.pop(folder, None)
    for dvc in idle:
        dvc.stop()


def _taken(folder: Path) -> Dvc | None:
    with _lock:
        idle = _idle.get(folder)
        return idle.pop() if idle else None


def _started(folder: Path, log: Callable[[str], None]) -> Dvc:
    with _lock:
        beside = _n_started.get(folder, 0) > 0
        _n_started[folder] = _n_started.get(folder, 0) + 1
    dvc = Dvc(log, beside=beside)
    _starter.submit(dvc.start).result()
    return dvc
