"""What is likely asked for next, done in a thread while a person looks at what is shown."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor


class Ahead:
    """One thread, which does what was asked for last; what waits from before is given up.

    What a task raises is not told here: it comes again, and is shown, when its result is wanted.
    """

    def __init__(self) -> None:
        # one thread: the other cores are for what is wanted now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._waiting: list[Future[object]] = []

    def ask(self, tasks: Sequence[Callable[[], object]]) -> None:
        """Do these one after the other, in place of those that have not begun."""
        for task in self._waiting:
            task.cancel()
        self._waiting = [self._thread.submit(task) for task in tasks]

    def wait(self) -> None:
        """Until all that was asked for last is done."""
        for task in self._waiting:
            task.exception()
