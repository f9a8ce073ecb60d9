"""How attacks reach the server: requests, many at once, and bytes that are no request."""

import socket
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx

from benchmarks.apps.servers import Server
from benchmarks.attacks.answers import HANGS_AFTER_S, status_of

# Clients at once where their number is the attack.
N_AT_ONCE = 64


class Sender:
    """Sends to one server, and counts what came back."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.http = httpx.Client(base_url=server.address, timeout=HANGS_AFTER_S)

    def note(self, seen: Counter[str], ask: Callable[[], httpx.Response]) -> None:
        """Count the answer of one request."""
        status = status_of(ask)
        seen[status] += 1

    def at_once(
        self,
        parts: Sequence[Sequence[bytes]],
        seen: Counter[str],
        *,
        n_clients: int = N_AT_ONCE,
    ) -> None:
        """Send parts by so many clients, and count the answers by status."""
        with ThreadPoolExecutor(n_clients) as clients:
            for status in clients.map(self._inspect, parts):
                seen[status] += 1

    def connected(self) -> socket.socket:
        """A new connection."""
        address = ("127.0.0.1", self.server.port)
        return socket.create_connection(address, HANGS_AFTER_S)

    def raw(self, probe: bytes) -> str:
        """The status of the answer to what may be no HTTP: its tenth to twelfth byte."""
        with self.connected() as connection:
            try:
                connection.sendall(probe)
                answer = connection.recv(4096)
            except TimeoutError:
                return "hung"
            except OSError:
                return "closed"
        if not answer:
            return "closed"
        # after `HTTP/1.1 `
        status = answer[9:12]
        return status.decode("ascii", "replace")

    def _inspect(self, views: Sequence[bytes]) -> str:
        files = []
        for number, content in enumerate(views):
            file = (f"{number}", content)
            files.append(("views", file))
        return status_of(partial(self.http.post, "/inspect", files=files))
