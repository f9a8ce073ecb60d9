"""Who waits for whom: long work waits for other long work, and never holds up what is short."""

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
# What is long takes seconds and hundreds of megabytes: one at a time, and three that wait, the last
# of which has its answer within the minute that a request has.
N_HEAVY, MAX_HEAVY = 1, 4
# What a whole request may take on one core in the light lane: who comes last into a full one waits
# for five others a core, so 1.5 s, and is to wait 2 s at most. Six views of 2464 x 2056 px in
# JPEG take so much (25 ms each of the models), or three in PNG of 16 bits.
HEAVY_MS = 300.0


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
    """The lane of ordinary parts: those at work, and so many that wait."""
    return Lane(N_LIGHT, N_LIGHT + max_waiting)


def heavy_lane() -> Lane:
    """The lane of requests that take more than HEAVY_MS."""
    return Lane(N_HEAVY, MAX_HEAVY)
