"""The attacks."""

import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import cv2
import httpx
import numpy as np

from benchmarks.apps.servers import Server
from benchmarks.attacks.answers import GOOD, HANGS_AFTER_S, status_of

# So many of each that all attacks together take some two minutes.
N_MUTATED, N_PATHS, N_METHODS = 600, 1000, 300
# More than the 1,024 descriptors that a process may usually hold.
N_IDLE = 1100
# Good clients that come while all connections are held.
N_NEW = 10
# Clients at once: where their number is the attack, and where the pictures are.
N_AT_ONCE, N_CLIENTS = 64, 6
# 64 and 16 megapixels.
BIG_PX, LARGE_PX = (8000, 8000), (4000, 4000)
# Requests that are not quite HTTP: no protocol, no host, no end, two lengths, too much of it.
HOST = b"host: a\r\n"
PROBES = [
    b"\x00" * 1000,
    b"\x16\x03\x01\x02\x00" + b"a" * 500,
    b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"b" * 100_000 + b"\r\n\r\n",
    b"POST /inspect HTTP/1.1\r\n"
    + HOST
    + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
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


class Attacker:
    """Sends what nobody should, to one server."""

    def __init__(self, server: Server, picture: bytes) -> None:
        self._server = server
        self._picture = picture
        self._random = random.Random(0)
        self._http = httpx.Client(base_url=server.address, timeout=HANGS_AFTER_S)

    def large_frames(self, seen: Counter[str]) -> None:
        """Two frames of 64 megapixels in 16 bits at once, twice."""
        frame = np.zeros(BIG_PX, np.uint16)
        frame[::64] = 30_000
        content = _png(frame)
        for _ in range(2):
            self._at_once([[content]] * 2, seen)

    def many_large_views(self, seen: Counter[str]) -> None:
        """Two requests of 16 views of 16 megapixels."""
        frame = np.zeros(LARGE_PX, np.uint16)
        views = [_png(frame)] * 16
        self._at_once([views] * 2, seen)

    def mutated_pictures(self, seen: Counter[str]) -> None:
        """Pictures with some of their bytes changed, or cut off."""
        broken = [[self._mutated()] for _ in range(N_MUTATED)]
        self._at_once(broken, seen, n_clients=N_CLIENTS)

    def overload(self, seen: Counter[str]) -> None:
        """Many clients at once."""
        n_parts = 4 * N_AT_ONCE
        self._at_once([[self._picture]] * n_parts, seen)

    def unknown_paths(self, seen: Counter[str]) -> None:
        """Paths and methods that are none, with control characters in them."""
        for number in range(N_PATHS):
            path = f"/{number}%0d%0a%1b[2K"
            self._note(seen, partial(self._http.get, path))
        for number in range(N_METHODS):
            method = f"M{number}"
            self._note(seen, partial(self._http.request, method, "/x"))

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
        self._note(seen, ask)

    def protocol(self, seen: Counter[str]) -> None:
        """Requests that are not quite HTTP."""
        for probe in PROBES:
            seen[self._raw(probe)] += 1

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
        held = []
        for _ in range(N_IDLE):
            one = self._connected()
            # the server may have cut it already
            with suppress(OSError):
                one.sendall(sent)
            held.append(one)

        # each by a connection of its own
        ask = partial(
            httpx.get, f"{self._server.address}/healthz", timeout=HANGS_AFTER_S
        )
        for _ in range(N_NEW):
            status = status_of(ask)
            seen[status if status == "200" else f"{status}{GOOD}"] += 1
        for one in held:
            one.close()

    def _connected(self) -> socket.socket:
        address = ("127.0.0.1", self._server.port)
        return socket.create_connection(address, HANGS_AFTER_S)

    def _at_once(
        self,
        parts: list[list[bytes]],
        seen: Counter[str],
        *,
        n_clients: int = N_AT_ONCE,
    ) -> None:
        """Send parts by so many clients, and count the answers by status."""
        with ThreadPoolExecutor(n_clients) as clients:
            for status in clients.map(self._inspect, parts):
                seen[status] += 1

    def _inspect(self, views: list[bytes]) -> str:
        files = []
        for number, content in enumerate(views):
            file = (f"{number}", content)
            files.append(("views", file))
        return status_of(partial(self._http.post, "/inspect", files=files))

    def _note(self, seen: Counter[str], ask: Callable[[], httpx.Response]) -> None:
        status = status_of(ask)
        seen[status] += 1

    def _mutated(self) -> bytes:
        """The picture with up to twenty bytes changed, every other time cut off too."""
        broken = bytearray(self._picture)
        n = len(broken)
        for _ in range(self._random.randint(1, 20)):
            value = self._random.randrange(256)
            place = self._random.randrange(n)
            broken[place] = value

        cut_off = self._random.randrange(n)
        n_kept = self._random.choice([n, cut_off])
        return bytes(broken[:n_kept])

    def _raw(self, probe: bytes) -> str:
        """The status of the answer to what may be no HTTP: its tenth to twelfth byte."""
        with self._connected() as connection:
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


def _png(frame: np.ndarray) -> bytes:
    _, encoded = cv2.imencode(".png", frame)
    return encoded.tobytes()
