"""Who waits for whom: large frames wait for each other, and never hold up small ones."""

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import to_thread

from serving.refusals import RefusedError

Result = TypeVar("Result")

# Two cores is the least that a line's computer has; inference runs on one thread each.
N_LIGHT = 2
# Eight clients that wait for their answers are never refused, and two more may come. With a longer
# queue fewer are refused, and who is accepted last waits longer.
MAX_WAITING = 8
# A large frame takes hundreds of megabytes and seconds: one at a time, and one that waits.
N_HEAVY, MAX_HEAVY = 1, 2
# 32 megapixels in 8 bits, or 16 in 16: what takes a quarter of a second to decode.
HEAVY_BYTES = 96 * 2**20


class Lane:
    """Runs work in threads, `n_threads` at a time; beyond `n_inside` with those that wait: 429."""

    def __init__(self, n_threads: int, n_inside: int) -> None:
        self._n_threads = n_threads
        self._n_inside = n_inside
        self._inside = 0
        # made in the event loop in which it is used
        self._limiter: anyio.CapacityLimiter | None = None

    def check(self) -> None:
        """Raise RefusedError where too many wait already."""
        if self._inside >= self._n_inside:
            raise RefusedError(
                429, "busy", "too many parts wait already; try again in a second"
            )

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns. Raises RefusedError where too many wait already."""
        self.check()
        self._limiter = self._limiter or anyio.CapacityLimiter(self._n_threads)

        self._inside += 1
        try:
            return await to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._inside -= 1


def light_lane(max_waiting: int) -> Lane:
    """The lane of ordinary frames: those at work, and so many that wait."""
    return Lane(N_LIGHT, N_LIGHT + max_waiting)


def heavy_lane() -> Lane:
    """The lane of frames that take more than HEAVY_BYTES to decode."""
    return Lane(N_HEAVY, MAX_HEAVY)
