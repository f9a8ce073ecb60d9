"""The lines of a plant that one checkout holds: its own in the root, each other in `lines/<name>`.

A line's folder is laid out as the root is: params.yaml, data, models/releases, verdicts. So a
program that works in that folder works on that line.
"""

import re
from pathlib import Path
from types import TracebackType

from inspection.errors import InspectionError
from inspection.failures import PlainErrors, explained

LINES = Path("lines")
# What all lines of a checkout share lies beside `lines/`, DVC's folder among it.
SHARED = ".dvc"
# A folder, a word of a URL and a label of a metric: the same name everywhere, nowhere escaped.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
# Of a deployment and its runs: before the name of the line in `lines/` whose they are. A server may
# have deployments of others, too.
TAG = "knurl.line."
# The verbs of the Makefile that take LINE=; each other one is of the whole checkout.
VERBS = (
    "adopt",
    "repro",
    "bento",
    "promote",
    "flow",
    "follow",
    "watch",
    "registry",
    "evidence",
    "drill",
    "seeds",
    "study",
    "sign",
)
# How a command begins that a message names in backquotes, where it names no line yet.
COMMAND = re.compile(
    r"`(make [a-z-]+\b(?! LINE=)|dvc (?!--cd )|git checkout |python -m (?=pipelines\.))"
)


def lines_in(folder: Path) -> dict[str, Path]:
    """The lines of a folder such as `lines/`, by their names in order; none where it is missing."""
    if not folder.is_dir():
        return {}
    found = {path.name: path for path in folder.iterdir() if path.is_dir()}
    return {name: found[name] for name in sorted(found) if NAME.fullmatch(name)}


def line_of(folder: Path) -> str:
    """The name of the line whose folder this is; '' for any other folder, as the root."""
    place = folder.resolve()
    is_line = (
        place.parent.name == LINES.name and (place.parent.parent / SHARED).is_dir()
    )
    return place.name if is_line and NAME.fullmatch(place.name) else ""


def as_typed(text: str, line: str | None = None) -> str:
    """A text whose commands in backquotes are typed in the root of the checkout, and are about a
    line: without `line` about the one in whose folder this process works.

    >>> as_typed("run `dvc repro`; after a clone: `make promote`, then `make serve`", "tiles")
    'run `dvc --cd lines/tiles repro`; after a clone: `make promote LINE=tiles`, then `make serve`'
    >>> as_typed("see `python -m pipelines.status`", "tiles")
    'see `cd lines/tiles && PYTHONPATH=../.. python -m pipelines.status`'
    >>> as_typed("see `python -m pipelines.status`", "")
    'see `python -m pipelines.status`'
    """
    name = line_of(Path()) if line is None else line
    if not name:
        return text
    return COMMAND.sub(lambda found: f"`{_about(name, found[1])}", text)


def _about(line: str, begin: str) -> str:
    """The beginning of a command, about a line."""
    program = begin.split()[0]
    if program == "make":
        return f"{begin} LINE={line}" if begin.split()[1] in VERBS else begin
    if program == "dvc":
        return f"dvc --cd {LINES}/{line} "
    if program == "git":
        return f"git -C {LINES}/{line} checkout "
    return f"cd {LINES}/{line} && PYTHONPATH=../.. {begin}"


class LineErrors(PlainErrors):
    """As PlainErrors, for a program that may work in the folder of a line."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        said = explained(error) if error is not None else None
        if said is not None:
            error = InspectionError(as_typed(said))
        super().__exit__(kind, error, trace)


def check_name(name: str) -> None:
    """Raise InspectionError where a line cannot have this name."""
    if not NAME.fullmatch(name):
        raise InspectionError(
            f"line: {name[:80]!r} is no name for one; give up to 40 of the letters a to z, digits, "
            "`-` and `_`, as in `tiles`"
        )
