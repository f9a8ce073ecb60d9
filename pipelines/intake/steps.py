"""Steps that bring files into the data: a file comes whole or not at all, and a step can be undone.

A file for each step says how to take it back. Their names sort as the steps were taken.
"""

import errno
import hashlib
import os
import shutil
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inspection.errors import InspectionError
from inspection.runtime.pictures import now
from inspection.storage import locked

RETRAINING = Path(".state/locks/retrain.lock")
# Of the hash of a name: long enough that two files of one step never share their partial copy.
PARTIAL_DIGITS = 16
# To the millisecond, as `now` has it, and in ASCII that any file system takes.
FORMAT = "%Y-%m-%dT%H%M%S.%f"
TICK = timedelta(milliseconds=1)


def new_step(folder: Path) -> Path:
    """Where the next step is to be written: a name of the time, later than all that are there.

    After the clock was set back it is a moment later than the last one.
    """
    at = datetime.fromisoformat(now())
    for path in steps_in(folder):
        at = max(at, _time(path) + TICK)
    return folder / f"{at.isoformat(timespec='milliseconds').replace(':', '')}.json"


def last_step(folder: Path) -> Path:
    """The step that was taken last. Raises InspectionError where there is none."""
    found = steps_in(folder)
    if not found:
        raise InspectionError(f"{folder}: holds no step to take back")
    return found[-1]


def steps_in(folder: Path) -> list[Path]:
    """The steps that were taken, oldest first; what a write that was killed has left is none."""
    return sorted(path for path in folder.glob("*.json") if path.name[0] != ".")


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file; under the name of the target there is all of it or none, whatever happens.

    What a copy that was killed leaves has no name of an image, and the next attempt replaces it.
    """
    digest = hashlib.sha256(target.name.encode("utf-8")).hexdigest()
    partial = target.with_name(f".{digest[:PARTIAL_DIGITS]}.partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)


def move_whole(source: Path, target: Path) -> None:
    """Move a file, also to another file system, as `copy_whole` copies it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_whole(source, target)
        source.unlink()


def changing_data(wait_s: float = 0.0) -> AbstractContextManager[None]:
    """Hold the right to change the data. Raises InspectionError while flow `retrain` is at work.

    DVC hashes what a stage has read when the stage has ended: what came into the data meanwhile
    would count as read, and no later run would read it.
    """
    return locked(RETRAINING, holder="flow retrain", wait_s=wait_s)


def _time(step: Path) -> datetime:
    """When a step was taken, by its name."""
    text, _, _ = step.stem.partition("+")
    return datetime.strptime(text, FORMAT).replace(tzinfo=UTC)
