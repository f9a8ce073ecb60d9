"""Load from eight clients while releases change: what is dropped, mixed, refused, and the memory.

    python -m benchmarks.promotions --picture FILE [--minutes 10] [--releases models/releases]

The champion is released three times, each time with thresholds of its own, so that every answer
shows which release judged. After a quarter of the time the second is promoted, at half time the
third, at three quarters the second again, by the pointer that promotion and rollback move last.
"""

import argparse
import http.client
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ValidationError

from benchmarks.apps.servers import Server
from benchmarks.serving import N_CLIENTS, body_of, ours, post
from inspection.runtime.bundle import read_card, write_card
from inspection.runtime.detectors import Thresholds
from inspection.runtime.releases import champion, promote, release
from inspection.storage import sha256_of

NAMES = ("first", "second", "third")
# Which release is promoted when, as a share of the time: two promotions, then a rollback.
MOVES = ((0.25, "second"), (0.5, "third"), (0.75, "second"))
# What the service promises for the pick-up, and so how long the release before may still answer.
PICK_UP_S = 10.0
# By so much the thresholds of two releases differ: far more than a float's last digit, and too
# little to change a verdict.
STEP = 1e-6
# The memory is read so often in the whole run.
N_SAMPLES = 20
# Longer than the service's own limit for a request, 60 s.
TIMEOUT_S = 70.0


class _Model(BaseModel):
    release: str
    card_sha256: str


class _View(BaseModel):
    thresholds: dict[str, Thresholds]


class _Answer(BaseModel):
    model: _Model
    views: list[_View]


@dataclass(frozen=True)
class Request:
    """One request: when it began and was answered (s since the start), and how.

    `status` is 0 where there was no answer. `release` is the one that answered; empty where the
    answer holds what belongs to no one release.
    """

    began_s: float
    ended_s: float
    status: int
    release: str = ""


@dataclass(frozen=True)
class Move:
    """A release that was promoted, s since the start."""

    at_s: float
    release: str


@dataclass
class Watched:
    """All that was seen in a run."""

    requests: list[Request] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)

    def dropped(self) -> int:
        """Requests without an answer."""
        return sum(one.status == 0 for one in self.requests)

    def server_errors(self) -> int:
        """Answers with a status of 500 and above."""
        return sum(one.status >= 500 for one in self.requests)

    def refused(self) -> int:
        """Answers that are neither a verdict nor an error of the server: 429, for one."""
        answered = [one for one in self.requests if 0 < one.status < 500]
        return sum(one.status != 200 for one in answered)

    def mixed(self) -> int:
        """Verdicts of no one release, or of one that was champion neither before nor after."""
        n_mixed = 0
        for one in self.requests:
            if one.status != 200:
                continue
            if one.release not in self.allowed(one):
                n_mixed += 1
        return n_mixed

    def allowed(self, one: Request) -> set[str]:
        """The releases that were champion while a request ran, or so long before as is promised."""
        since_s = one.began_s - PICK_UP_S
        allowed: set[str] = set()
        for move in self.moves:
            if move.at_s <= since_s:
                # of the moves before, the last one alone
                allowed = {move.release}
            elif move.at_s <= one.ended_s:
                allowed.add(move.release)
        return allowed

    def picked_up_s(self, number: int) -> float:
        """The seconds from a move to the first answer of its release; infinite without one."""
        move = self.moves[number]
        first_s = float("inf")
        for one in self.requests:
            if one.release != move.release:
                continue
            if one.ended_s >= move.at_s:
                first_s = min(first_s, one.ended_s)
        return first_s - move.at_s


def with_three_releases(releases: Path, folder: Path) -> dict[str, tuple[str, str]]:
    """Release the champion three times in `folder`, the first promoted; what marks each of them.

    The marks are the card's hash and the thresholds, as an answer holds them.
    """
    original = champion(releases)
    target = folder / "releases"
    marks = {}
    for number, name in enumerate(NAMES):
        bundle = folder / f"bundle-{name}"
        _copy_bundle(original, bundle, higher=number * STEP)
        released = release(bundle, target, name)
        marks[name] = _marks(released)
    promote(target, NAMES[0])
    return marks


def _copy_bundle(original: Path, bundle: Path, *, higher: float) -> None:
    """Copy a bundle, and raise the threshold above which it rejects."""
    bundle.mkdir(parents=True)
    card = read_card(original)
    for file in card.files:
        content = (original / file).read_bytes()
        (bundle / file).write_bytes(content)

    changed = card.model_dump(mode="json")
    thresholds = changed["fusion"]["thresholds"]
    thresholds["reject_above"] += higher
    write_card(bundle, type(card).model_validate(changed))


def _marks(folder: Path) -> tuple[str, str]:
    """What marks a release: its card's hash, and its thresholds."""
    digest = sha256_of(folder / "card.json")
    thresholds = read_card(folder).thresholds
    return digest, _text(thresholds)


def _text(thresholds: Mapping[str, Thresholds]) -> str:
    """Thresholds by detector as one text, in the order of the names."""
    words = [f"{name} {thresholds[name]!r}" for name in sorted(thresholds)]
    return " ".join(words)


def release_of(content: bytes, marks: Mapping[str, tuple[str, str]]) -> str:
    """The release that gave this answer; empty where its parts do not belong together."""
    try:
        answer = _Answer.model_validate_json(content)
    except ValidationError:
        return ""
    model = answer.model
    found = set()
    for view in answer.views:
        mark = (model.card_sha256, _text(view.thresholds))
        found.add(mark)

    is_whole = found == {marks.get(model.release)}
    return model.release if is_whole else ""


def watched(
    server: Server,
    picture: bytes,
    releases: Path,
    marks: Mapping[str, tuple[str, str]],
    minutes: float,
) -> Watched:
    """Load the server for so long, and move the pointer meanwhile."""
    seen = Watched()
    # champion before the first request
    seen.moves.append(Move(float("-inf"), NAMES[0]))
    body = body_of(picture)
    ended = threading.Event()
    began_s = time.monotonic()
    arguments = (
        server,
        body,
        marks,
        began_s,
        ended,
        seen.requests,
    )
    clients = [threading.Thread(target=_ask, args=arguments) for _ in range(N_CLIENTS)]
    for client in clients:
        client.start()

    whole_s = 60 * minutes
    waiting = [(whole_s * share, name) for share, name in MOVES]
    for number in range(N_SAMPLES + 1):
        due_s = whole_s * number / N_SAMPLES
        passed_s = time.monotonic() - began_s
        time.sleep(max(0.0, due_s - passed_s))
        seen.memory.append((due_s, server.memory_mb()))
        while waiting and waiting[0][0] <= due_s:
            _, name = waiting.pop(0)
            # noted before it is done: an answer of the new release cannot be earlier
            at_s = time.monotonic() - began_s
            seen.moves.append(Move(at_s, name))
            promote(releases, name)

    ended.set()
    for client in clients:
        client.join()
    return seen


def _ask(
    server: Server,
    body: bytes,
    marks: Mapping[str, tuple[str, str]],
    start_s: float,
    ended: threading.Event,
    requests: list[Request],
) -> None:
    """One client: a request after the other, on one connection as long as that holds."""
    connection = http.client.HTTPConnection(
        "127.0.0.1",
        server.port,
        timeout=TIMEOUT_S,
    )
    while not ended.is_set():
        began_s = time.monotonic() - start_s
        # of a request that was dropped
        status = 0
        content = b""
        try:
            status, content = post(connection, body)
        except (OSError, http.client.HTTPException):
            connection.close()
        now_s = time.monotonic() - start_s

        name = release_of(content, marks) if status == 200 else ""
        request = Request(began_s, now_s, status, name)
        # appending is one step of the interpreter: no lock
        requests.append(request)
    connection.close()


def report(seen: Watched) -> str:
    """What was seen, in lines."""
    n = len(seen.requests)
    took_s = max(one.ended_s for one in seen.requests)
    minutes = took_s / 60
    per_second = n / took_s
    lines = [
        f"{n} requests of {N_CLIENTS} clients "
        f"in {minutes:.1f} min, "
        f"{per_second:.0f} a second",
        f"dropped {seen.dropped()}, "
        f"mixed {seen.mixed()}, "
        f"5xx {seen.server_errors()}, "
        f"other refusals {seen.refused()}",
    ]
    for number, move in enumerate(seen.moves[1:], start=1):
        after_s = seen.picked_up_s(number)
        lines.append(
            f"{move.at_s:6.0f} s: {move.release} promoted, answers after {after_s:.1f} s"
        )
    lines += _memory(seen.memory)
    return "\n".join(lines) + "\n"


def _memory(samples: Sequence[tuple[float, float]]) -> list[str]:
    """The course of the memory, and between what it lies in the second half."""
    n = len(samples)
    sizes_mb = [mb for _, mb in samples]
    # some ten of them: what fits on a line
    every = max(1, n // 10)
    rounded = [f"{mb:.0f}" for mb in sizes_mb[::every]]
    course = ", ".join(rounded)

    half = sizes_mb[n // 2 :]
    lowest = min(half)
    highest = max(half)
    return [
        f"memory over time, MB: {course}",
        f"memory in the second half: {lowest:.0f} to {highest:.0f} MB",
    ]


def main() -> None:
    """Print what was seen; exit 1 where a request was dropped, mixed or failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--picture", type=Path, required=True, help="a good frame")
    parser.add_argument("--releases", type=Path, default=Path("models/releases"))
    parser.add_argument("--minutes", type=float, default=10.0, help="of load (10)")
    given = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        marks = with_three_releases(given.releases, folder)
        releases = folder / "releases"
        with ours(releases, folder / "server") as server:
            picture = given.picture.read_bytes()
            seen = watched(
                server,
                picture,
                releases,
                marks,
                given.minutes,
            )
    sys.stdout.write(report(seen))
    if seen.dropped() or seen.mixed() or seen.server_errors():
        raise SystemExit(1)


if __name__ == "__main__":
    main()
