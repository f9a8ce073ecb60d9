"""Attacks a service of its own on the loopback device, and tells what came of it.

    python -m benchmarks.attack --picture FILE [--releases models/releases]

Bounded: some 5,000 requests, two minutes. Meanwhile a good client sends one part after the other.
Exit 1 where an answer was 5xx, a request hung, or the worker held a gigabyte.
"""

import argparse
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import httpx
import numpy as np

from benchmarks.apps.servers import Server, bentoml_command, free_port, running

# The promises that are measured: of memory (MB), and of a good client's wait (s).
MAX_MEMORY_MB = 1000.0
MAX_WAIT_S = 2.0
# Ends the status of an answer that a good client got meanwhile, where it is neither 200 nor 429.
GOOD = " (good)"
# Longer than the service's own limit for a request, 60 s.
HANGS_AFTER_S = 70.0
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


@dataclass
class Outcome:
    """What came of one attack: answers by status, and how long a good client waited meanwhile."""

    name: str
    statuses: Counter[str] = field(default_factory=Counter)
    slowest_good_s: float = 0.0
    peak_mb: float = 0.0

    @property
    def failed(self) -> int:
        """How many answers were our fault, or none.

        An attacker may be cut off; a good client may not.
        """
        n_failed = 0
        for status, n in self.statuses.items():
            is_our_fault = status.startswith(("5", "hung"))
            if is_our_fault or status.endswith(GOOD):
                n_failed += n
        return n_failed


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
            status = _status(ask)
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
        return _status(partial(self._http.post, "/inspect", files=files))

    def _note(self, seen: Counter[str], ask: Callable[[], httpx.Response]) -> None:
        status = _status(ask)
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


class Witness:
    """A good client, and a look at the server's memory, all the time."""

    def __init__(self, server: Server, picture: bytes) -> None:
        self._server = server
        self._picture = picture
        self._ended = threading.Event()
        self.slowest_s = 0.0
        self.peak_mb = 0.0
        self.statuses: Counter[str] = Counter()

    def run(self) -> None:
        """Send one part after the other; 429 is no answer, and is asked again."""
        with httpx.Client(base_url=self._server.address, timeout=HANGS_AFTER_S) as http:
            while not self._ended.is_set():
                began_s = time.monotonic()
                files = {"views": ("good.jpg", self._picture)}
                status = _status(partial(http.post, "/inspect", files=files))
                self.statuses[status] += 1
                if status == "200":
                    waited_s = time.monotonic() - began_s
                    self.slowest_s = max(self.slowest_s, waited_s)
                # at most ten parts a second: a good client is no load
                self._ended.wait(0.1)

    def watch(self) -> None:
        """Look at the memory twenty times a second."""
        while not self._ended.wait(0.05):
            self.peak_mb = max(self.peak_mb, self._server.memory_mb())

    def end(self) -> None:
        """Let both threads end."""
        self._ended.set()


def _png(frame: np.ndarray) -> bytes:
    _, encoded = cv2.imencode(".png", frame)
    return encoded.tobytes()


def _status(ask: Callable[[], httpx.Response]) -> str:
    """The status of an answer; `hung` or `closed` where there is none."""
    try:
        return str(ask().status_code)
    except httpx.TimeoutException:
        return "hung"
    except httpx.TransportError:
        return "closed"


def attacked(server: Server, picture: bytes) -> list[Outcome]:
    """Every attack, one after the other."""
    attacker = Attacker(server, picture)
    outcomes = []
    for attack in (
        attacker.large_frames,
        attacker.many_large_views,
        attacker.mutated_pictures,
        attacker.unknown_paths,
        attacker.endless_body,
        attacker.protocol,
        attacker.idle_connections,
        attacker.slow_bodies,
        attacker.kept_connections,
        attacker.overload,
    ):
        outcomes.append(_watched(server, picture, attack))
    return outcomes


def _watched(
    server: Server, picture: bytes, attack: Callable[[Counter[str]], None]
) -> Outcome:
    """What comes of one attack, and what a good client meets meanwhile."""
    name = attack.__name__.replace("_", " ")
    outcome = Outcome(name)
    witness = Witness(server, picture)
    threads = [
        threading.Thread(target=witness.run),
        threading.Thread(target=witness.watch),
    ]
    for thread in threads:
        thread.start()
    attack(outcome.statuses)
    # one good request after the attack belongs to it
    time.sleep(0.5)
    witness.end()
    for thread in threads:
        thread.join()

    for status, n in witness.statuses.items():
        if status not in ("200", "429"):
            outcome.statuses[f"{status}{GOOD}"] += n
    outcome.slowest_good_s = witness.slowest_s
    outcome.peak_mb = witness.peak_mb
    return outcome


def main() -> None:
    """Run the campaign and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--picture", type=Path, required=True, help="a good frame")
    parser.add_argument("--releases", type=Path, default=Path("models/releases"))
    given = parser.parse_args()
    picture = given.picture.read_bytes()
    port = free_port()

    with tempfile.TemporaryDirectory() as name:
        variables = {
            "KNURL_RELEASES": str(given.releases),
            "KNURL_VERDICTS": f"{name}/verdicts",
            "KNURL_TOKEN": "",
        }
        command = bentoml_command("serving.service:Inspection", port)
        with running(command, port, Path(name), variables) as server:
            outcomes = attacked(server, picture)
    sys.stdout.write(table(outcomes))
    sys.exit(0 if all(map(held, outcomes)) else 1)


def held(outcome: Outcome) -> bool:
    """Whether the service kept its promises under one attack."""
    return outcome.failed == 0 and outcome.peak_mb < MAX_MEMORY_MB


def table(outcomes: list[Outcome]) -> str:
    """One row an attack."""
    rows = [f"{'attack':18} {'slowest good':>12} {'peak':>8}  answers\n"]
    for one in outcomes:
        statuses = sorted(one.statuses.items())
        answers = ", ".join(f"{n} x {status}" for status, n in statuses)
        is_slow = one.slowest_good_s > MAX_WAIT_S
        slow = f" (over {MAX_WAIT_S:.0f} s)" if is_slow else ""
        rows.append(
            f"{one.name:18} "
            f"{one.slowest_good_s:10.2f} s "
            f"{one.peak_mb:5.0f} MB  "
            f"{answers}{slow}\n"
        )
    return "".join(rows)


if __name__ == "__main__":
    main()
