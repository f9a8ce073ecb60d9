"""What a watcher or a connector has judged, and what of it is still to be sent: one sqlite file.

A verdict, the frames that it rests on and the duty to send it are written in one transaction, so
that a part is judged and told once however often the watcher is killed.
"""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection.errors import InspectionError
from pipelines.lots.arrivals import Stamp
from pipelines.lots.judging import Row

SCHEMA_VERSION = 1
# Another process writes for milliseconds; a disk that is slower than this is at fault.
BUSY_TIMEOUT_S = 10.0
SCHEMA = """
CREATE TABLE verdicts (
    number INTEGER PRIMARY KEY, part_id TEXT NOT NULL, verdict TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE, line TEXT NOT NULL,
    to_send INTEGER NOT NULL, n_failed INTEGER NOT NULL DEFAULT 0);
CREATE INDEX verdicts_by_part ON verdicts (part_id);
CREATE INDEX verdicts_to_send ON verdicts (n_failed, number) WHERE to_send;
CREATE TABLE frames (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL);
CREATE TABLE written (number INTEGER NOT NULL);
INSERT INTO written VALUES (0);
"""


@dataclass(frozen=True)
class Message:
    """A verdict that is to be sent: its line, its idempotency key, how often that has failed."""

    number: int
    key: str
    line: str
    n_failed: int


class Journal:
    """The journal in a file, made where there is none. Thread-safe."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = _opened(path)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def handled(self) -> dict[str, Stamp]:
        """The stamp of each frame when it was handled, by name."""
        query = "SELECT name, size, changed_ns FROM frames"
        with self._lock:
            rows = self._connection.execute(query).fetchall()
        return {name: (size, changed_ns) for name, size, changed_ns in rows}

    def has_verdict(self, part_id: str) -> bool:
        """Whether a part was judged; one that was only refused was not."""
        query = "SELECT 1 FROM verdicts WHERE part_id = ? AND verdict != '' LIMIT 1"
        with self._lock:
            return self._connection.execute(query, [part_id]).fetchone() is not None

    def hashes_of(self, names: Sequence[str]) -> dict[str, str]:
        """The hash that each of these frames had when it was handled; '' where it was unread."""
        query = "SELECT sha256 FROM frames WHERE name = ?"
        with self._lock:
            rows = [
                (name, self._connection.execute(query, [name]).fetchone())
                for name in names
            ]
        return {name: row[0] for name, row in rows if row is not None}

    def verdict_line(self, part_id: str, card_sha256: str) -> str | None:
        """The line of the verdict that a release, by its card, gave on a part; None without one."""
        query = (
            "SELECT line FROM verdicts WHERE part_id = ? AND verdict != '' "
            "AND json_extract(line, '$.card_sha256') = ? ORDER BY number LIMIT 1"
        )
        with self._lock:
            row = self._connection.execute(query, [part_id, card_sha256]).fetchone()
        return None if row is None else str(row[0])

    def line_of(self, key: str) -> str:
        """The line of the row that has this key. Raises KeyError."""
        query = "SELECT line FROM verdicts WHERE key = ?"
        with self._lock:
            row = self._connection.execute(query, [key]).fetchone()
        if row is None:
            raise KeyError(key)
        return str(row[0])

    def add(
        self,
        row: Row,
        stamps: Mapping[str, Stamp],
        *,
        to_send: bool,
        key: str | None = None,
    ) -> bool:
        """Add a row, all or nothing, and note its frames as handled; False where it was known.

        What it is known by is `key`, that of `key_of` unless another is given.
        """
        with self._lock, self._connection:
            key = key or key_of(row)
            number = self._next_number()
            line = json.dumps(
                {"number": number, "key": key, **row},
                ensure_ascii=False,
                sort_keys=True,
            )
            added = self._connection.execute(
                "INSERT OR IGNORE INTO verdicts (number, part_id, verdict, key, line, to_send) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [number, row["part_id"], row["verdict"], key, line, to_send],
            ).rowcount
            self._note(row, stamps)
        return bool(added)

    def note(self, row: Row, stamps: Mapping[str, Stamp]) -> None:
        """Note frames as handled that need no new row."""
        with self._lock, self._connection:
            self._note(row, stamps)

    def last_number(self) -> int:
        """The number of the last verdict, 0 where there is none."""
        with self._lock:
            return self._next_number() - 1

    def written(self) -> int:
        """The number of the last line that is known to be in the file of verdicts."""
        with self._lock:
            row = self._connection.execute("SELECT number FROM written").fetchone()
        return int(row[0])

    def mark_written(self, number: int) -> None:
        """Note that the file of verdicts holds the lines up to this one."""
        with self._lock, self._connection:
            self._connection.execute("UPDATE written SET number = ?", [number])

    def lines_after(self, number: int) -> Iterator[tuple[int, str]]:
        """Numbers and lines after this one, one at a time."""
        query = (
            "SELECT number, line FROM verdicts WHERE number > ? ORDER BY number LIMIT 1"
        )
        while True:
            with self._lock:
                row = self._connection.execute(query, [number]).fetchone()
            if row is None:
                return
            number = int(row[0])
            yield number, str(row[1])

    def to_send(self, limit: int) -> list[Message]:
        """What is still to be sent, at most so many; what has failed least comes first."""
        query = (
            "SELECT number, key, line, n_failed FROM verdicts WHERE to_send "
            "ORDER BY n_failed, number LIMIT ?"
        )
        with self._lock:
            rows = self._connection.execute(query, [limit]).fetchall()
        return [Message(*row) for row in rows]

    def n_to_send(self) -> int:
        """How many verdicts are still to be sent."""
        query = "SELECT COUNT(*) FROM verdicts WHERE to_send"
        with self._lock:
            return int(self._connection.execute(query).fetchone()[0])

    def mark_sent(self, number: int) -> None:
        """Note that the receiver has a verdict."""
        with self._lock, self._connection:
            self._connection.execute(
                "UPDATE verdicts SET to_send = 0 WHERE number = ?", [number]
            )

    def mark_failed(self, number: int) -> None:
        """Note that a verdict could not be sent this time."""
        with self._lock, self._connection:
            self._connection.execute(
                "UPDATE verdicts SET n_failed = n_failed + 1 WHERE number = ?", [number]
            )

    def _next_number(self) -> int:
        query = "SELECT COALESCE(MAX(number), 0) + 1 FROM verdicts"
        return int(self._connection.execute(query).fetchone()[0])

    def _note(self, row: Row, stamps: Mapping[str, Stamp]) -> None:
        hashes = {view["name"]: view["sha256"] for view in row["views"]}
        self._connection.executemany(
            "INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?)",
            [(name, *stamp, hashes.get(name, "")) for name, stamp in stamps.items()],
        )


def key_of(row: Row) -> str:
    """The idempotency key of a row: the hash of its part's id, its views' hashes and its error.

    Of a view that could not be read its name stands for the hash that it has none of.
    """
    views = [view["sha256"] or view["name"] for view in row["views"]]
    told = json.dumps([row["part_id"], sorted(views), row["error"]])
    return hashlib.sha256(told.encode("utf-8")).hexdigest()


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, BUSY_TIMEOUT_S, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL: a verdict that was told must be known after a power cut, or it would be told again
    connection.execute("PRAGMA synchronous = FULL")
    with connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            # one transaction: a file that is killed here is begun again
            connection.execute("BEGIN IMMEDIATE")
            for statement in filter(str.strip, SCHEMA.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    if version not in (0, SCHEMA_VERSION):
        connection.close()
        raise InspectionError(
            f"{path}: schema version {version}, this software writes {SCHEMA_VERSION}; move the "
            "file away, a new one is begun"
        )
    return connection
