"""How many parts of a lot are judged in a second, and in how much memory, by number of workers.

    python -m benchmarks.lots [--frames data/images] [--parts 200] [--dask]

All numbers of workers judge the same parts by the champion, in turns, in one run. With --dask so do
as many workers of a Dask cluster that is begun on this machine, and a last line compares them.
"""

import argparse
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from inspection.cluster import distributed
from inspection.errors import InspectionError
from inspection.failures import PlainErrors
from inspection.workers import in_workers, physical_cores
from pipelines.champions import RELEASES
from pipelines.lots.cluster_judging import judged_in_cluster
from pipelines.lots.judging import Release, current_release, judge
from pipelines.lots.lot import find_lot
from pipelines.lots.part import LotPart

MB = 1e6
# Memory rises over seconds while models are loaded: a look each 20 ms misses little of its peak.
LOOK_S = 0.02


@dataclass
class Memory:
    """The most bytes that one worker held, and all of them together."""

    worker: int = 0
    together: int = 0


@dataclass(frozen=True)
class Speed:
    """Parts a second from the first verdict on, and the memory of the workers.

    `kind` is what the workers are, where they are no local processes.
    """

    n_workers: int
    parts_per_s: float
    memory: Memory
    kind: str = ""

    def __str__(self) -> str:
        return (
            f"{self.n_workers} {self.kind}workers  {self.parts_per_s:7.1f} parts a second  "
            f"{self.memory.worker / MB:5.0f} MB at most in one  "
            f"{self.memory.together / MB:5.0f} MB in all"
        )


def main() -> None:
    """Measure, and print a line for each number of workers, and the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--frames", default="data/images")
    parser.add_argument("--parts", type=int, default=200, metavar="N")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], metavar="N")
    # a turn more where another program has disturbed one of them; the best counts
    parser.add_argument("--turns", type=int, default=2, metavar="N")
    parser.add_argument(
        "--dask", action="store_true", help="compare a cluster on this machine, too"
    )
    parser.add_argument("--part-per-file", action="store_true")
    parser.add_argument("--releases", type=Path, default=RELEASES)
    given = parser.parse_args()
    with PlainErrors("lots"):
        release = current_release(given.releases)
        lot = find_lot(given.frames, part_per_file=given.part_per_file)
        parts = [part for part in lot.parts if part.part_id][: given.parts]
        speeds = compared(parts, release, given.workers, given.turns)
        if given.dask:
            of_dask = dask_speed(parts, release, given.workers[-1], given.turns)

    n_views = sum(len(part.frames) for part in parts)
    sys.stdout.write(f"{len(parts)} parts, {n_views} views, {physical_cores()} cores\n")
    for speed in speeds:
        sys.stdout.write(f"{speed}\n")
    first = speeds[0]
    last = speeds[-1]
    ratio = last.parts_per_s / first.parts_per_s
    sys.stdout.write(
        f"{last.n_workers} workers judge {ratio:.2f} times as many "
        f"parts a second as {first.n_workers}\n"
    )
    if given.dask:
        ratio = of_dask.parts_per_s / last.parts_per_s
        sys.stdout.write(
            f"{of_dask}\na Dask cluster judges {ratio:.2f} times as many parts a second as "
            f"{last.n_workers} local workers\n"
        )


def compared(
    parts: Sequence[LotPart],
    release: Release,
    numbers: Sequence[int],
    n_turns: int = 1,
) -> list[Speed]:
    """The speed of each number of workers, the best of its turns."""
    # the first starts the clock, see `measured`
    if len(parts) < 2:
        raise InspectionError(f"frames: {len(parts)} parts; give two or more")
    turns = [[measured(parts, release, n) for n in numbers] for _ in range(n_turns)]
    # the best: what else runs on a machine makes a turn slower, and nothing makes it faster
    by_number = zip(*turns, strict=True)
    return [max(some, key=lambda speed: speed.parts_per_s) for some in by_number]


def measured(parts: Sequence[LotPart], release: Release, n_workers: int) -> Speed:
    """Judge all parts once. What workers need to start is not counted: a lot has many parts."""
    with memory_of_children() as memory:
        rows = in_workers(partial(judge, release=release), parts, n_workers=n_workers)
        rate = _rate(rows)
    return Speed(n_workers, rate, memory)


def dask_speed(
    parts: Sequence[LotPart], release: Release, n_workers: int, n_turns: int = 1
) -> Speed:
    """The speed of a cluster of so many processes on this machine, the best of its turns.

    Raises InspectionError where distributed is not installed.
    """
    local_cluster = distributed().LocalCluster

    local = local_cluster(
        n_workers=n_workers, threads_per_worker=1, dashboard_address=None
    )
    with memory_of_children() as memory, local as cluster:
        address = cluster.scheduler_address
        rates = [
            _rate(judged_in_cluster(parts, release, address)) for _ in range(n_turns)
        ]
    return Speed(n_workers, max(rates), memory, kind="Dask ")


def _rate(rows: Iterator[object]) -> float:
    """Rows a second, from the first one on."""
    next(rows)
    began_s = time.perf_counter()
    n_rows = sum(1 for _ in rows)
    return n_rows / (time.perf_counter() - began_s)


@contextmanager
def memory_of_children() -> Iterator[Memory]:
    """The peak of the resident memory of this process's children while the block lasts."""
    memory = Memory()
    done = threading.Event()

    def look() -> None:
        while not done.wait(LOOK_S):
            sizes = [_resident(one) for one in psutil.Process().children()]
            memory.worker = max([memory.worker, *sizes])
            memory.together = max(memory.together, sum(sizes))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        done.set()
        thread.join()


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


if __name__ == "__main__":
    main()
