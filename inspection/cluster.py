"""One function over many items, on the workers of a Dask cluster: what `inspection.workers` does in
local processes.

Results come in the order of the items. Memory is bounded: a worker has one item in hand, and only
a few items are taken ahead of the results. What a worker had that ends, Dask gives to another one.
"""

import logging
import os
import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import islice
from typing import Any, TypeVar

from inspection.errors import InspectionError
from inspection.workers import AHEAD, Lost

# Dask's own name for it.
ADDRESS = "DASK_SCHEDULER_ADDRESS"
# A scheduler that is up answers within a second; one in another building, or busy, in a few.
CONNECT_S = 10.0
# How soon it is noticed that workers have come or gone.
LOOK_S = 5.0
# A worker that has ended is started again by its nanny within seconds, on a busy machine later.
NO_WORKER_S = 60.0
START = "`python -m dask scheduler`"
START_WORKER = "`python -m dask worker {address} --nthreads 1 --nworkers -1`"
# What Dask logs of a connection that is lost; here it is one line, and an exit.
LOGGERS = (
    "distributed",
    "distributed.client",
    "distributed.core",
    "tornado.application",
)

Item = TypeVar("Item")
Result = TypeVar("Result")

# A worker of several threads has one item in hand, too: so much memory is known to suffice.
_in_hand = threading.Lock()


def address_of(
    said: str | None, n_workers: int | None, variables: Mapping[str, str] = os.environ
) -> str | None:
    """The address of the scheduler to ask; None where local processes do the work.

    Who says how many workers there shall be means local ones.

    >>> address_of(None, None, {"DASK_SCHEDULER_ADDRESS": "tcp://plant:8786"})
    'tcp://plant:8786'
    >>> address_of(None, 2, {"DASK_SCHEDULER_ADDRESS": "tcp://plant:8786"})
    """
    if said or n_workers:
        return said
    return variables.get(ADDRESS) or None


@contextmanager
def connected(address: str, *, no_worker_s: float = NO_WORKER_S) -> Iterator["Cluster"]:
    """The cluster of a scheduler. Raises InspectionError where it does not answer."""
    cluster = Cluster(_client(address), address, no_worker_s)
    try:
        yield cluster
    finally:
        cluster.close()


class Cluster:
    """The workers of a scheduler."""

    def __init__(self, client: Any, address: str, no_worker_s: float) -> None:
        self.client = client
        self.address = address
        self._no_worker_s = no_worker_s
        self._n_workers = 0
        self._looked_s = float("-inf")
        self._alone_since_s: float | None = None

    def close(self) -> None:
        """Leave it; what it was asked for and has not begun is given up."""
        # a scheduler that is gone says no goodbye
        with suppress(TimeoutError):
            self.client.close(timeout=LOOK_S)

    def workers(self) -> dict[str, Any]:
        """What the scheduler says of each worker, by address. Raises InspectionError."""
        try:
            found: dict[str, Any] = self.client.scheduler_info()["workers"]
        except (OSError, TypeError) as error:
            raise self.gone() from error
        return found

    def ask_scheduler(self, function: Callable[[], Any]) -> Any:
        """What a function gives in the scheduler's process, or the exception that it ended with."""
        try:
            return self.client.run_on_scheduler(function)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is asked for
            return error

    def ask_workers(self, function: Callable[[], Any]) -> dict[str, Any]:
        """What a function gives in each worker, or the exception that it ended with."""
        found: dict[str, Any] = self.client.run(function, on_error="return")
        return found

    def n_workers(self) -> int:
        """How many workers there are, some seconds ago.

        Raises InspectionError where for a minute there was none.
        """
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_S:
            self._n_workers = len(self.workers())
            self._looked_s = now_s

        if self._n_workers:
            self._alone_since_s = None
        elif self._alone_since_s is None:
            self._alone_since_s = now_s
        elif now_s - self._alone_since_s >= self._no_worker_s:
            raise self.without_workers()
        return self._n_workers

    def without_workers(self) -> InspectionError:
        """What is said where there is no worker."""
        how = START_WORKER.format(address=self.address)
        return InspectionError(
            f"{self.address}: the Dask scheduler has no worker; start some by {how} in a checkout "
            "like this one; the same command goes on where it was"
        )

    def gone(self) -> InspectionError:
        """What is said where the scheduler has ended."""
        return InspectionError(
            f"{self.address}: the Dask scheduler has gone; start it again by {START}, and its "
            "workers; the same command goes on where it was"
        )


def in_cluster(
    function: Callable[[Item], Result], items: Iterable[Item], *, cluster: Cluster
) -> Iterator[Result | Lost[Item]]:
    """Yield `function` of each item, in order. Function, items and results must be picklable.

    An item that ends its workers again and again is given to one more when nothing else is under
    way; where it ends that one, too, it is Lost. An exception of the function ends the whole, and
    so does, as an InspectionError, a scheduler that goes or has no worker for a minute.
    """
    from distributed import KilledWorker

    # the scheduler hands bytes on, and loads none of what they are made of
    pickled = pickle.dumps(function)

    def begun(item: Item) -> Any:
        # pure=False: two items that are alike are done twice, under keys of their own
        return cluster.client.submit(_done, pickled, pickle.dumps(item), pure=False)

    waiting = iter(items)
    under_way: deque[tuple[Item, Any]] = deque()
    while True:
        n_free = AHEAD * max(1, cluster.n_workers()) - len(under_way)
        for item in islice(waiting, max(0, n_free)):
            under_way.append((item, begun(item)))
        if not under_way:
            return

        item, future = under_way[0]
        try:
            result: Result | Lost[Item] = _result(future, cluster)
        except KilledWorker:
            # Dask blames all that a worker had, and not the one in hand alone
            for _, other in under_way:
                _error(other, cluster)
            try:
                result = _result(begun(item), cluster)
            except KilledWorker:
                result = Lost(item)
        under_way.popleft()
        yield result


def _done(function: bytes, item: bytes) -> Any:
    """What a worker does with an item."""
    with _in_hand:
        return pickle.loads(function)(pickle.loads(item))


def _result(future: Any, cluster: Cluster) -> Any:
    """A result, however long it takes, as long as there is somebody to make it.

    Raises what the function raised, KilledWorker, and InspectionError.
    """
    while True:
        error = _error(future, cluster)
        if error is not None:
            raise error
        try:
            found = cluster.client.gather([future], errors="skip")
        except OSError as error:
            # not of the function: what it raises is skipped
            raise cluster.gone() from error
        if found:
            return found[0]
        # else the worker that held it has ended meanwhile, and it is made once more


def _error(future: Any, cluster: Cluster) -> BaseException | None:
    """Wait for the end of a task; what it raised, None where it ended well.

    Raises InspectionError where the scheduler has gone, or there is nobody to do it.
    """
    from distributed.client import FutureCancelledError

    while True:
        try:
            return future.exception(timeout=LOOK_S)
        except TimeoutError:
            cluster.n_workers()
        except FutureCancelledError as error:
            raise cluster.gone() from error


def distributed() -> Any:
    """The library of Dask's clusters. Raises InspectionError where it is not installed."""
    try:
        return import_module("distributed")
    except ImportError as error:
        raise InspectionError(
            "distributed: is not installed, and a Dask cluster wants it; `make plant` installs it"
        ) from error


def _client(address: str) -> Any:
    """A client of the scheduler. Raises InspectionError."""
    client = distributed().Client
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InspectionError(
            f"{address}: no Dask scheduler answers; start it by {START}, or correct --dask or "
            f"{ADDRESS}; without them local processes do the work"
        ) from error
