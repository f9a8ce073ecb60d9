"""The verdict log: what was judged, on what grounds, and what the part really was. One sqlite file.

The service writes it and anything may read it meanwhile (write-ahead log). A row that was written
survives the death of the process. Rows are added and never changed: triggers refuse it. Their order
is that in which they were added; times are only told, for a clock may be set back.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import Field

from inspection.errors import InspectionError
from inspection.line import Frozen
from inspection.runtime.detectors import Thresholds

FILE = "verdicts.db"
# No class is called so, and `POST /feedback` refuses it.
WITHDRAWN = ""
SCHEMA_VERSION = 2
# Another process holds the write lock for the milliseconds of its commit; one that holds it for
# seconds is stuck, and an answer must not wait for it.
BUSY_TIMEOUT_S = 1.0

SCHEMA = """
CREATE TABLE parts (
    request_id TEXT PRIMARY KEY, part_id TEXT, camera TEXT, taken_at TEXT,
    answered_at TEXT NOT NULL, latency_ms REAL NOT NULL,
    line TEXT NOT NULL, release TEXT NOT NULL, card_sha256 TEXT NOT NULL,
    verdict TEXT NOT NULL, label TEXT NOT NULL, worst_view TEXT NOT NULL);
CREATE INDEX parts_by_id ON parts (part_id);
CREATE INDEX parts_by_time ON parts (answered_at);
CREATE TABLE views (
    request_id TEXT NOT NULL REFERENCES parts, number INTEGER NOT NULL,
    name TEXT NOT NULL, sha256 TEXT NOT NULL,
    width_px INTEGER NOT NULL, height_px INTEGER NOT NULL,
    verdict TEXT NOT NULL, label TEXT NOT NULL,
    scores TEXT NOT NULL, thresholds TEXT NOT NULL, probabilities TEXT NOT NULL,
    regions TEXT NOT NULL, embedding TEXT NOT NULL,
    PRIMARY KEY (request_id, number));
CREATE TABLE feedback (
    number INTEGER PRIMARY KEY, given_at TEXT NOT NULL, request_id TEXT, part_id TEXT,
    label TEXT NOT NULL, reviewer TEXT NOT NULL, note TEXT NOT NULL);
CREATE INDEX feedback_by_part ON feedback (part_id);
CREATE TABLE pictures (
    sha256 TEXT PRIMARY KEY, kept_at TEXT NOT NULL, reason TEXT NOT NULL,
    n_bytes INTEGER NOT NULL);
CREATE TABLE evictions (
    number INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, kept_at TEXT NOT NULL,
    evicted_at TEXT NOT NULL, n_bytes INTEGER NOT NULL);
"""
# Made where it is missing, also in a log of before: a page that counts parts by day would else read
# all of them.
INDEXES = """
CREATE INDEX IF NOT EXISTS parts_by_day
    ON parts (line, substr(answered_at, 1, 10), release, verdict);
"""
# What logs of earlier versions lack, by the version that brought it.
ADDED = {
    2: """
ALTER TABLE views ADD COLUMN boxes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE views ADD COLUMN reasons TEXT NOT NULL DEFAULT '[]';
"""
}
# The columns of views that hold JSON.
IN_JSON = frozenset(
    {
        "scores",
        "thresholds",
        "probabilities",
        "regions",
        "embedding",
        "boxes",
        "reasons",
    }
)
APPEND_ONLY = ("parts", "views", "feedback", "evictions")
TRIGGER = """
CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table}: rows are added only'); END;
"""


class RegionLook(Frozen):
    """Where a region lies in the frame (pixels), and how it looks (see appearance.py)."""

    x_px: float
    y_px: float
    width_px: float
    height_px: float
    brightness: float
    focus: float


class LoggedBox(Frozen):
    """Where a defect was found, in pixels of the frame; `heat` is its peak, 0..1, and `found_by`
    the detector."""

    x_px: float
    y_px: float
    width_px: float
    height_px: float
    region: str
    found_by: str
    heat: float


class LoggedView(Frozen):
    """One view: its image's hash and size, and all that its verdict rests on.

    `scores`, `thresholds` are by score, `probabilities` by class, `regions` by region, one that
    was not found missing. `embedding` is the classifier's logits, then the mean raw heat of each
    defect; empty where its region was not found. `boxes` and `reasons` are empty in what was logged
    before they were kept.
    """

    name: str
    sha256: str
    width_px: int
    height_px: int
    verdict: str
    label: str
    scores: dict[str, float]
    thresholds: dict[str, Thresholds]
    probabilities: dict[str, float]
    regions: dict[str, RegionLook]
    embedding: list[float]
    boxes: list[LoggedBox] = Field(default_factory=list)
    reasons: list[str] = Field(default_factory=list)


class LoggedPart(Frozen):
    """One verdict. Times are ISO 8601: `answered_at` in UTC, `taken_at` as the client gave it."""

    request_id: str
    part_id: str | None
    camera: str | None
    taken_at: str | None
    answered_at: str
    latency_ms: float
    line: str
    release: str
    card_sha256: str
    verdict: str
    label: str
    worst_view: str
    views: list[LoggedView]


class Feedback(Frozen):
    """What a part really was, said by a person; for one request, or for all of a part.

    With the label WITHDRAWN it takes back what this reviewer said of the same at the same time.
    """

    given_at: str
    request_id: str | None
    part_id: str | None
    label: str
    reviewer: str
    note: str = ""


class DailyCount(Frozen):
    """How many parts got a verdict on one day (UTC, `2026-01-31`) from one release."""

    day: str
    release: str
    verdict: str
    n: int


class UnknownPartError(InspectionError):
    """Feedback for a part or request that the log does not know."""


class VerdictLog:
    """The log in a folder, made where there is none. Thread-safe. Raises sqlite3.Error."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE
        self._lock = threading.Lock()
        self._connection = _opened(self.path)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def record(self, part: LoggedPart) -> bool:
        """Add one verdict with its views, all or nothing; False where its request stands there."""
        row = part.model_dump(exclude={"views"})
        rows = [
            {"request_id": part.request_id, "number": number, **_flat(view)}
            for number, view in enumerate(part.views)
        ]
        with self._lock, self._connection:
            known = self._connection.execute(
                "SELECT 1 FROM parts WHERE request_id = ?", [part.request_id]
            ).fetchone()
            if known is None:
                _insert(self._connection, "parts", [row])
                _insert(self._connection, "views", rows)
        return known is None

    def add_feedback(self, feedback: Feedback) -> int:
        """Add what a person found; its number. Raises UnknownPartError."""
        column = "request_id" if feedback.request_id is not None else "part_id"
        known = f"SELECT 1 FROM parts WHERE {column} = ? LIMIT 1"
        value = getattr(feedback, column)

        with self._lock, self._connection:
            if self._connection.execute(known, [value]).fetchone() is None:
                raise UnknownPartError(f"{column}: {value!r} is in no verdict")
            return _insert(self._connection, "feedback", [feedback.model_dump()])

    def parts_of(self, part_id: str) -> list[LoggedPart]:
        """Every verdict on a part, oldest first."""
        with self._lock:
            return list(_parts(self._connection, "part_id = ?", [part_id]))

    def feedback_on(self, part_id: str) -> list[Feedback]:
        """What people said of a part or of one of its requests and stands, oldest first."""
        query = (
            "SELECT given_at, request_id, part_id, label, reviewer, note FROM feedback WHERE "
            "part_id = ?1 OR request_id IN (SELECT request_id FROM parts WHERE part_id = ?1) "
            "ORDER BY number"
        )
        with self._lock:
            rows = self._connection.execute(query, [part_id]).fetchall()
        return _standing(rows)

    def kept(self) -> list[tuple[str, int]]:
        """Hash and size of each picture that is kept, oldest first."""
        query = "SELECT sha256, n_bytes FROM pictures ORDER BY rowid"
        with self._lock:
            rows = self._connection.execute(query).fetchall()
        return [(str(row["sha256"]), int(row["n_bytes"])) for row in rows]

    def note_picture(self, sha256: str, at: str, reason: str, n_bytes: int) -> None:
        """Note that a picture is kept, and why; another process may have noted it before."""
        row = {"sha256": sha256, "kept_at": at, "reason": reason, "n_bytes": n_bytes}
        with self._lock, self._connection:
            query = "SELECT 1 FROM pictures WHERE sha256 = ?"
            if self._connection.execute(query, [sha256]).fetchone() is None:
                _insert(self._connection, "pictures", [row])

    def note_eviction(self, sha256: str, at: str) -> None:
        """Note that a picture had to make room."""
        copy = (
            "INSERT INTO evictions (sha256, kept_at, evicted_at, n_bytes) "
            "SELECT sha256, kept_at, ?, n_bytes FROM pictures WHERE sha256 = ?"
        )
        with self._lock, self._connection:
            self._connection.execute(copy, [at, sha256])
            self._connection.execute("DELETE FROM pictures WHERE sha256 = ?", [sha256])


def read_parts(
    folder: Path, *, after: str = "", since: str = ""
) -> Iterator[LoggedPart]:
    """The verdicts after that on the request `after`, oldest first; read beside the service.

    Where the log does not hold this request, those from the time `since` on (ISO 8601, UTC). Raises
    InspectionError where there is no log.
    """
    number = "SELECT rowid FROM parts WHERE request_id = ?"
    with closing(_read_only(folder)) as connection:
        row = connection.execute(number, [after]).fetchone()
        if row is not None:
            yield from _parts(connection, "rowid > ?", [row["rowid"]])
        else:
            yield from _parts(connection, "answered_at >= ?", [since])


def daily_verdicts(folder: Path, line: str, *, n_days: int) -> list[DailyCount]:
    """How many parts of a line got each verdict, by day and release, the latest day first.

    That is in the `n_days` days (UTC) up to the last on which a part was judged. Raises
    InspectionError where there is no log.
    """
    day = "substr(answered_at, 1, 10)"
    query = (
        f"SELECT {day} AS day, release, verdict, COUNT(*) AS n FROM parts WHERE line = ?1 "
        f"AND {day} > date((SELECT MAX({day}) FROM parts WHERE line = ?1), ?2) "
        f"GROUP BY {day}, release, verdict ORDER BY {day} DESC, release DESC, verdict"
    )
    with closing(_read_only(folder)) as connection:
        rows = connection.execute(query, [line, f"-{n_days} days"])
        return [DailyCount(**dict(row)) for row in rows]


def read_doubtful(folder: Path, line: str, *, at_most: int) -> list[LoggedPart]:
    """The last parts of a line that wait for a person, the latest first.

    That is what went to review, and of what people said something; only where a picture was kept.
    Raises InspectionError where there is no log.
    """
    # +line: no index, which would bring them in its own order; the last rows are read until there
    # are enough
    chosen = (
        "+line = ? AND (verdict = 'review'"
        " OR request_id IN (SELECT request_id FROM feedback WHERE request_id IS NOT NULL)"
        " OR part_id IN (SELECT part_id FROM feedback WHERE part_id IS NOT NULL))"
        " AND EXISTS (SELECT 1 FROM views JOIN pictures USING (sha256)"
        " WHERE views.request_id = parts.request_id)"
    )
    with closing(_read_only(folder)) as connection:
        values = [line, at_most]
        return list(_parts(connection, chosen, values, order="rowid DESC LIMIT ?"))


def last_request(folder: Path) -> str:
    """The request of the last verdict, '' where there is none yet.

    Raises InspectionError where there is no log.
    """
    query = "SELECT request_id FROM parts ORDER BY rowid DESC LIMIT 1"
    with closing(_read_only(folder)) as connection:
        row = connection.execute(query).fetchone()
    return "" if row is None else str(row["request_id"])


def read_feedback(folder: Path, *, since: str = "") -> list[Feedback]:
    """What people said from a time on (ISO 8601, UTC) and have not taken back, in the order in
    which they said it."""
    query = (
        "SELECT given_at, request_id, part_id, label, reviewer, note FROM feedback "
        "WHERE given_at >= ? ORDER BY number"
    )
    with closing(_read_only(folder)) as connection:
        return _standing(connection.execute(query, [since]))


def _standing(rows: Iterable[sqlite3.Row]) -> list[Feedback]:
    """The words that were not taken back; what is said again after that stands again."""
    words: dict[tuple[str, str | None, str | None, str], Feedback] = {}
    for row in rows:
        word = Feedback(**dict(row))
        key = (word.given_at, word.request_id, word.part_id, word.reviewer)
        words.pop(key, None)
        if word.label != WITHDRAWN:
            words[key] = word
    return list(words.values())


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, BUSY_TIMEOUT_S, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL: a commit survives the process at once, a power cut up to the last checkpoint
    connection.execute("PRAGMA synchronous = NORMAL")

    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            _create(connection)
        if version < SCHEMA_VERSION:
            _bring_up(connection, version)
    if version > SCHEMA_VERSION:
        connection.close()
        raise InspectionError(
            f"{path}: schema version {version}, this software writes {SCHEMA_VERSION}; move the "
            "file away, a new one is begun"
        )
    for statement in _statements(INDEXES):
        connection.execute(statement)
    return connection


def _create(connection: sqlite3.Connection) -> None:
    triggers = [
        TRIGGER.format(table=table, verb=verb)
        for table in APPEND_ONLY
        for verb in ("UPDATE", "DELETE")
    ]
    for statement in (*_statements(SCHEMA), *triggers):
        connection.execute(statement)


def _bring_up(connection: sqlite3.Connection, version: int) -> None:
    """Add what a log of this version lacks; what stands in it stays."""
    for number, added in ADDED.items():
        if number > version:
            for statement in _statements(added):
                connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _statements(text: str) -> list[str]:
    return [one for one in text.split(";") if one.strip()]


def _read_only(folder: Path) -> sqlite3.Connection:
    path = folder / FILE
    if not path.is_file():
        raise InspectionError(
            f"{path}: no verdict log; start the service, or name its folder"
        )
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", BUSY_TIMEOUT_S, uri=True
    )
    connection.row_factory = sqlite3.Row
    return connection


def _insert(
    connection: sqlite3.Connection, table: str, rows: Sequence[dict[str, Any]]
) -> int:
    number = 0
    for row in rows:
        marks = ", ".join("?" for _ in row)
        statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"
        number = connection.execute(statement, list(row.values())).lastrowid or 0
    return number


def _flat(view: LoggedView) -> dict[str, Any]:
    """The columns of a view: what is no text or number is JSON."""
    return {
        key: json.dumps(value) if isinstance(value, dict | list) else value
        for key, value in view.model_dump().items()
    }


def _parts(
    connection: sqlite3.Connection,
    where: str,
    values: Sequence[Any],
    *,
    order: str = "rowid",
) -> Iterator[LoggedPart]:
    query = f"SELECT * FROM parts WHERE {where} ORDER BY {order}"
    for row in connection.execute(query, values):
        views = connection.execute(
            "SELECT * FROM views WHERE request_id = ? ORDER BY number",
            [row["request_id"]],
        )
        yield LoggedPart(**dict(row), views=[_view(view) for view in views])


def _view(row: sqlite3.Row) -> LoggedView:
    # a log that no program of this version has opened to write lacks some
    columns = {key: row[key] for key in row.keys() if key in LoggedView.model_fields}  # noqa: SIM118
    for key in columns.keys() & IN_JSON:
        columns[key] = json.loads(columns[key])
    return LoggedView(**columns)
