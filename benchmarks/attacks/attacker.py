"""Attacks by connections and by what is not quite HTTP."""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import httpx
import psutil

from benchmarks.attacks.answers import BROKEN, GOOD, HANGS_AFTER_S, status_of
from benchmarks.attacks.sending import Sender

# So many of each that all attacks together take some three minutes.
N_PATHS, N_METHODS = 1000, 300
# More than the 1,024 descriptors that a process may usually hold.
N_IDLE = 1100
# Good clients that come while all connections are held.
N_NEW = 10
# What begins a line of its own in a log that does not escape it, and an escape of terminals.
FORGED, ESCAPE = "forged", "\x1b"
# The page is some kilobytes; with a label for each path it was 3.8 MB.
MAX_METRICS_BYTES = 64 * 2**10
# Requests that are not quite HTTP: no protocol, no host, no end, two lengths, too much of it.
HOST = b"host: a\r\n"
PROBES = [
    b"\x00" * 1000,
    b"\x16\x03\x01\x02\x00" + b"a" * 500,
    b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"b" * 100_000 + b"\r\n\r\n",
    b"POST /inspect HTTP/1.1\r\n" + HOST + b"content-length: -1\r\n\r\n",
    b"POST /inspect HTTP/1.1\r\n"
    + HOST
    + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
    b"POST /inspect HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /%00%ff HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n",
]

# What a proxy and we might cut differently (RFC 9112, 6.3).
TWO_LENGTHS = (
    b"POST /inspect HTTP/1.1\r\n"
    + HOST
    + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
)


class Attacker:
    """Sends what nobody should, to one server; what shows of it is looked at too."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._http = sender.http

    def unknown_paths(self, seen: Counter[str]) -> None:
        """Paths and methods that are none, with control characters in them.

        Neither the page of metrics grows by them, nor is a line of the log forged.
        """
        for number in range(N_PATHS):
            path = f"/{number}%0d%0a{FORGED}%1b[2K"
            self._sender.note(seen, partial(self._http.get, path))
        for number in range(N_METHODS):
            method = f"M{number}"
            self._sender.note(seen, partial(self._http.request, method, "/x"))

        n_bytes = len(self._http.get("/metrics").content)
        if n_bytes > MAX_METRICS_BYTES:
            seen[f"{BROKEN}: metrics of {n_bytes} bytes"] += 1
        n_forged = n_forged_lines(self._sender.server.log.read_bytes())
        if n_forged:
            seen[f"{BROKEN}: forged line in the log"] += n_forged

    def endless_body(self, seen: Counter[str]) -> None:
        """300 megabytes that nobody has announced."""

        def body() -> Iterator[bytes]:
            yield b'--b\r\ncontent-disposition: form-data; name="views"; filename="a"\r\n\r\n'
            for _ in range(300):
                yield bytes(10**6)

        kind = {"content-type": "multipart/form-data; boundary=b"}
        ask = partial(
            self._http.post,
            "/inspect",
            content=body(),
            headers=kind,
        )
        self._sender.note(seen, ask)

    def protocol(self, seen: Counter[str]) -> None:
        """Requests that are not quite HTTP; one of two lengths is refused."""
        for probe in PROBES:
            seen[self._sender.raw(probe)] += 1
        status = self._sender.raw(TWO_LENGTHS)
        seen[status if status == "400" else f"{BROKEN}: {status} to two lengths"] += 1

    def ports(self, seen: Counter[str]) -> None:
        """What listens: of all its processes the service alone, on the loopback device."""
        own = ("127.0.0.1", self._sender.server.port)
        for address in listening(self._sender.server.processes()):
            seen["own" if address == own else f"{BROKEN}: {address} is open"] += 1

    def idle_connections(self, seen: Counter[str]) -> None:
        """More connections than there are descriptors, each with half a header."""
        self._hold(b"GET /healthz HTTP/1.1\r\nhost: ", seen)

    def slow_bodies(self, seen: Counter[str]) -> None:
        """As many that have sent a whole header, and let their body be waited for."""
        head = b"POST /inspect HTTP/1.1\r\n" + HOST
        kind = b"content-type: multipart/form-data; boundary=b\r\n"
        self._hold(head + kind + b"content-length: 100000\r\n\r\n--b\r\n", seen)

    def kept_connections(self, seen: Counter[str]) -> None:
        """As many that have had an answer, and might ask again."""
        self._hold(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n", seen)

    def _hold(self, sent: bytes, seen: Counter[str]) -> None:
        """Open N_IDLE connections and keep them; meanwhile good clients come for the first time."""
        held: list[socket.socket] = []
        for _ in range(N_IDLE):
            one = self._sender.connected()
            # the server may have cut it already
            with suppress(OSError):
                one.sendall(sent)
            held.append(one)

        # each by a connection of its own
        ask = partial(
            httpx.get, f"{self._sender.server.address}/healthz", timeout=HANGS_AFTER_S
        )
        for _ in range(N_NEW):
            status = status_of(ask)
            seen[status if status == "200" else f"{status}{GOOD}"] += 1
        for one in held:
            one.close()


def n_forged_lines(log: bytes) -> int:
    """How many lines of a log a client has written, or has given an escape sequence."""
    # as a terminal and a collector of logs see lines
    lines = log.decode("utf-8", "replace").splitlines()
    return sum(line.startswith(FORGED) or ESCAPE in line for line in lines)


def listening(processes: list[psutil.Process]) -> set[tuple[str, int]]:
    """The addresses at which processes listen, as the kernel has them."""
    return {
        (one.laddr.ip, one.laddr.port)
        for process in processes
        for one in process.net_connections(kind="inet")
        if one.status == psutil.CONN_LISTEN
    }
