"""Verdicts on lots, folders and messages in the verdict log, like those of the service.

They are rows of the same table, so that drift is watched, feedback is given and doubtful pictures
come to the review desk whoever judged. A part stands in it once, however often its run was killed:
its number is made of what was judged, and by which release.
"""

import hashlib
import logging
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from inspection.errors import InspectionError
from inspection.runtime.pictures import Pictures, now
from inspection.runtime.recording import keeping_policy, open_log, verdicts_folder
from inspection.runtime.verdict_log import LoggedPart, VerdictLog
from inspection.runtime.views import View
from pipelines.lots.judging import Judged
from pipelines.lots.part import Frame

# Hex digits of a hash: of some thousand lots of a plant no two share twelve.
DIGITS = 12

logger = logging.getLogger("knurl.record")


class Record:
    """The verdict log that the environment names. A failure costs the record, never the verdict."""

    def __init__(self, variables: Mapping[str, str] = os.environ) -> None:
        self._folder = Path(verdicts_folder(variables))
        self._policy = keeping_policy(variables)
        self._log: VerdictLog | None = None
        self._pictures: Pictures | None = None
        self._problem = ""

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()

    def note(self, judged: Judged, frames: Sequence[Frame], request_id: str) -> None:
        """Log a verdict once, and keep its pictures by the policy; a part without one is not."""
        if not judged.views:
            return
        try:
            log, pictures = self._opened()
            log.record(_logged(judged, request_id))
            for frame, view in zip(frames, judged.views, strict=True):
                _keep(pictures, judged.row["verdict"], frame, view.sha256)
        except (sqlite3.Error, OSError, InspectionError) as error:
            if str(error) != self._problem:
                # once, not with every part: the disk may be full
                logger.warning("a verdict is not logged: %s: %s", self._folder, error)
            self._problem = str(error)

    def _opened(self) -> tuple[VerdictLog, Pictures]:
        if self._log is None or self._pictures is None:
            self._log, self._pictures = open_log(self._folder, self._policy)
        return self._log, self._pictures


def lot_request(lot_sha256: str, card_sha256: str, number: int) -> str:
    """The number of a part of a lot as a release judges it; what is before the dot is the lot's.

    >>> lot_request("ab" * 32, "cd" * 32, 7)
    'lot-abababababab-cdcdcdcdcdcd.7'
    """
    return f"lot-{lot_sha256[:DIGITS]}-{card_sha256[:DIGITS]}.{number}"


def folder_request(key: str) -> str:
    """The number of a part that came into a folder, by its idempotency key."""
    return f"folder-{key[: 2 * DIGITS]}"


def message_request(key: str) -> str:
    """The number of a part that came as a message, by its idempotency key."""
    return f"mqtt-{key[: 2 * DIGITS]}"


def _logged(judged: Judged, request_id: str) -> LoggedPart:
    row = judged.row
    return LoggedPart(
        request_id=request_id,
        part_id=row["part_id"],
        camera=judged.camera,
        taken_at=judged.taken_at,
        answered_at=now(),
        latency_ms=judged.latency_ms,
        line=judged.line,
        release=row["release"],
        card_sha256=row["card_sha256"],
        verdict=row["verdict"],
        label=row["label"],
        worst_view=row["worst_view"],
        views=list(judged.views),
    )


def _keep(pictures: Pictures, verdict: str, frame: Frame, sha256: str) -> None:
    """Keep a frame as it was judged; one that has changed or gone since is not there to keep."""
    if not pictures.wants(verdict, sha256):
        return
    try:
        content = frame.read()
    except FileNotFoundError:
        return
    if hashlib.sha256(content).hexdigest() == sha256:
        pictures.keep(verdict, sha256, View(frame.name, content))
