"""Print which version serves, which challenges, and what was moved when, by whom and why.

`--fetch VERSION` brings the release of a version out of the registry, for the dashboard to show.
"""

import argparse
import signal
import sys
from typing import Any

from inspection.errors import InspectionError
from inspection.plant import as_typed
from pipelines.champions import Registry
from pipelines.promote import unregistered
from pipelines.runs.store import opened
from stages import tracking

N_ENTRIES = 20  # fits a screen; all stand in models/releases/history.jsonl


def main() -> None:
    """Write the aliases and the latest entries to stdout, or fetch a version."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fetch", default="", metavar="VERSION", help="by its number")
    given = parser.parse_args()
    try:
        _, _, registry = opened()
        said = fetched(registry, given.fetch) if given.fetch else status(registry)
        # the dashboard reads what is seen here
        registry.note_versions()
        sys.stdout.write(as_typed(said))
    except InspectionError as error:
        sys.stderr.write(as_typed(f"status: failed\n{error}\n"))
        raise SystemExit(1) from error


def fetched(registry: Registry, number: str) -> str:
    """Bring the release of a version, where it is not there; returns where it lies, in a line."""
    if not registry.has(number):
        raise InspectionError(
            f"--fetch: {registry.line} has no version {number!r} in this registry; see "
            "`make registry`"
        )
    return f"version {number} lies in {registry.released(number)}\n"


def status(registry: Registry) -> str:
    """The aliases with their releases, and the latest entries, oldest first."""
    aliases, served = registry.aliases(), registry.served()
    lines = [f"{registry.line}: version {served or '-'} serves", ""]
    for name in (tracking.CHAMPION, tracking.CHALLENGER, tracking.PREVIOUS):
        number = aliases.get(name)
        release = registry.tags(number).get("release", "-") if number else "-"
        lines.append(f"{name:10}  version {number or '-':4}  {release}")
    if aliases.get(tracking.CHAMPION) != served:
        lines.append(
            "warning: the alias names another version than the one that serves; "
            "to fix: `python -m pipelines.promote --sync`"
        )
    warning = unregistered(registry)
    if warning:
        lines.append(warning)
    lines += ["", *(_line(entry) for entry in registry.entries()[-N_ENTRIES:])]
    return "\n".join(lines) + "\n"


def _line(entry: dict[str, Any]) -> str:
    moved = f"{entry['from'] or '-'} -> {entry['to']}"
    stopped = sum(not rule["passed"] for rule in entry.get("rules", []))
    rules = f"{stopped} of {len(entry.get('rules', []))} rules stop"
    return (
        f"{entry['when']}  {entry['outcome']:11}  {moved:10}  {entry['who']}  "
        f"{rules}  {entry['why']}"
    )


if __name__ == "__main__":
    main()
