"""The lines that one service serves: that of the root, and those of a folder by their names.

A line that is made while the service runs is taken up by itself. One is never dropped before the
service ends: its last good release goes on, as of any line.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from inspection.plant import lines_in
from serving.champion import Champion
from serving.plant.line import LineAtWork
from serving.refusals import RefusedError

# A line that is new has trained for minutes; to list a folder costs some 20 us.
LOOK_S = 2.0


class Lines:
    """Thread-safe. `start` begins to follow the champions, and to look for new lines."""

    def __init__(
        self,
        root: LineAtWork,
        folder: Path | None = None,
        make: Callable[[str, Path], LineAtWork] | None = None,
    ) -> None:
        self._root = root
        self._folder = folder
        self._make = make
        self._others: dict[str, LineAtWork] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Load every champion. Raises InspectionError where the root's line is the only one, and
        has none; a line among several waits for its champion."""
        self.look()
        _start(self._root, required=not self._others)
        self._stopping.clear()
        if self._folder is not None:
            self._thread = threading.Thread(
                target=self._follow, name="lines", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Follow no more, and close the logs."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        for line in self:
            if isinstance(line.champion, Champion):
                line.champion.stop()
            if line.recorder is not None:
                line.recorder.close()

    def look(self) -> None:
        """Take up the lines that are new in the folder."""
        if self._folder is None or self._make is None:
            return
        for name, folder in lines_in(self._folder).items():
            if name not in self._others:
                line = self._make(name, folder)
                _start(line, required=False)
                # one assignment: a request sees the line whole or not at all
                self._others = self._others | {name: line}

    def __iter__(self) -> Iterator[LineAtWork]:
        """The root's line, then the others by name."""
        others = self._others
        yield self._root
        yield from (others[name] for name in sorted(others))

    @property
    def are_followed(self) -> bool:
        """Whether no thread that follows a champion, or the folder, has died."""
        followed = [line.champion.state().following for line in self]
        if self._folder is not None:
            followed.append(self._thread is not None and self._thread.is_alive())
        return all(followed)

    def named(self, name: str | None) -> LineAtWork:
        """A line by its name in a path, None for the root's. Raises RefusedError."""
        if name is None:
            return self._root
        if name not in self._others:
            raise RefusedError(
                404, "unknown_line", f"line: {name[:80]!r} is none; see /lines"
            )
        return self._others[name]

    def _follow(self) -> None:
        while not self._stopping.wait(LOOK_S):
            self.look()


def _start(line: LineAtWork, *, required: bool) -> None:
    if isinstance(line.champion, Champion):
        line.champion.start(required=required)
