"""The file of verdicts, a JSON line each: every line of the journal, once, in its order."""

import json
import os
from pathlib import Path

from inspection.errors import InspectionError
from pipelines.lots.journal import Journal

# What is read of the file's end to find the last line; far more than the longest one.
TAIL_BYTES = 2**22


class VerdictLines:
    """Follows the journal with a file that others read. Raises InspectionError for another's file.

    A line that a kill has cut off is written again. A file that somebody has moved away is begun
    anew with the next verdict, not with the first.
    """

    def __init__(self, path: Path, journal: Journal) -> None:
        self._path = path
        self._journal = journal
        path.parent.mkdir(parents=True, exist_ok=True)
        self._last = self._last_number()

    def catch_up(self) -> None:
        """Add what the journal has and the file has not."""
        for number, line in self._journal.lines_after(self._last):
            with self._path.open("ab") as file:
                file.write(line.encode("utf-8") + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self._last = number
            self._journal.mark_written(number)

    def _last_number(self) -> int:
        """The number of the last whole line; a part of a line behind it is cut off."""
        if not self._path.is_file():
            return self._journal.written()

        with self._path.open("r+b") as file:
            begin = max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES)
            file.seek(begin)
            tail = file.read()
            whole = tail[: tail.rfind(b"\n") + 1]
            last = self._checked(whole)
            # once the file is known to be ours
            file.truncate(begin + len(whole))
        return last

    def _checked(self, whole: bytes) -> int:
        """The number of the last of these lines. Raises InspectionError where it has none."""
        lines = whole.splitlines()
        if not lines:
            return self._journal.written()

        try:
            last = int(json.loads(lines[-1])["number"])
        except (ValueError, TypeError, KeyError):
            last = -1
        if not 0 < last <= self._journal.last_number():
            raise InspectionError(
                f"{self._path}: ends with no verdict of this watcher; give another --out"
            )
        return last
