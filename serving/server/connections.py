"""What one connection may do to the server: be slow with its headers, and be one of very many."""

import asyncio
import resource
from collections.abc import Sequence
from typing import Any

from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.h11_impl import H11Protocol

# A request's headers are one packet; ten seconds is a bad line, or somebody who holds a place.
HEADER_TIMEOUT_S = 10.0
# Cameras, screens and monitors of a line come to dozens. Twice the usual limit of descriptors
# (1024) is needed by nobody, and half of it leaves room for files and for the next to be accepted.
MAX_CONNECTIONS = 512
# How many connections are accepted before the first of them is looked at; few enough that a burst
# does not use up the descriptors before the rules below see it.
BACKLOG = 128
# A client that connects to ask does so in the same moment, on a busy machine within a second.
JUST_COME_S = 1.0
# Of all places so many are left to those that have just come: 32 of 512, more than cameras that
# begin at once, and too few for a burst of idle ones to push out clients that work.
SHARE_JUST_COME = 1 / 16


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with a time limit for headers and a limit on connections.

    At the limit a connection that waits for its client makes room for the new one, so that health
    checks come through however many there are that are idle, or slow.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # when it was connected, its request began, or its answer was complete: what came last
        self._since_s = self.loop.time()
        self._headers_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room where there are too many, then wait for headers."""
        super().connection_made(transport)
        if len(self.connections) > max_connections():
            self._make_room()
        self._watch_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time limit."""
        super().connection_lost(exc)
        self._stop_watching()

    def data_received(self, data: bytes) -> None:
        """Read on; the limit for headers runs until they are whole, whatever trickles in."""
        was_busy = self.is_busy()
        super().data_received(data)
        if self.is_busy() and not was_busy:
            self._since_s = self.loop.time()
        self._watch_headers()

    def on_response_complete(self) -> None:
        """The next request on this connection has its own time limit."""
        super().on_response_complete()
        self._since_s = self.loop.time()
        self._watch_headers()

    def is_busy(self) -> bool:
        """Whether a request is being read or answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def waits_for_client(self) -> bool:
        """Whether its client is to go on: with a request, the rest of a body, or with reading."""
        return not self.is_busy() or self.cycle.more_body or self.flow.write_paused

    def _should_upgrade(self) -> bool:
        # nothing here speaks another protocol
        return False

    def _watch_headers(self) -> None:
        if self.is_busy():
            self._stop_watching()
        elif self._headers_due is None and not self.transport.is_closing():
            self._headers_due = self.loop.call_later(HEADER_TIMEOUT_S, self.cut)

    def _stop_watching(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _make_room(self) -> None:
        others = [
            one
            for one in self.connections
            if isinstance(one, GuardedProtocol) and one is not self
        ]
        waiting = [one for one in others if one.waits_for_client()]
        # where all are being answered, the new one is one too many
        longest = min(
            self._dispensable(waiting), key=lambda one: one._since_s, default=self
        )
        longest.cut()

    def _dispensable(
        self, waiting: Sequence["GuardedProtocol"]
    ) -> Sequence["GuardedProtocol"]:
        """Of connections that wait for their clients those among which one makes room.

        Who has never asked anything goes before who has: a client that works sends a body, reads
        an answer and asks again within a second. A few that have just come are about to ask.
        """
        silent = [one for one in waiting if one.cycle is None]
        asked = [one for one in waiting if one.cycle is not None]
        settled_s = self.loop.time() - JUST_COME_S
        settled = [one for one in silent if one._since_s < settled_s]
        if settled:
            return settled
        are_few = len(silent) <= max_connections() * SHARE_JUST_COME
        return asked if are_few and asked else silent

    def cut(self) -> None:
        """End the connection at once, whatever is still to be sent to who does not read."""
        self.connections.discard(self)
        self.transport.abort()


def max_connections() -> int:
    """The limit on connections: half of the descriptors that this process may open, 512 at most."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(MAX_CONNECTIONS, descriptors // 2)


def guard_connections() -> None:
    """Call before uvicorn starts: its HTTP/1.1 is this one."""
    for name in ("auto", "h11"):
        HTTP_PROTOCOLS[name] = f"{__name__}:{GuardedProtocol.__name__}"
