"""The lines of a plant that one checkout holds: its own in the root, each other in `lines/<name>`.

A line's folder is laid out as the root is: params.yaml, data, models/releases, verdicts. So a
program that works in that folder works on that line.
"""

import re
from pathlib import Path

from inspection.errors import InspectionError

LINES = Path("lines")
# A folder, a word of a URL and a label of a metric: the same name everywhere, nowhere escaped.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def lines_in(folder: Path) -> dict[str, Path]:
    """The lines of a folder such as `lines/`, by their names in order; none where it is missing."""
    if not folder.is_dir():
        return {}
    found = {path.name: path for path in folder.iterdir() if path.is_dir()}
    return {name: found[name] for name in sorted(found) if NAME.fullmatch(name)}


def check_name(name: str) -> None:
    """Raise InspectionError where a line cannot have this name."""
    if not NAME.fullmatch(name):
        raise InspectionError(
            f"line: {name[:80]!r} is no name for one; give up to 40 of the letters a to z, digits, "
            "`-` and `_`, as in `tiles`"
        )
