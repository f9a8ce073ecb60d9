"""One function over the views of a data set: the one place that says where such a loop runs.

Threads of this process share a small set, local processes a large one, and the workers of a Dask
cluster any, where DASK_SCHEDULER_ADDRESS names its scheduler. Results come in the order of the
views, and are the same bytes in all three. Views are sent by their path: whoever works reads the
file, and holds one at a time.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from tqdm import tqdm

from inspection.cluster import address_of
from inspection.cluster_setup import Needed, in_alike_cluster
from inspection.errors import InspectionError
from inspection.workers import Lost, in_workers, n_processes

# no outcome: views from which local processes are begun. Each takes one to three seconds to import
# what it needs, and a view of a third of a megapixel one to six milliseconds, much of them in a
# decoder, beside which other threads run: of fewer, threads are done as soon (docs/scale.md).
MIN_VIEWS = 2000
# no outcome: views that are sent at once. To send something takes some milliseconds in a cluster,
# to look at a small view one; and of more, too much is done again where a worker ends.
BATCH = 16
# Where the code lies that a worker runs.
SOURCES = ("inspection", "stages")
# What decodes and measures a frame, by its name in requirements.in.
LIBRARIES = ("numpy", "opencv-python-headless", "pillow", "simplejpeg")


class View(Protocol):
    """What a loop is over: a file of the data set, by its path below the data's folder."""

    @property
    def path(self) -> str:
        """Posix, relative."""


V = TypeVar("V", bound=View)
Result = TypeVar("Result")
# Gets the folder of the data and a view.
Function = Callable[[Path, V], Result]


def over_views(
    function: Function[V, Result],
    views: Sequence[V],
    *,
    data: Path,
    what: str,
    libraries: tuple[str, ...] = LIBRARIES,
    variables: Mapping[str, str] = os.environ,
) -> Iterator[Result]:
    """Yield `function` of the folder `data` and each view, in order, under a progress bar `what`.

    Function, views and results must be picklable, the function by its name in a module that is not
    the program. `libraries` are those that its results depend on. A view that ends its worker
    twice ends the loop with an InspectionError, and an exception of the function ends it, too.
    """
    at = partial(function, data.absolute())
    results = _results(at, views, data, libraries, variables)
    with tqdm(total=len(views), desc=what, unit="view", disable=None) as bar:
        for result in results:
            bar.update()
            yield result


def _results(
    function: Callable[[V], Result],
    views: Sequence[V],
    data: Path,
    libraries: tuple[str, ...],
    variables: Mapping[str, str],
) -> Iterator[Result]:
    if not views:
        return iter(())

    address = address_of(None, None, variables)
    if address:
        frame = data.absolute() / views[0].path
        needed = Needed(SOURCES, libraries, frame, held=True)
        in_cluster = partial(in_alike_cluster, address=address, needed=needed)
        return in_batches(in_cluster, function, views)

    n_local = n_processes(len(views), variables)
    if len(views) < MIN_VIEWS or n_local == 1:
        return in_threads(function, views, n_local)
    return in_batches(partial(in_workers, n_workers=n_local), function, views)


def in_threads(
    function: Callable[[V], Result], views: Sequence[V], n_threads: int
) -> Iterator[Result]:
    """The results of views, by threads of this process."""
    with ThreadPoolExecutor(n_threads) as pool:
        yield from pool.map(function, views)


def in_batches(
    begin: Callable[..., Iterator[list[Result] | Lost[list[V]]]],
    function: Callable[[V], Result],
    views: Sequence[V],
) -> Iterator[Result]:
    """The results of batches of views, by workers that `begin` takes them to."""
    work = partial(each, function)
    batches = (list(views[at : at + BATCH]) for at in range(0, len(views), BATCH))
    for found in begin(work, batches):
        if isinstance(found, Lost):
            yield from _one_by_one(begin, work, found.item)
        else:
            yield from found


def _one_by_one(
    begin: Callable[..., Iterator[list[Result] | Lost[list[V]]]],
    work: Callable[[list[V]], list[Result]],
    views: list[V],
) -> Iterator[Result]:
    """The results of a batch that ended its worker. Raises InspectionError: one of it does so."""
    for found in begin(work, [[view] for view in views]):
        if isinstance(found, Lost):
            (view,) = found.item
            raise InspectionError(
                f"{view.path}: the process that read it ended twice; look at the file, and at the "
                "memory there is"
            )
        yield from found


def each(function: Callable[[V], Result], views: Iterable[V]) -> list[Result]:
    """What a worker does with a batch."""
    try:
        return [function(view) for view in views]
    except InspectionError as error:
        # not all kinds of it can be sent: some take more than their text
        raise InspectionError(str(error)) from None
