"""Let the previous champion serve again. Its bundle is verified; the gate is not asked."""

import argparse
import getpass

from inspection.errors import InspectionError
from inspection.plant import LineErrors
from inspection.runtime.inspector import Inspector
from pipelines.promote import resumed, say
from pipelines.runs.store import opened
from pipelines.shipping import bento
from stages import tracking


def main() -> None:
    """Parse the command line and roll back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reason", default="", help="why, for the record")
    parser.add_argument("--by", metavar="NAME", default=getpass.getuser())
    parser.add_argument(
        "--no-bento", action="store_true", help="pack no Bento of what then serves"
    )
    given = parser.parse_args()
    with LineErrors("rollback"):
        say(rollback(reason=given.reason, by=given.by))
        if not given.no_bento:
            say(bento.of_what_serves())


def rollback(*, reason: str, by: str) -> str:
    """Swap champion and previous; returns what happened, in a line.

    The version that served is marked, so that the next `promote` does not bring it back by itself.
    """
    _, store, registry = opened()
    finished = resumed(store, registry)
    if finished is not None:
        return f"run it again to go back from version {finished}"
    with tracking.changing_aliases(store):
        aliases = registry.aliases()
        champion = aliases.get(tracking.CHAMPION)
        previous = aliases.get(tracking.PREVIOUS)
        if previous is None or previous == champion:
            raise InspectionError(
                f"{registry.line}: no version has the alias {tracking.PREVIOUS!r}, so there is "
                "nothing to go back to; see `python -m pipelines.status`"
            )
        Inspector(registry.released(previous))
        registry.move(
            previous, previous=champion, outcome="rolled back", who=by, why=reason
        )
    return f"version {previous} is the champion again; before: {champion}"


if __name__ == "__main__":
    main()
