"""From a message to its answer: each part judged once by a release, however often it comes.

The answer to a part that comes again is the line that it got before, to the byte, from the journal;
so it is after a `kill -9`, too. Under an id that has its verdict other pictures are told as
`late_view`: an old verdict says nothing of them.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inspection.runtime.pictures import now
from pipelines.lots.champion import Champion
from pipelines.lots.journal import Journal, key_of
from pipelines.lots.judging import LATE, Release, Row, judge, refused, said
from pipelines.lots.mqtt.message import MessageError, Reader
from pipelines.lots.part import LotPart
from pipelines.lots.record import Record, message_request

BAD_MESSAGE = "bad_message"

logger = logging.getLogger("knurl.mqtt")


@dataclass(frozen=True)
class Answering:
    """Answers messages, one after the other."""

    reader: Reader
    champion: Champion
    journal: Journal
    record: Record

    def answer(self, payload: bytes) -> bytes:
        """The line of JSON that answers a message; it is in the journal. Raises sqlite3.Error."""
        release = self.champion.now()
        try:
            part = self.reader.part(payload)
        except MessageError as error:
            return self._bad(payload, error, release)

        line = self.journal.verdict_line(part.part_id, release.card_sha256)
        if line is None:
            return self._judged(part, release)
        known: Row = json.loads(line)
        hashes = {frame.name: frame.sha256() for frame in part.frames}
        if new := _new_names(hashes, known):
            return self._late(part, release, hashes, new)
        logger.info("%s; as before", said(known))
        return line.encode("utf-8")

    def _judged(self, part: LotPart, release: Release) -> bytes:
        judged = judge(part, release)
        key = _key(judged.row)
        # before the journal: a kill repeats, and never loses
        self.record.note(judged, part.frames, message_request(key))
        logger.info("%s", said(judged.row))
        return self._noted(judged.row, key)

    def _late(
        self,
        part: LotPart,
        release: Release,
        hashes: Mapping[str, str],
        new: Sequence[str],
    ) -> bytes:
        reasons = [f"{name}: came after the part was judged" for name in new]
        row = refused(part, release, LATE, reasons, hashes)
        logger.info("%s", said(row))
        return self._noted(row, _key(row))

    def _bad(self, payload: bytes, error: MessageError, release: Release) -> bytes:
        sha256 = hashlib.sha256(payload).hexdigest()
        nameless = LotPart(error.part_id, ())
        row = refused(nameless, release, BAD_MESSAGE, error.reasons)
        logger.warning("a message of %d bytes is no part: %s", len(payload), error)
        return self._noted(row | {"message_sha256": sha256}, sha256)

    def _noted(self, row: Row, key: str) -> bytes:
        """The line of a row in the journal, which may have known it."""
        dated = row | {"answered_at": now()}
        self.journal.add(dated, {}, to_send=False, key=key)
        return self.journal.line_of(key).encode("utf-8")


def _key(row: Row) -> str:
    """The idempotency key of a row: another release judges the same pictures anew."""
    told = f"{key_of(row)} {row['card_sha256']}"
    return hashlib.sha256(told.encode("utf-8")).hexdigest()


def _new_names(hashes: Mapping[str, str], known: Row) -> list[str]:
    """The views, of a hash by name, that a verdict does not rest on.

    A file that has gone since is none: who has the verdict may clear up.
    """
    judged = {view["sha256"] for view in known["views"]}
    return [name for name, sha256 in hashes.items() if sha256 and sha256 not in judged]
