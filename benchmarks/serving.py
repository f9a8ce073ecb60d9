"""What the service costs and holds, side by side with a bare app and a tutorial's BentoML service.

    python -m benchmarks.serving --picture FILE [--releases models/releases] [--requests 400]
    python -m benchmarks.serving --picture FILE --memory 20000

One run on the loopback device: CPU a request against Starlette + ONNX Runtime with the same models;
throughput against BentoML with PIL and torch; waiting times at overload, also where no part
may wait. Servers run one after the other. With `--memory` only what the service holds while it
answers so many requests. What becomes of requests while releases change is measured by
`benchmarks.promotions`.
"""

import argparse
import http.client
import math
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.apps.servers import Server, bentoml_command, free_port, running
from inspection.runtime.releases import champion
from serving.lanes import MAX_WAITING

N_CLIENTS, N_OVERLOAD = 8, 32
# No queue at all: who is accepted is at work at once. With one place that waits an accepted request
# took 2.15 times as long as that of a client alone, with none 1.28 times.
SHORT_QUEUE = 0
# Longer than the service's own limit for a request, 60 s.
TIMEOUT_S = 70.0
BOUNDARY = "knurl"
# What the service says in its header Retry-After.
RETRY_AFTER_S = 1.0
# So often the memory is read: ten times after the first half, in which buffers grow warm.
N_READINGS = 20


@dataclass
class Load:
    """What clients met: how long each accepted request took, and every status."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    took_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def per_second(self) -> float:
        """Accepted requests a second."""
        return len(self.seconds) / self.took_s

    @property
    def cpu_ms(self) -> float:
        """CPU of the server for each accepted request, in ms."""
        return 1000 * self.cpu_s / len(self.seconds)

    def quantile_ms(self, share: float) -> float:
        """A quantile of the time to an answer, in ms."""
        return 1000 * float(np.quantile(self.seconds, share))


def loaded(server: Server, picture: bytes, n_clients: int, n_requests: int) -> Load:
    """Send `n_requests` of one view by `n_clients`, rounded up to as many for each."""
    load = Load()
    lock = threading.Lock()
    body = body_of(picture)

    def send(n_mine: int) -> None:
        connection = http.client.HTTPConnection(
            "127.0.0.1",
            server.port,
            timeout=TIMEOUT_S,
        )
        for _ in range(n_mine):
            began_s = time.monotonic()
            status, _ = post(connection, body)
            waited_s = time.monotonic() - began_s
            if status == 429:
                # as the service asks of its clients
                time.sleep(RETRY_AFTER_S)
            with lock:
                load.statuses[status] += 1
                if status == 200:
                    load.seconds.append(waited_s)
        connection.close()

    # rounded up, so that no request is lost
    share = math.ceil(n_requests / n_clients)
    clients = []
    for _ in range(n_clients):
        client = threading.Thread(target=send, args=[share])
        clients.append(client)

    cpu_before_s = server.cpu_s()
    began_s = time.monotonic()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    load.took_s = time.monotonic() - began_s
    load.cpu_s = server.cpu_s() - cpu_before_s
    return load


def body_of(picture: bytes) -> bytes:
    """The body of a request with one view."""
    head = (
        f"--{BOUNDARY}\r\n"
        'content-disposition: form-data; name="views"; filename="a.jpg"\r\n'
        "content-type: image/jpeg\r\n"
        "\r\n"
    )
    end = f"\r\n--{BOUNDARY}--\r\n"
    return head.encode() + picture + end.encode()


def post(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, bytes]:
    """Ask for a verdict; the status and the content of the answer."""
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection.request("POST", "/inspect", body, kind)
    response = connection.getresponse()
    return response.status, response.read()


@contextmanager
def ours(
    releases: Path, folder: Path, max_waiting: int = MAX_WAITING
) -> Iterator[Server]:
    """The service; beside the parts at work, so many may wait."""
    port = free_port()
    variables = {
        "KNURL_MAX_WAITING": str(max_waiting),
        "KNURL_RELEASES": str(releases),
        "KNURL_VERDICTS": str(folder / "verdicts"),
        "KNURL_TOKEN": "",
    }
    command = bentoml_command("serving.service:Inspection", port)
    with running(command, port, folder, variables) as server:
        yield server


@contextmanager
def bare(releases: Path, folder: Path) -> Iterator[Server]:
    """The least that can serve the same bundle."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--no-access-log",
        "--factory",
        "benchmarks.apps.bare_app:create_app",
        "--port",
        str(port),
    ]
    variables = {"BARE_BUNDLE": str(champion(releases))}
    with running(command, port, folder, variables) as server:
        yield server


@contextmanager
def tutorial(releases: Path, folder: Path) -> Iterator[Server]:
    """What a tutorial would have served: the backbone of the same bundle, by torch."""
    port = free_port()
    command = bentoml_command("benchmarks.apps.tutorial_service:Tutorial", port)
    variables = {"TUTORIAL_BUNDLE": str(champion(releases))}
    with running(command, port, folder, variables) as server:
        yield server


def measured(picture: bytes, releases: Path, folder: Path, n_requests: int) -> str:
    """The report."""
    # what is sent first is not counted: it warms caches and threads up
    n_warm_up = n_requests // 4
    with bare(releases, folder / "bare") as server:
        loaded(server, picture, 1, n_warm_up)
        bare_one = loaded(server, picture, 1, n_requests)
        bare_eight = loaded(server, picture, N_CLIENTS, n_requests)

    with ours(releases, folder / "ours") as server:
        loaded(server, picture, 1, n_warm_up)
        one = loaded(server, picture, 1, n_requests)
        eight = loaded(server, picture, N_CLIENTS, n_requests)
        # twice as many, since some are turned away
        over = loaded(server, picture, N_OVERLOAD, 2 * n_requests)

    with ours(releases, folder / "short", SHORT_QUEUE) as server:
        loaded(server, picture, 1, n_warm_up)
        alone = loaded(server, picture, 1, n_requests)
        # four times as many, since most are turned away
        short = loaded(server, picture, N_OVERLOAD, 4 * n_requests)

    with tutorial(releases, folder / "tutorial") as server:
        loaded(server, picture, 1, n_warm_up)
        torch_eight = loaded(server, picture, N_CLIENTS, n_requests)

    lines = [
        _cpu_row("1 client", one, bare_one),
        _cpu_row(f"{N_CLIENTS} clients", eight, bare_eight),
        _throughput_row(eight, torch_eight),
        _overload_row(MAX_WAITING, over, eight, f"{N_CLIENTS} clients"),
        _overload_row(SHORT_QUEUE, short, alone, "one client"),
    ]
    return "\n".join(lines) + "\n"


def _cpu_row(name: str, mine: Load, theirs: Load) -> str:
    """CPU for each request, beside the bare app."""
    ratio = mine.cpu_ms / theirs.cpu_ms
    p99_ms = mine.quantile_ms(0.99)
    return (
        f"CPU a request, {name}: {mine.cpu_ms:.1f} ms, "
        f"bare {theirs.cpu_ms:.1f} ms, "
        f"ratio {ratio:.2f}; "
        f"p99 {p99_ms:.0f} ms"
    )


def _throughput_row(mine: Load, theirs: Load) -> str:
    """Requests a second, beside the tutorial's service."""
    ratio = mine.per_second / theirs.per_second
    return (
        f"throughput, {N_CLIENTS} clients: {mine.per_second:.0f}/s, "
        f"tutorial {theirs.per_second:.0f}/s, "
        f"ratio {ratio:.2f}"
    )


def _overload_row(max_waiting: int, over: Load, usual: Load, name: str) -> str:
    """Waiting times of those that are not turned away, beside those of a load that is none."""
    p99_ms = over.quantile_ms(0.99)
    ratio = p99_ms / usual.quantile_ms(0.99)
    n_refused = over.statuses[429]
    n_answers = over.statuses.total()
    return (
        f"p99 of the accepted, {N_OVERLOAD} clients, {max_waiting} may wait: {p99_ms:.0f} ms, "
        f"ratio {ratio:.2f} to {name}; "
        f"429: {n_refused} of {n_answers}"
    )


def held_mb(
    picture: bytes, releases: Path, folder: Path, n_requests: int
) -> list[tuple[int, float]]:
    """The requests that were answered, and the memory that the service then held, in MB."""
    held = []
    n_sent = 0
    with ours(releases, folder) as server:
        for number in range(N_READINGS + 1):
            n_due = n_requests * number // N_READINGS
            n_missing = n_due - n_sent
            load = loaded(server, picture, N_CLIENTS, n_missing)
            n_sent += load.statuses.total()
            held.append((n_sent, server.memory_mb()))
    return held


def growth_mb(held: Sequence[tuple[int, float]]) -> float:
    """How much the memory grows in 1,000 requests, by least squares.

    >>> growth_mb([(0, 200.0), (1000, 201.0), (2000, 202.0)])
    1.0
    """
    requests, memory = np.asarray(held).T
    slope, _ = np.polyfit(requests, memory, deg=1)
    in_thousand = 1000 * float(slope)
    # to the kilobyte
    return round(in_thousand, 3)


def memory_report(held: Sequence[tuple[int, float]]) -> str:
    """The course of the memory, and how it grows once the service is warm."""
    rows = [f"{n:6} requests  {mb:6.1f} MB" for n, mb in held]
    half = len(held) // 2
    warm = held[half:]
    sizes_mb = [mb for _, mb in warm]
    lowest = min(sizes_mb)
    highest = max(sizes_mb)
    growth = growth_mb(warm)
    rows.append(
        f"in the second half {lowest:.1f} to {highest:.1f} MB, "
        f"{growth:+.2f} MB in 1,000 requests"
    )
    return "\n".join(rows) + "\n"


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--picture", type=Path, required=True, help="a good frame")
    parser.add_argument("--releases", type=Path, default=Path("models/releases"))
    parser.add_argument(
        "--requests",
        type=int,
        # so many that four requests are slower than p99
        default=400,
        help="of each measurement",
    )
    parser.add_argument(
        "--memory",
        type=int,
        metavar="N",
        help="only the memory, over N requests",
    )
    given = parser.parse_args()

    picture = given.picture.read_bytes()
    releases = given.releases.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.memory:
            held = held_mb(picture, releases, folder, given.memory)
            report = memory_report(held)
        else:
            report = measured(picture, releases, folder, given.requests)
    sys.stdout.write(report)


if __name__ == "__main__":
    main()
