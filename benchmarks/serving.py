"""What the service costs and holds, side by side with a bare app and a tutorial's BentoML service.

    python -m benchmarks.serving --picture FILE [--releases models/releases] [--requests 400]

One run on the loopback device: CPU a request against Starlette + ONNX Runtime with the same models;
throughput against BentoML with PIL and torch; waiting times at overload; memory over many requests;
and what is dropped or mixed while releases change. Servers run one after the other.
"""

import argparse
import http.client
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from benchmarks.servers import Server, bentoml_command, free_port, running
from inspection.runtime.releases import champion, promote, release

N_CLIENTS, N_OVERLOAD = 8, 32
BOUNDARY = "knurl"
# Promotions during the load, half a second apart and back again.
N_CHANGES, EVERY_S = 3, 1.0
# What the service says in its header Retry-After.
RETRY_AFTER_S = 1.0


@dataclass
class Load:
    """What clients met: how long each accepted request took, and every status."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    models: set[tuple[str, str]] = field(default_factory=set)
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


class _Model(BaseModel):
    release: str
    card_sha256: str


class _Answer(BaseModel):
    model: _Model


def loaded(
    server: Server, picture: bytes, n_clients: int, n_requests: int, *, read: bool
) -> Load:
    """Send `n_requests` of one view by `n_clients`; `read` notes which release answered."""
    load, lock = Load(), threading.Lock()
    body = body_of(picture)

    def send(n_mine: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=70)
        for _ in range(n_mine):
            began_s = time.monotonic()
            status, content = post(connection, body)
            waited_s = time.monotonic() - began_s
            if status == 429:
                # as the service asks of its clients
                time.sleep(RETRY_AFTER_S)
            with lock:
                load.statuses[status] += 1
                if status == 200:
                    load.seconds.append(waited_s)
                if status == 200 and read:
                    model = _Answer.model_validate_json(content).model
                    load.models.add((model.release, model.card_sha256))
        connection.close()

    cpu_s, began_s = server.cpu_s(), time.monotonic()
    share = -(-n_requests // n_clients)
    clients = [threading.Thread(target=send, args=[share]) for _ in range(n_clients)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    load.took_s, load.cpu_s = time.monotonic() - began_s, server.cpu_s() - cpu_s
    return load


def body_of(picture: bytes) -> bytes:
    """The body of a request with one view."""
    head = (
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="views"; filename="a.jpg"\r\n'
        "content-type: image/jpeg\r\n\r\n"
    )
    return head.encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


def post(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, bytes]:
    """Ask for a verdict; the status and the content of the answer."""
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection.request("POST", "/inspect", body, kind)
    response = connection.getresponse()
    return response.status, response.read()


@contextmanager
def ours(releases: Path, folder: Path) -> Iterator[Server]:
    """The service."""
    port = free_port()
    variables = {
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
    uvicorn = [sys.executable, "-m", "uvicorn", "--no-access-log", "--factory"]
    command = [*uvicorn, "benchmarks.bare_app:create_app", "--port", str(port)]
    variables = {"BARE_BUNDLE": str(champion(releases))}
    with running(command, port, folder, variables) as server:
        yield server


@contextmanager
def tutorial(_: Path, folder: Path) -> Iterator[Server]:
    """What a tutorial would have served."""
    port = free_port()
    command = bentoml_command("benchmarks.tutorial_service:Tutorial", port)
    with running(command, port, folder, {}) as server:
        yield server


def changing(releases: Path, names: tuple[str, str], ended: threading.Event) -> None:
    """Promote one release and the other by turns."""
    for number in range(N_CHANGES):
        if ended.wait(EVERY_S):
            return
        promote(releases, names[(number + 1) % 2])


def with_two_releases(releases: Path, folder: Path) -> tuple[Path, tuple[str, str]]:
    """A copy of the champion under two names, the first of them promoted."""
    copy = folder / "releases"
    names = ("first", "second")
    for name in names:
        release(champion(releases), copy, name)
    promote(copy, names[0])
    return copy, names


def measured(picture: bytes, releases: Path, folder: Path, n_requests: int) -> str:
    """The report."""
    copy, names = with_two_releases(releases, folder)
    with bare(copy, folder / "bare") as server:
        loaded(server, picture, 1, n_requests // 4, read=False)
        bare_one = loaded(server, picture, 1, n_requests, read=False)
        bare_eight = loaded(server, picture, N_CLIENTS, n_requests, read=False)

    with ours(copy, folder / "ours") as server:
        loaded(server, picture, 1, n_requests // 4, read=False)
        one = loaded(server, picture, 1, n_requests, read=False)
        eight = loaded(server, picture, N_CLIENTS, n_requests, read=False)
        before_mb = server.memory_mb()
        over = loaded(server, picture, N_OVERLOAD, 2 * n_requests, read=False)
        changes = _while_changing(server, picture, copy, names, n_requests)
        many = loaded(server, picture, N_CLIENTS, 5 * n_requests, read=False)
        after_mb = server.memory_mb()

    with tutorial(copy, folder / "tutorial") as server:
        loaded(server, picture, 1, n_requests // 4, read=False)
        torch_eight = loaded(server, picture, N_CLIENTS, n_requests, read=False)

    return _report(
        {"1 client": (one, bare_one), f"{N_CLIENTS} clients": (eight, bare_eight)},
        torch_eight,
        over,
        changes,
    ) + (
        f"memory: {before_mb:.0f} MB, {many.statuses.total()} requests later {after_mb:.0f} MB\n"
    )


def _report(
    pairs: dict[str, tuple[Load, Load]], tutorial: Load, over: Load, changes: Load
) -> str:
    lines = []
    for name, (mine, theirs) in pairs.items():
        ratio = mine.cpu_ms / theirs.cpu_ms
        lines.append(
            f"CPU a request, {name}: {mine.cpu_ms:.1f} ms, bare {theirs.cpu_ms:.1f} ms, "
            f"ratio {ratio:.2f}; p99 {mine.quantile_ms(0.99):.0f} ms"
        )

    eight, _ = pairs[f"{N_CLIENTS} clients"]
    faster = eight.per_second / tutorial.per_second
    slower = over.quantile_ms(0.99) / eight.quantile_ms(0.99)
    n_releases = len({name for name, _ in changes.models})
    lines += [
        f"throughput, {N_CLIENTS} clients: {eight.per_second:.0f}/s, tutorial "
        f"{tutorial.per_second:.0f}/s, ratio {faster:.2f}",
        f"p99 of the accepted, {N_OVERLOAD} clients: {over.quantile_ms(0.99):.0f} ms, ratio "
        f"{slower:.2f} to {N_CLIENTS} clients; 429: {over.statuses[429]} of "
        f"{over.statuses.total()}",
        f"{N_CHANGES} promotions under load: {faults(changes)} of {changes.statuses.total()} "
        f"requests dropped or mixed, {n_releases} releases answered",
    ]
    return "\n".join(lines) + "\n"


def _while_changing(
    server: Server, picture: bytes, releases: Path, names: tuple[str, str], n: int
) -> Load:
    ended = threading.Event()
    arguments = (releases, names, ended)
    changer = threading.Thread(target=changing, args=arguments)
    changer.start()
    load = Load()
    while changer.is_alive():
        _add(load, loaded(server, picture, N_CLIENTS, n, read=True))
    changer.join()
    return load


def _add(load: Load, more: Load) -> None:
    load.seconds += more.seconds
    load.statuses += more.statuses
    load.models |= more.models


def faults(load: Load) -> int:
    """Answers that were none, or that named a release with the card of another."""
    whole = {name for name, _ in load.models}
    mixed = len(load.models) - len(whole)
    dropped = sum(n for status, n in load.statuses.items() if status != 200)
    return dropped + mixed


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--picture", type=Path, required=True, help="a good frame")
    parser.add_argument("--releases", type=Path, default=Path("models/releases"))
    parser.add_argument("--requests", type=int, default=400, help="of each measurement")
    given = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        report = measured(
            given.picture.read_bytes(), given.releases, Path(name), given.requests
        )
    sys.stdout.write(report)


if __name__ == "__main__":
    main()
