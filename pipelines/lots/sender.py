"""Sends verdicts to a webhook: at least once each, with a key by which a receiver knows them again.

What cannot be sent stays in the journal and is tried again, after 1, 2, 4 ... seconds and at most
every five minutes, over restarts too. A receiver that refuses one verdict does not hold up others.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping

from pipelines import alerts
from pipelines.lots.journal import Journal, Message

KEY_HEADER = "Idempotency-Key"
# A receiver that restarts is back within seconds; each further try waits twice as long.
FIRST_RETRY_S = 1.0
# Soon enough after an outage of hours, and next to no load on who is overloaded.
LONGEST_RETRY_S = 300.0
# Verdicts that are held in memory; the others wait in the journal.
QUEUE = 100
POLL_S = 0.2

logger = logging.getLogger("knurl.sender")

Post = Callable[[str, bytes, Mapping[str, str]], str]


class Sender:
    """A thread that sends what the journal says is to be sent."""

    def __init__(self, journal: Journal, url: str, post: Post = alerts.posted) -> None:
        self._journal = journal
        self._url = url
        self._post = post
        # in memory: a restart, and a clock that was set, only mean that it is tried sooner
        self._due_s: dict[int, float] = {}
        self._problem = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End after the message that is under way; the others stay in the journal."""
        self._stopping.set()
        self._thread.join()

    def send_due(self, at_s: float) -> int:
        """Send what is due at `at_s` (of time.monotonic); how many the receiver has taken."""
        n_sent = 0
        for message in self._journal.to_send(QUEUE):
            if self._stopping.is_set():
                break
            if self._due_s.get(message.number, at_s) <= at_s:
                n_sent += self._sent(message, at_s)
        return n_sent

    def _run(self) -> None:
        while not self._stopping.wait(POLL_S):
            try:
                self.send_due(time.monotonic())
            except sqlite3.Error as error:
                # a full disk, say: what was sent and could not be noted is sent once more
                self._tell(f"the journal cannot be used ({error})")

    def _sent(self, message: Message, at_s: float) -> bool:
        headers = {KEY_HEADER: message.key}
        problem = self._post(self._url, message.line.encode("utf-8"), headers)
        if problem:
            self._journal.mark_failed(message.number)
            self._due_s[message.number] = at_s + retry_after_s(message.n_failed)
        else:
            self._journal.mark_sent(message.number)
            self._due_s.pop(message.number, None)
        self._tell(problem)
        return not problem

    def _tell(self, problem: str) -> None:
        """Log how sending fares where it has changed, not with every verdict."""
        if problem and problem != self._problem:
            logger.warning("webhook: %s; what could not be sent waits", problem)
        self._problem = problem


def retry_after_s(n_failed: int) -> float:
    """How long to wait after one more failure, in seconds.

    >>> [retry_after_s(n) for n in (0, 1, 2, 20)]
    [1.0, 2.0, 4.0, 300.0]
    """
    # beyond 2^9 s the limit holds in any case, and a power of thousands would not fit a float
    return min(FIRST_RETRY_S * 2.0 ** min(n_failed, 9), LONGEST_RETRY_S)
