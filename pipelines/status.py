"""Print which version serves, which challenges, and what was moved when, by whom and why."""

import argparse
import signal
import sys
from typing import Any

from inspection.errors import InspectionError
from pipelines.champions import Registry
from pipelines.promote import unregistered
from pipelines.runs.store import opened
from stages import tracking

N_ENTRIES = 20  # fits a screen; all stand in models/releases/history.jsonl


def main() -> None:
    """Write the aliases and the latest entries to stdout."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        _, _, registry = opened()
        sys.stdout.write(status(registry))
    except InspectionError as error:
        sys.stderr.write(f"status: failed\n{error}\n")
        raise SystemExit(1) from error


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
