"""Parts as their frames come into a folder: which of them are there as a whole.

The folder is polled: inotify tells nothing of what another machine writes on a network share.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from inspection.errors import InspectionError
from pipelines.lots.lot import Naming, is_frame, parts_of
from pipelines.lots.part import Frame, LotPart

# Size and time of the last change (ns since 1970): what tells that a file was written to.
Stamp = tuple[int, int]


@dataclass(frozen=True)
class Arrived:
    """A part that is there as a whole, and the stamp of each of its frames by name."""

    part: LotPart
    stamps: Mapping[str, Stamp]


@dataclass
class _Seen:
    """A file as it was at the last look, and since when it is so (s, of time.monotonic)."""

    part: LotPart
    stamp: Stamp
    since_s: float


class Arrivals:
    """The frames below a folder. A part is there as a whole when for `settle_s` no file of it has
    come or changed.

    Without a rule for names each frame is a part. Raises InspectionError for a rule by which a
    part is never known to be whole.
    """

    def __init__(self, folder: Path, naming: Naming | None, settle_s: float) -> None:
        if naming is not None and naming.part_from.rule == "consecutive":
            raise InspectionError(
                "validate.part_from: rule consecutive joins a frame to those before and after it, "
                "so that no part is ever known to be whole; give --part-per-file"
            )
        self._folder = folder
        self._naming = naming
        self._settle_s = settle_s
        self._seen: dict[str, _Seen] = {}
        self.ignored: set[str] = set()

    def look(self, at_s: float, handled: Mapping[str, Stamp]) -> list[Arrived]:
        """The parts that are whole at `at_s` and have a frame that is not as it was handled."""
        self._note(at_s)
        waiting = {
            self._key(name)
            for name, seen in self._seen.items()
            if handled.get(name) != seen.stamp
        }
        if not waiting:
            return []

        frames: dict[str, list[str]] = {key: [] for key in sorted(waiting)}
        for name in sorted(self._seen):
            if self._key(name) in frames:
                frames[self._key(name)].append(name)
        return [
            self._arrived(names)
            for names in frames.values()
            if all(at_s - self._seen[one].since_s >= self._settle_s for one in names)
        ]

    def n_waiting(self, handled: Mapping[str, Stamp]) -> int:
        """How many frames of the last look are not as they were handled."""
        return sum(handled.get(name) != one.stamp for name, one in self._seen.items())

    def _note(self, at_s: float) -> None:
        """Take note of what has come, changed or gone since the last look. Raises OSError."""
        there: dict[str, _Seen] = {}
        for path in _files(self._folder):
            name = _name(path, self._folder)
            before = self._seen.get(name)
            if before is None and not self._is_frame(name, path):
                continue
            stamp = _stamp(path)
            if stamp is None:
                continue
            if before is not None and before.stamp == stamp:
                there[name] = before
            else:
                (part,) = parts_of([Frame(name, Path(path))], self._naming)
                there[name] = _Seen(part, stamp, at_s)
        self._seen = there

    def _is_frame(self, name: str, path: str) -> bool:
        """Whether a file is a frame; one that is none, and not hidden, is noted."""
        if name in self.ignored:
            return False
        is_one = is_frame(PurePath(name))
        if not is_one and not os.path.basename(path).startswith("."):
            self.ignored.add(name)
        return is_one

    def _key(self, name: str) -> str:
        """What the frames of one part have in common; a frame without a part is alone."""
        part = self._seen[name].part
        return f"part {part.part_id}" if part.part_id else f"frame {name}"

    def _arrived(self, names: list[str]) -> Arrived:
        parts = [self._seen[name].part for name in names]
        frames = tuple(part.frames[0] for part in parts)
        first = parts[0]
        whole = LotPart(first.part_id, frames, first.error, first.reason)
        return Arrived(whole, {name: self._seen[name].stamp for name in names})


def _files(folder: Path) -> Iterator[str]:
    """The paths of all files below a folder, as text: a path object for each costs ten times that.

    Raises OSError where a folder cannot be read: what is in it has not gone.
    """

    def stop(error: OSError) -> None:
        raise error

    for inner, _, names in os.walk(folder, onerror=stop):
        for name in names:
            yield os.path.join(inner, name)


def _name(path: str, folder: Path) -> str:
    """What a file is called in verdicts."""
    name = path[len(os.path.join(folder, "")) :]
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def _stamp(path: str) -> Stamp | None:
    """The stamp of a file; None for what is no file, or gone since the folder was listed."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_size, found.st_mtime_ns
