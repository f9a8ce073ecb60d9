"""One function over many items, in local processes: the one place that starts such workers.

Results come in the order of the items, whatever the number of workers. Memory is bounded: a worker
holds one item, and only a few items are taken ahead of the results.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

import psutil

from inspection.errors import InspectionError
from inspection.processes import die_with_parent

# Items for each worker that are under way or wait for it: enough that one slow item does not leave
# the other workers idle, and little beside what a worker itself holds.
AHEAD = 8
# What libraries of linear algebra ask, once, when they are imported: the workers share the cores.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

# How many processes may work side by side; where it is not set, one for each core.
PROCESSES = "KNURL_PROCESSES"

Item = TypeVar("Item")
Result = TypeVar("Result")
Begun = tuple[Item, Future[Result]]


@dataclass(frozen=True)
class Lost(Generic[Item]):
    """In place of a result: this item ended its worker twice, by a crash or for want of memory."""

    item: Item


def physical_cores() -> int:
    """How many cores this process may use; two threads of one core count once."""
    n_allowed = len(os.sched_getaffinity(0))
    return min(psutil.cpu_count(logical=False) or 1, n_allowed)


def n_processes(n_tasks: int, variables: Mapping[str, str] = os.environ) -> int:
    """How many processes share `n_tasks`: KNURL_PROCESSES, else the cores; no more than tasks.

    Raises InspectionError where that is no number.
    """
    said = variables.get(PROCESSES)
    if said is not None and not (said.isdecimal() and int(said) > 0):
        raise InspectionError(f"{PROCESSES}: should be a number from 1, got {said!r}")

    n_most = int(said) if said is not None else physical_cores()
    return max(1, min(n_tasks, n_most))


def in_workers(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    n_workers: int,
) -> Iterator[Result | Lost[Item]]:
    """Yield `function` of each item, in order. Function, items and results must be picklable.

    When a worker dies, what was under way is done again, one item at a time; an item that ends its
    worker once more is Lost. An exception of the function ends the whole. The workers end
    with the thread that takes the results, however it ends.
    """
    waiting = iter(items)
    under_way: deque[Begun[Item, Result]] = deque()
    pool = _pool(n_workers)
    try:
        while True:
            n_free = AHEAD * n_workers - len(under_way)
            for item in islice(waiting, n_free):
                under_way.append((item, _begun(pool, function, item)))
            if not under_way:
                return

            item, future = under_way[0]
            try:
                result = future.result()
            except BrokenProcessPool:
                pool.shutdown()
                yield from _again(function, under_way)
                under_way.clear()
                pool = _pool(n_workers)
            else:
                under_way.popleft()
                yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(n_workers: int) -> ProcessPoolExecutor:
    # spawn: a fork would copy the threads' locks of ONNX Runtime and OpenCV, and hang on them
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        n_workers, mp_context=context, initializer=begin, initargs=(os.getpid(),)
    )


def begin(parent: int) -> None:
    """What a worker does first: it ends with its parent, leaves Ctrl-C to it, and uses one thread.

    `parent` is the parent's process id.
    """
    die_with_parent()
    if os.getppid() != parent:
        raise SystemExit("the parent process ended before this one began its work")
    # Ctrl-C goes to the whole group: the parent decides what becomes of the workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in THREADS:
        os.environ[name] = "1"


def _begun(
    pool: ProcessPoolExecutor, function: Callable[[Item], Result], item: Item
) -> Future[Result]:
    try:
        return pool.submit(function, item)
    except BrokenProcessPool as error:
        # it broke since the last result was taken; whoever asks for this one learns of it
        broken: Future[Result] = Future()
        broken.set_exception(error)
        return broken


def _again(
    function: Callable[[Item], Result], begun: Iterable[Begun[Item, Result]]
) -> Iterator[Result | Lost[Item]]:
    """The results of what was under way when a worker died, one after the other in one worker, so
    that it is known which item ends it."""
    pool = _pool(1)
    try:
        for item, before in begun:
            if not isinstance(before.exception(), BrokenProcessPool):
                yield before.result()
                continue
            try:
                result = pool.submit(function, item).result()
            except BrokenProcessPool:
                pool.shutdown()
                pool = _pool(1)
                yield Lost(item)
            else:
                yield result
    finally:
        pool.shutdown()
