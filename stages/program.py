"""How every stage runs: dies with its parent, holds its lock, knows its paths, reports errors."""

import argparse
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, get_type_hints

from inspection.failures import PlainErrors, require_utf8
from inspection.processes import die_with_parent
from inspection.storage import locked, write_json
from stages.pipeline import fingerprint

LOCK_DIR = Path(".state/locks")

log = logging.getLogger("knurl")
Paths = TypeVar("Paths")


class _Lines(logging.Formatter):
    """A message as it is; a warning says that it is one."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno < logging.WARNING else f"warning: {text}"


def run(stage: str, main: Callable[[], None]) -> None:
    """Run `main` as the program of `stage`; errors that the user can fix end it with 1, untraced.

    The process is killed when its parent dies: a killed `dvc repro` leaves no orphan that trains
    on beside the next one. A lock per stage refuses a second run of the same stage. A stage whose
    sources, inputs or parameters change while it runs fails. So does one without UTF-8.
    """
    die_with_parent()
    log_to_stderr()
    with PlainErrors(stage):
        require_utf8()
        with locked(LOCK_DIR / f"{stage}.lock", holder=f"stage {stage}"):
            # under the lock: another run of the stage has ended before its inputs are noted
            before = fingerprint.of_stage(stage)
            main()
            fingerprint.require_unchanged(stage, before)


def log_to_stderr() -> None:
    """Send what a stage and its libraries log to stderr, a message a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def paths(wanted: type[Paths], description: str | None) -> Paths:
    """The stage's paths from the command line: one required `--name PATH` per field of `wanted`.

    `wanted` is a dataclass of fields `Annotated[Path, "what lies there"]`.
    """
    parser = argparse.ArgumentParser(description=description)
    for name, kind in get_type_hints(wanted, include_extras=True).items():
        flag = "--" + name.replace("_", "-")
        (text,) = kind.__metadata__
        parser.add_argument(
            flag, dest=name, type=Path, required=True, metavar="PATH", help=text
        )
    return wanted(**vars(parser.parse_args()))


def save_metrics(path: Path, metrics: Mapping[str, object]) -> None:
    """Write a stage's metrics and log its numbers in one line."""
    write_json(path, metrics)
    log_numbers(path.stem, metrics)


def log_numbers(what: str, metrics: Mapping[str, object]) -> None:
    """Log the numbers among some metrics in one line that begins with what they are of."""
    # Python counts a bool as an int, and "ok True" is no number
    numbers = [
        f"{key} {_short(value)}"
        for key, value in metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    log.info("%s: %s", what, ", ".join(numbers))


def _short(value: float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
