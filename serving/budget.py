"""How much memory requests may hold together, and what a view will take before it is decoded."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from inspection.images import ImageError
from inspection.line import Line
from inspection.runtime.views import View
from serving.costs import Cost, cost_of
from serving.refusals import RefusedError

Take = Callable[[int], None]

# The worker stays under 1 GB: it takes some 200 MB with its models loaded and its buffers warm, and
# 395 MB was the most after three releases under load.
MAX_HELD_BYTES = 560 * 2**20
# One request leaves room for another that is ordinary: 48 MiB, a frame of 2464 x 2056 in 16 bits.
MAX_REQUEST_BYTES = 512 * 2**20
# Two frames of 64 megapixels, or 25 of the first line's camera (2464 x 2056): some four seconds.
MAX_REQUEST_PIXELS = 128 * 2**20


class Budget:
    """How many bytes all requests together may hold in memory. Thread-safe."""

    def __init__(self, n_bytes: int = MAX_HELD_BYTES) -> None:
        self._lock = threading.Lock()
        self._left = n_bytes
        self.n_bytes = n_bytes

    @contextmanager
    def share(self) -> Iterator[Take]:
        """Yield a function that takes bytes for one request; they are given back at the end."""
        taken = 0

        def take(n_bytes: int) -> None:
            nonlocal taken
            self._take(n_bytes)
            taken += n_bytes

        try:
            yield take
        finally:
            with self._lock:
                self._left += taken

    def _take(self, n_bytes: int) -> None:
        with self._lock:
            if n_bytes > self._left:
                raise RefusedError(
                    429,
                    "busy",
                    "too much is being inspected; try again in a second",
                )
            self._left -= n_bytes


@dataclass(frozen=True)
class Work:
    """What a request takes beside its body: memory while its views are decoded, and time."""

    n_bytes: int
    time_ms: float


def work_of(views: Sequence[View], line: Line, limit: int) -> Work:
    """What these views take, from their headers; one at a time is decoded, so the largest counts.

    Raises RefusedError where they are more than one request may hold. What is no picture, or has a
    header that cannot be read, counts nothing: decoding ends there too, and says why.
    """
    n_pixels, n_bytes, time_ms = 0, 0, 0.0
    for view in views:
        cost = _cost(view, line)
        if cost.n_bytes > limit:
            raise _too_much(view, cost, limit)
        n_pixels += cost.n_pixels
        n_bytes = max(n_bytes, cost.n_bytes)
        time_ms += cost.time_ms

    most = max(MAX_REQUEST_PIXELS, line.max_pixels)
    if n_pixels > most:
        raise RefusedError(
            413,
            "too_large",
            f"{n_pixels} px in one request; send up to {most}, or smaller images",
        )
    return Work(n_bytes, time_ms)


def _cost(view: View, line: Line) -> Cost:
    try:
        return cost_of(view.content, max_pixels=line.max_pixels)
    except ImageError:
        return Cost(0, 0, 0.0)


def _too_much(view: View, cost: Cost, limit: int) -> RefusedError:
    # what is left beside the body of this request, in pictures of the same kind
    most = cost.n_pixels * limit // cost.n_bytes
    return RefusedError(
        413,
        "too_large",
        f"{view.name}: {cost.n_pixels} px of this kind take {cost.n_bytes} bytes to decode, and "
        f"{limit} are left; send up to {most} px, or grey instead of colour",
    )
