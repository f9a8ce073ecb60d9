"""How much memory requests may hold together, and what a view will take before it is decoded."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from inspection.images import ImageError, pixel_bytes
from inspection.line import Line
from inspection.runtime.views import View
from serving.refusals import RefusedError

Take = Callable[[int], None]

# The worker stays under 1 GB: it takes some 200 MB with its models loaded and its buffers warm.
MAX_HELD_BYTES = 640 * 2**20
# Bytes held per byte of pixels while decoding: the decoder's own copy, ours, and the result in 8
# bits. Measured: 2.5 for 16-bit grey PNG, 2.7 for 8-bit colour PNG, 1.3 for JPEG.
WORKING_COPIES = 3
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


def decoding_bytes(views: Sequence[View], line: Line, limit: int) -> int:
    """What decoding these views takes at its peak, from their headers; one at a time is decoded.

    Raises RefusedError where they are more than one request may hold. A header that cannot be read
    counts nothing: decoding ends there too, and says why.
    """
    n_pixels, peak = 0, 0
    for view in views:
        try:
            area, n_bytes = pixel_bytes(view.content, max_pixels=line.max_pixels)
        except ImageError:
            continue
        n_pixels += area
        peak = max(peak, n_bytes * WORKING_COPIES)

    if n_pixels > max(MAX_REQUEST_PIXELS, line.max_pixels) or peak > limit:
        raise RefusedError(
            413,
            "too_large",
            f"{n_pixels} px, which take {peak} bytes to decode; send up to "
            f"{MAX_REQUEST_PIXELS} px and {limit} bytes in one request, or smaller images",
        )
    return peak
