"""Decisions about labels and boxes, and the tables of reviews that follow from them.

The journal is the truth. The tables are made anew from it after each decision, under a lock, so
that a process killed in between loses nothing and two people at once do not overwrite each other.
Rows that came into a table by hand, or by `pipelines.take_feedback`, count as decisions of the
reviewers that they name.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from dashboard.review.boxes import BoxTable
from dashboard.review.decisions import (
    BOXES,
    Decision,
    Vote,
    append_lines,
    last_of,
    read_journal,
    standing,
)
from dashboard.review.labels import VAGUE, LabelTable
from dashboard.review.tables import Row, Table, by_hand, read_rows, text_of, wanted_rows
from inspection.boxes import LabelledBox, boxes_cell
from inspection.curation.box_reviews import fault
from inspection.curation.reviews import EXCLUDED
from inspection.errors import InspectionError, raise_all
from inspection.line import Line
from inspection.runtime.pictures import now
from inspection.storage import locked, plain_cell, write_text

# Another writer holds the lock for the milliseconds of a write; one that holds it longer is stuck.
WAIT_S = 10.0
HOLDER = "another writer of reviews/"


@dataclass(frozen=True)
class Places:
    """Where the journal, the tables, and the lock that all writers of the tables take lie."""

    journal: Path = Path("reviews/decisions.jsonl")
    labels: Path = Path("reviews/labels.csv")
    boxes: Path = Path("reviews/boxes.csv")
    lock: Path = Path(".state/locks/take_feedback.lock")


class Journal:
    """Decisions about the images of a line. Several processes and threads may hold one each."""

    def __init__(self, line: Line, known: Collection[str], places: Places) -> None:
        """`known` are the hashes of the images in the data: the tables hold no others."""
        self.known = frozenset(known)
        self._line = line
        self._places = places
        self._tables: dict[Path, Table] = {
            places.labels: LabelTable(line),
            places.boxes: BoxTable(line),
        }

    def votes(self) -> list[Vote]:
        """What each reviewer says of each image, those by hand included."""
        lines = read_journal(self._places.journal)
        return standing([*lines, *self._by_hand(lines)])

    def decisions(self) -> list[Decision]:
        """The lines of the journal, oldest first."""
        return read_journal(self._places.journal)

    def locked(self) -> AbstractContextManager[None]:
        """Nobody else decides within."""
        return locked(self._places.lock, HOLDER, WAIT_S)

    def decide(
        self,
        image_sha256: str,
        answer: str,
        reviewer: str,
        note: str = "",
        request_id: str = "",
    ) -> None:
        """Add a decision about a label; on the disk when this returns. Raises InspectionError.

        `request_id` names the verdict where the picture is the service's.
        """
        if answer not in (*self._line.classes, EXCLUDED, VAGUE):
            classes = ", ".join(self._line.classes)
            raise InspectionError(
                f"answer: {answer!r} is none; use one of {classes}, "
                f"{EXCLUDED} or {VAGUE}"
            )
        vote = Vote(image_sha256, answer, _name(reviewer), _note(note))
        self._write(vote, request_id)

    def draw(
        self,
        image_sha256: str,
        boxes: Sequence[LabelledBox],
        size_px: tuple[int, int],
        reviewer: str,
        note: str = "",
    ) -> None:
        """Add a decision about all boxes of a frame of (width, height); none says there is none.

        On the disk when this returns. Raises InspectionError.
        """
        faults = [fault(one, size_px, self._line) for one in boxes]
        raise_all(f"boxes: {problem}" for problem in faults if problem)

        drawn = boxes_cell(boxes)
        self._write(Vote(image_sha256, drawn, _name(reviewer), _note(note), BOXES))

    def undo(self, reviewer: str) -> str:
        """Take back the reviewer's last decision; the image that it was about, '' without one.

        Raises InspectionError where what was decided is in the data already.
        """
        name = _name(reviewer)
        with self.locked():
            lines = read_journal(self._places.journal)
            last = last_of(lines, name)
            if last is None:
                return ""
            self._require_not_taken(last)
            taken = Vote(last.image_sha256, "", name, "", last.about)
            self._append(lines, [_decision(taken, undoes=last.number)])
            self._save_tables()
        return last.image_sha256

    def sync(self) -> None:
        """Make the tables as the journal has them, where a killed process left them behind."""
        with self.locked():
            self._save_tables()

    def _write(self, new: Vote, request_id: str = "") -> None:
        with self.locked():
            lines = read_journal(self._places.journal)
            # what stands in a table of this image comes first: the new word is the last one
            subject = (new.image_sha256, new.about)
            earlier = []
            for one in self._by_hand(lines):
                if (one.image_sha256, one.about) == subject:
                    earlier.append(one)
            decision = replace(_decision(new), request_id=request_id)
            self._append(lines, [*earlier, decision])
            self._save_tables()

    def _require_not_taken(self, last: Decision) -> None:
        """Refuse to take back what `take_feedback` has made of a picture since the last run."""
        if not last.request_id or last.image_sha256 in self.known:
            return
        rows = read_rows(self._places.labels, LabelTable.columns)
        if any(row[0] == last.image_sha256 for row in rows):
            raise InspectionError(
                f"undo: the picture is in the data since ({self._places.labels} has its row); "
                "run `dvc repro` and decide anew, or take all of the last step back by "
                "`python -m pipelines.take_feedback --undo`"
            )

    def _append(self, lines: Sequence[Decision], new: Sequence[Decision]) -> None:
        """Add decisions with one write, numbered, and wait until they are on the disk."""
        if not new:
            return

        first = 1 + max((one.number for one in lines), default=0)
        texts = []
        for number, one in enumerate(new, start=first):
            numbered = replace(one, number=number)
            texts.append(numbered.line())
        append_lines(self._places.journal, texts)

    def _by_hand(self, lines: Sequence[Decision]) -> list[Decision]:
        """The rows that the journal has never known, as decisions without a number."""
        found = []
        for path, table in self._tables.items():
            rows = read_rows(path, table.columns)
            for vote in by_hand(lines, rows, table):
                found.append(_decision(vote))
        return found

    def _save_tables(self) -> None:
        """Write the tables where they differ from what the journal says.

        Rows by hand about images of the journal enter it first; of others they stay as they are.
        """
        lines = read_journal(self._places.journal)
        touched = {(one.image_sha256, one.about) for one in lines}
        added = []
        for one in self._by_hand(lines):
            if (one.image_sha256, one.about) in touched:
                added.append(one)
        self._append(lines, added)

        lines = read_journal(self._places.journal)
        for path, table in self._tables.items():
            rows: list[Row] = read_rows(path, table.columns)
            wanted = wanted_rows(lines, rows, self.known, table)
            if wanted != rows:
                write_text(path, text_of(wanted, table.columns))


def _decision(vote: Vote, undoes: int | None = None) -> Decision:
    """What becomes a line, before it has a number."""
    return Decision(
        number=0,
        at=now(),
        image_sha256=vote.image_sha256,
        answer=vote.answer,
        reviewer=vote.reviewer,
        note=vote.note,
        undoes=undoes,
        about=vote.about,
    )


def _name(reviewer: str) -> str:
    """A reviewer's name without spare blanks. Raises InspectionError where there is none."""
    name = " ".join(reviewer.split())
    if not name:
        raise InspectionError("reviewer: no name is given; say who decides")
    return str(plain_cell(name))


def _note(note: str) -> str:
    return str(plain_cell(note.strip()))
