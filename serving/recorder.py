"""Logs every verdict and keeps pictures; a failure costs the record, never the answer."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from inspection.errors import InspectionError
from inspection.runtime.bundle import Card
from inspection.runtime.pictures import Pictures, now
from inspection.runtime.recording import KeepingPolicy, logged_views, open_log
from inspection.runtime.verdict_log import (
    Feedback,
    LoggedPart,
    UnknownPartError,
    VerdictLog,
)
from inspection.runtime.views import View
from serving.answers import Inspected, PartAnswer
from serving.forms import PartUpload
from serving.refusals import RefusedError

logger = logging.getLogger("knurl.recorder")
Result = TypeVar("Result")


@dataclass(frozen=True)
class RecorderState:
    """What can be told of the log: what is wrong now, if anything, and counts since the start."""

    problem: str
    n_failed: int
    n_evicted: int


class Recorder:
    """The verdict log in a folder. Thread-safe; the log is opened when it is first needed."""

    def __init__(self, folder: Path, policy: KeepingPolicy) -> None:
        self._folder = folder
        self._policy = policy
        self._lock = threading.Lock()
        self._log: VerdictLog | None = None
        self._pictures: Pictures | None = None
        self._problem = ""
        self._n_failed = 0

    def record(self, part: LoggedPart, views: Sequence[View]) -> None:
        """Log one verdict and keep its pictures. A disk that fails costs the record only."""
        try:
            with self._lock:
                log, pictures = self._opened()
                log.record(part)
                for logged, view in zip(part.views, views, strict=True):
                    pictures.keep(part.verdict, logged.sha256, view)
        except (sqlite3.Error, OSError, InspectionError) as error:
            self._note(f"{self._folder}: {error}")
        else:
            self._problem = ""

    def add_feedback(self, feedback: Feedback) -> int:
        """Add what a person found; its number. Raises RefusedError: 404, or 503 without a log."""
        try:
            return self._asked(lambda log: log.add_feedback(feedback))
        except UnknownPartError as error:
            raise RefusedError(
                404,
                "unknown_part",
                f"{error}; give the id of an inspected part or request",
            ) from error

    def trace(self, part_id: str) -> tuple[list[LoggedPart], list[Feedback]]:
        """Every verdict on a part and what people said of it. Raises RefusedError."""
        parts = self._asked(lambda log: log.parts_of(part_id))
        if not parts:
            raise RefusedError(
                404, "unknown_part", f"part_id: {part_id[:80]!r} is in no verdict"
            )
        return parts, self._asked(lambda log: log.feedback_on(part_id))

    def state(self) -> RecorderState:
        """How the log fares."""
        n_evicted = self._pictures.n_evicted if self._pictures else 0
        return RecorderState(self._problem, self._n_failed, n_evicted)

    def close(self) -> None:
        """Close the log."""
        with self._lock:
            if self._log is not None:
                self._log.close()
            self._log = self._pictures = None

    def _opened(self) -> tuple[VerdictLog, Pictures]:
        if self._log is None or self._pictures is None:
            self._log, self._pictures = open_log(self._folder, self._policy)
        return self._log, self._pictures

    def _asked(self, ask: Callable[[VerdictLog], Result]) -> Result:
        try:
            with self._lock:
                return ask(self._opened()[0])
        except (sqlite3.Error, OSError) as error:
            self._note(f"{self._folder}: {error}")
            raise RefusedError(
                503, "no_log", "the verdict log cannot be used now; see /readyz"
            ) from error

    def _note(self, problem: str) -> None:
        self._n_failed += 1
        if problem != self._problem:
            # once, not with every part: the disk may be full
            logger.error("a verdict was answered and not logged: %s", problem)
        self._problem = problem


def logged_part(
    answer: PartAnswer,
    found: Inspected,
    upload: PartUpload,
    card: Card,
    *,
    latency_ms: float,
) -> LoggedPart:
    """What the log keeps of an answer."""
    return LoggedPart(
        request_id=answer.request_id,
        part_id=upload.part_id,
        camera=upload.camera,
        taken_at=upload.taken_at,
        answered_at=now(),
        latency_ms=latency_ms,
        line=answer.model.line,
        release=answer.model.release,
        card_sha256=answer.model.card_sha256,
        verdict=answer.verdict,
        label=answer.label,
        worst_view=answer.worst_view,
        views=logged_views(found.seen, found.part, card),
    )
