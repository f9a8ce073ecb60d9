"""Attacks a service of its own on the loopback device, and tells what came of it.

    python -m benchmarks.attack --picture FILE [--releases models/releases]

Bounded: some 5,000 requests, two minutes. Meanwhile a good client sends one part after the other.
Exit 1 where an answer was 5xx, a request hung, or the worker held a gigabyte.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.apps.servers import Server, bentoml_command, free_port, running
from benchmarks.attacks.answers import GOOD
from benchmarks.attacks.attacker import Attacker
from benchmarks.attacks.witness import Witness

# The promises that are measured: of memory (MB), and of a good client's wait (s).
MAX_MEMORY_MB = 1000.0
MAX_WAIT_S = 2.0


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
