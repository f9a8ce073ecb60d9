"""Which pictures are kept beside the verdict log, and which make room where there is no more.

Kept are all pictures of parts that were not passed, and a share of the passed ones: these show
drift, and what an escape looked like. The file is the upload, byte by byte, named by its hash.
"""

from datetime import UTC, datetime
from pathlib import Path

from inspection.runtime.verdict_log import VerdictLog
from inspection.runtime.views import View

FOLDER = "pictures"


def picture_path(folder: Path, sha256: str) -> Path:
    """Where the picture of this hash lies in the folder of the log, if it is kept."""
    # 256 folders: a hundred thousand files in one make some file systems and most people slow
    return folder / FOLDER / sha256[:2] / sha256


def drawn(sha256: str, fraction: float) -> bool:
    """Whether the picture of this hash is among a share of all, the same ones at every time.

    >>> drawn("00" * 32, 0.01), drawn("ff" * 32, 0.99)
    (True, False)
    """
    return int(sha256[:8], 16) < fraction * 2**32


class Pictures:
    """The pictures in the folder of a log: at most `max_bytes` of them, the oldest leave first."""

    def __init__(
        self, folder: Path, log: VerdictLog, *, pass_fraction: float, max_bytes: int
    ) -> None:
        self._folder = folder
        self._log = log
        self._pass_fraction = pass_fraction
        self._max_bytes = max_bytes
        # hashes and sizes in the order of keeping, which is the order of a dict
        self._kept = dict(log.kept())
        self._n_bytes = sum(self._kept.values())
        self.n_evicted = 0

    def wants(self, verdict: str, sha256: str) -> bool:
        """Whether the picture of a part with this verdict is to be kept, and is not yet."""
        is_one = verdict != "pass" or drawn(sha256, self._pass_fraction)
        return is_one and sha256 not in self._kept

    def keep(self, verdict: str, sha256: str, view: View) -> bool:
        """Keep a view's picture if the policy says so. Raises OSError, sqlite3.Error."""
        n_bytes = len(view.content)
        if not self.wants(verdict, sha256) or n_bytes > self._max_bytes:
            return False

        self._make_room(n_bytes)
        _write(picture_path(self._folder, sha256), view.content)
        self._log.note_picture(sha256, now(), verdict, n_bytes)
        self._kept[sha256] = n_bytes
        self._n_bytes += n_bytes
        return True

    def _make_room(self, n_bytes: int) -> None:
        while self._kept and self._n_bytes + n_bytes > self._max_bytes:
            oldest = next(iter(self._kept))
            picture_path(self._folder, oldest).unlink(missing_ok=True)
            self._log.note_eviction(oldest, now())
            self._n_bytes -= self._kept.pop(oldest)
            self.n_evicted += 1


def _write(path: Path, content: bytes) -> None:
    """Write the whole file or none; it is not synced, for a picture is not worth waiting 10 ms."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def now() -> str:
    """The time in UTC as ISO 8601 to the millisecond, so that texts sort as times do."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
