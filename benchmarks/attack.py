"""Attacks a service of its own on the loopback device, and tells what came of it.

    python -m benchmarks.attack --picture FILE [--releases models/releases] [--max-wait 2]

Bounded: some 5,000 requests, three minutes. Meanwhile a good client sends one part after another.
Exit 1 where an answer was 5xx, a request hung, the good client waited over `--max-wait` seconds, or
the worker held a gigabyte; the server's log is then kept, and named.
"""

import argparse
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.apps.servers import Server, bentoml_command, free_port, running
from benchmarks.attacks.answers import BROKEN, GOOD
from benchmarks.attacks.attacker import N_IDLE, Attacker
from benchmarks.attacks.frames import Frames
from benchmarks.attacks.sending import Sender
from benchmarks.attacks.witness import Witness

# The promises that are measured: of memory (MB), and of a good client's wait (s).
MAX_MEMORY_MB = 1000.0
MAX_WAIT_S = 2.0
# Descriptors that a process has by default, and so the server here.
N_DESCRIPTORS = 1024


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
            is_our_fault = status.startswith(("5", "hung", BROKEN))
            if is_our_fault or status.endswith(GOOD):
                n_failed += n
        return n_failed


def attacked(server: Server, picture: bytes) -> list[Outcome]:
    """Every attack, one after the other."""
    sender = Sender(server)
    frames, attacker = Frames(sender, picture), Attacker(sender)
    outcomes = []
    for attack in (
        frames.large_frames,
        frames.largest_requests,
        frames.many_large_views,
        frames.colour_frames,
        frames.many_scans,
        frames.many_pieces,
        frames.many_views,
        frames.mutated_pictures,
        attacker.unknown_paths,
        attacker.endless_body,
        attacker.protocol,
        attacker.ports,
        attacker.idle_connections,
        attacker.slow_bodies,
        attacker.kept_connections,
        frames.overload,
    ):
        outcomes.append(_watched(server, picture, attack))
    return outcomes


def _watched(
    server: Server, picture: bytes, attack: Callable[[Counter[str]], None]
) -> Outcome:
    """What comes of one attack, and what a good client meets meanwhile."""
    name = attack.__name__.replace("_", " ")
    outcome = Outcome(name)
    server.forget_peak()
    witness = Witness(server, picture)
    thread = threading.Thread(target=witness.run)
    thread.start()
    attack(outcome.statuses)
    # one good request after the attack belongs to it
    time.sleep(0.5)
    witness.end()
    thread.join()

    for status, n in witness.statuses.items():
        if status not in ("200", "429"):
            outcome.statuses[f"{status}{GOOD}"] += n
    outcome.slowest_good_s = witness.slowest_s
    outcome.peak_mb = server.peak_mb()
    return outcome


def main() -> None:
    """Run the campaign and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--picture", type=Path, required=True, help="a good frame")
    parser.add_argument("--releases", type=Path, default=Path("models/releases"))
    parser.add_argument(
        "--max-wait",
        type=float,
        default=MAX_WAIT_S,
        metavar="S",
        help="seconds that a good client may wait; where the machine has other work, more",
    )
    given = parser.parse_args()
    picture = given.picture.read_bytes()
    port = free_port()

    with tempfile.TemporaryDirectory() as name:
        variables = {
            "KNURL_RELEASES": str(given.releases),
            "KNURL_VERDICTS": f"{name}/verdicts",
            "KNURL_TOKEN": "",
        }
        command = _limited(bentoml_command("serving.service:Inspection", port))
        with running(command, port, Path(name), variables) as server:
            outcomes = attacked(server, picture)
        sys.stdout.write(table(outcomes, given.max_wait))
        if all(held(one, given.max_wait) for one in outcomes):
            return
        sys.exit(f"the server's log: {_kept(Path(name) / 'log')}")


def _limited(command: list[str]) -> list[str]:
    """The command with as many descriptors as a process has by default; we need more ourselves."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4 * N_IDLE), most))
    return ["sh", "-c", f'ulimit -n {N_DESCRIPTORS} && exec "$@"', "sh", *command]


def _kept(log: Path) -> Path:
    """A copy of the log, which outlives the folder of the server."""
    folder = Path(tempfile.mkdtemp(prefix="knurl-attack-"))
    return Path(shutil.copy(log, folder / "log"))


def held(outcome: Outcome, max_wait_s: float = MAX_WAIT_S) -> bool:
    """Whether the service kept its promises under one attack."""
    is_quick = outcome.slowest_good_s <= max_wait_s
    return outcome.failed == 0 and is_quick and outcome.peak_mb < MAX_MEMORY_MB


def table(outcomes: list[Outcome], max_wait_s: float = MAX_WAIT_S) -> str:
    """One row an attack."""
    rows = [f"{'attack':18} {'slowest good':>12} {'peak':>8}  answers\n"]
    for one in outcomes:
        statuses = sorted(one.statuses.items())
        answers = ", ".join(f"{n} x {status}" for status, n in statuses)
        is_slow = one.slowest_good_s > max_wait_s
        slow = f" (over {max_wait_s:.0f} s)" if is_slow else ""
        rows.append(
            f"{one.name:18} "
            f"{one.slowest_good_s:10.2f} s "
            f"{one.peak_mb:5.0f} MB  "
            f"{answers}{slow}\n"
        )
    return "".join(rows)


if __name__ == "__main__":
    main()
