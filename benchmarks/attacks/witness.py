"""A good client beside the attacks."""

import threading
import time
from collections import Counter
from functools import partial

import httpx

from benchmarks.apps.servers import Server
from benchmarks.attacks.answers import HANGS_AFTER_S, status_of


class Witness:
    """A good client that sends part after part."""

    def __init__(self, server: Server, picture: bytes) -> None:
        self._server = server
        self._picture = picture
        self._ended = threading.Event()
        self.slowest_s = 0.0
        self.statuses: Counter[str] = Counter()

    def run(self) -> None:
        """Send one part after the other; 429 is no answer, and is asked again."""
        with httpx.Client(base_url=self._server.address, timeout=HANGS_AFTER_S) as http:
            while not self._ended.is_set():
                began_s = time.monotonic()
                files = {"views": ("good.jpg", self._picture)}
                ask = partial(http.post, "/inspect", files=files)
                status = status_of(ask)
                # a server may close a connection that is kept and asks nothing: a client then asks
                # again by a new one (RFC 9112, 9.5), and may not be cut off there, too
                if status == "closed":
                    status = status_of(ask)
                self.statuses[status] += 1
                if status == "200":
                    waited_s = time.monotonic() - began_s
                    self.slowest_s = max(self.slowest_s, waited_s)
                # at most ten parts a second: a good client is no load
                self._ended.wait(0.1)

    def end(self) -> None:
        """Let it end."""
        self._ended.set()
