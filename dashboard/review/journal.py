"""The journal of decisions about labels, and the rows of reviews/labels.csv that follow from it.

The journal is the truth: one line of JSON per decision, added and never changed. The table is made
anew from it after each, under a lock, so that a process killed in between loses nothing and two
people at once do not overwrite each other. Rows that came into the table by hand, or by
`pipelines.take_feedback`, count as decisions of the reviewers that they name.
"""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from inspection.curation.reviews import EXCLUDED, REVIEW_COLUMNS
from inspection.errors import InspectionError
from inspection.line import Line, fold_name
from inspection.runtime.pictures import now
from inspection.storage import locked, plain_cell, write_text
from inspection.texts import read_text

# An answer beside the classes and EXCLUDED: nobody can tell from this picture.
VAGUE = "vague"
# Vague answers that leave a view out: one person may lack practice, two agree that it is the view.
MIN_VAGUE = 2
# Another writer holds the lock for the milliseconds of a write; one that holds it longer is stuck.
WAIT_S = 10.0
HOLDER = "another writer of reviews/labels.csv"

# The reviewer of a row that names none.
BY_HAND = "unnamed"

Row = tuple[str, str, str, str]


@dataclass(frozen=True)
class Places:
    """Where the journal, the table, and the lock that all writers of the table take lie."""

    journal: Path = Path("reviews/decisions.jsonl")
    table: Path = Path("reviews/labels.csv")
    lock: Path = Path(".state/locks/take_feedback.lock")


@dataclass(frozen=True)
class Decision:
    """A line of the journal: what a reviewer says of an image, or which line is taken back.

    `answer` is a class, EXCLUDED, or VAGUE; empty where the line `undoes` another, by its number.
    """

    number: int
    at: str
    image_sha256: str
    answer: str
    reviewer: str
    note: str
    undoes: int | None = None


@dataclass(frozen=True)
class Vote:
    """What a reviewer says of an image as it stands."""

    image_sha256: str
    answer: str
    reviewer: str
    note: str


class Journal:
    """Decisions about the images of a line. Several processes and threads may hold one each."""

    def __init__(self, line: Line, known: Collection[str], places: Places) -> None:
        """`known` are the hashes of the images in the data: the table holds no others."""
        self._line = line
        self._known = frozenset(known)
        self._places = places

    def votes(self) -> list[Vote]:
        """What each reviewer says of each image, those by hand included."""
        lines = read_journal(self._places.journal)
        added = self._by_hand(lines, self._rows())
        return standing([*lines, *added])

    def decide(
        self, image_sha256: str, answer: str, reviewer: str, note: str = ""
    ) -> None:
        """Add a decision; on the disk when this returns. Raises InspectionError."""
        if answer not in (*self._line.classes, EXCLUDED, VAGUE):
            raise InspectionError(
                f"answer: {answer!r} is none; use one of {', '.join(self._line.classes)}, "
                f"{EXCLUDED} or {VAGUE}"
            )
        new = _Said(image_sha256, answer, _name(reviewer), plain_cell(note.strip()))
        self._write(new)

    def undo(self, reviewer: str) -> str:
        """Take back the reviewer's last decision; the image that it was about, '' without one."""
        name = _name(reviewer)
        with self._locked():
            lines = read_journal(self._places.journal)
            last = _last_of(lines, name)
            if last is None:
                return ""
            self._append(lines, [_Said(last.image_sha256, "", name, "", last.number)])
            self._save_table()
        return last.image_sha256

    def sync(self) -> None:
        """Make the table as the journal has it, where a killed process left it behind."""
        with self._locked():
            self._save_table()

    def _write(self, new: "_Said") -> None:
        with self._locked():
            lines = read_journal(self._places.journal)
            rows = self._rows()
            # what stands in the table of this image comes first: the new word is the last one
            earlier = [
                _Said.of(one)
                for one in self._by_hand(lines, rows)
                if one.image_sha256 == new.image_sha256
            ]
            self._append(lines, [*earlier, new])
            self._save_table()

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._places.lock, HOLDER, WAIT_S)

    def _append(self, lines: Sequence[Decision], said: Sequence["_Said"]) -> None:
        """Add lines with one write, and wait until they are on the disk."""
        if not said:
            return
        first = 1 + max((one.number for one in lines), default=0)
        texts = [one.line(first + offset) for offset, one in enumerate(said)]
        append_lines(self._places.journal, texts)

    def _rows(self) -> list[Row]:
        return read_rows(self._places.table)

    def _by_hand(
        self, lines: Sequence[Decision], rows: Sequence[Row]
    ) -> list[Decision]:
        """The rows that the journal has never known, as decisions without a number."""
        said = {_key(one) for one in lines}
        answers = {**self._line.class_by_alias, EXCLUDED: EXCLUDED}
        found = []
        for sha256, label, reviewer, note in rows:
            answer = answers.get(fold_name(label), label)
            one = Decision(0, now(), sha256, answer, reviewer or BY_HAND, note)
            if _key(one) not in said:
                found.append(one)
        return found

    def _save_table(self) -> None:
        """Write the table where it differs from what the journal says.

        Rows by hand about images of the journal enter it first; of others they stay as they are.
        """
        lines = read_journal(self._places.journal)
        rows = self._rows()
        touched = {one.image_sha256 for one in lines}
        added = self._by_hand(lines, rows)
        self._append(
            lines, [_Said.of(one) for one in added if one.image_sha256 in touched]
        )

        lines = read_journal(self._places.journal)
        wanted = table_rows(lines, rows, self._known)
        if wanted != rows:
            write_text(self._places.table, _csv([REVIEW_COLUMNS, *wanted]))


def read_journal(path: Path) -> list[Decision]:
    """The decisions, oldest first; a last line that a power cut tore is left out.

    Raises InspectionError where any other line is none.
    """
    if not path.exists():
        return []
    found = []
    lines = path.read_bytes().split(b"\n")
    for place, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            found.append(Decision(**json.loads(text)))
        except (ValueError, TypeError) as error:
            # what was torn was never confirmed to anybody, and the next line begins a new one
            if not text.endswith(b"}"):
                continue
            raise InspectionError(
                f"{path}: line {place} is no decision ({error}); take this line out"
            ) from error
    return found


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a file by one write and sync it; a torn last line is ended first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in lines).encode("utf-8")
    with path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            is_torn = file.read(1) != b"\n"
            text = b"\n" + text if is_torn else text
        os.write(file.fileno(), text)
        os.fsync(file.fileno())


def standing(lines: Sequence[Decision]) -> list[Vote]:
    """The last decision of each reviewer on each image that was not taken back."""
    undone = {one.undoes for one in lines if one.undoes is not None}
    votes: dict[tuple[str, str], Vote] = {}
    for one in lines:
        is_undone = one.number != 0 and one.number in undone
        if one.undoes is not None or is_undone:
            continue
        key = (one.image_sha256, one.reviewer.casefold())
        votes[key] = Vote(one.image_sha256, one.answer, one.reviewer, one.note)
    return list(votes.values())


def settled(votes: Sequence[Vote]) -> str:
    """The answer that most reviewers of one image gave; '' without one, and where others tie.

    VAGUE stands for itself only where two or more say so: else another person is asked.
    """
    counts = Counter(vote.answer for vote in votes).most_common()
    if not counts:
        return ""
    answer, n = counts[0]
    is_tied = len(counts) > 1 and counts[1][1] == n
    if is_tied or (answer == VAGUE and n < MIN_VAGUE):
        return ""
    return answer


def table_rows(
    lines: Sequence[Decision], rows: Sequence[Row], known: Collection[str]
) -> list[Row]:
    """The rows of the table: what others wrote, then what is settled, a row for each who agrees.

    A vague view is left out. Images that the data do not hold are named in no row.
    """
    decided = {one.image_sha256 for one in lines if one.image_sha256 in known}
    others = [row for row in rows if row[0] not in decided]

    by_image: dict[str, list[Vote]] = {}
    for vote in standing(lines):
        by_image.setdefault(vote.image_sha256, []).append(vote)

    made: list[Row] = []
    order = dict.fromkeys(one.image_sha256 for one in lines)
    for sha256 in order:
        votes = by_image.get(sha256, [])
        answer = settled(votes) if sha256 in decided else ""
        made += [_row(vote) for vote in votes if answer and vote.answer == answer]
    return [*others, *made]


def read_rows(path: Path) -> list[Row]:
    """The rows of the table. Raises InspectionError where it is another."""
    header = ",".join(REVIEW_COLUMNS)
    if not path.is_file():
        raise InspectionError(
            f"{path}: not found; make it with the one line {header!r}"
        )
    table = list(csv.reader(io.StringIO(read_text(path))))
    if not table or tuple(table[0]) != REVIEW_COLUMNS:
        raise InspectionError(
            f"{path}: the columns are {table[:1]}; they should be {header!r}"
        )
    rows = [tuple(row) for row in table[1:] if row]
    odd = [row for row in rows if len(row) != len(REVIEW_COLUMNS)]
    if odd:
        raise InspectionError(
            f"{path}: {odd[0]} has {len(odd[0])} fields; put text that has commas in quotes"
        )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


@dataclass(frozen=True)
class _Said:
    """What becomes a line, before it has a number."""

    image_sha256: str
    answer: str
    reviewer: str
    note: str
    undoes: int | None = None

    @classmethod
    def of(cls, one: Decision) -> "_Said":
        return cls(one.image_sha256, one.answer, one.reviewer, one.note)

    def line(self, number: int) -> str:
        entry = {"number": number, "at": now(), **self.__dict__}
        return json.dumps(entry, ensure_ascii=False)


def _row(vote: Vote) -> Row:
    if vote.answer != VAGUE:
        return vote.image_sha256, vote.answer, vote.reviewer, vote.note
    note = f"{VAGUE}: {vote.note}" if vote.note else VAGUE
    return vote.image_sha256, EXCLUDED, vote.reviewer, note


def _key(one: Decision) -> Row:
    """A decision as its row would read, so that a row that came from it is recognised."""
    vote = Vote(one.image_sha256, one.answer, one.reviewer, one.note)
    return _row(vote)


def _last_of(lines: Sequence[Decision], reviewer: str) -> Decision | None:
    """The last decision of a reviewer that was not taken back."""
    undone = {one.undoes for one in lines if one.undoes is not None}
    for one in reversed(lines):
        is_own = one.reviewer.casefold() == reviewer.casefold()
        if is_own and one.undoes is None and one.number not in undone:
            return one
    return None


def _name(reviewer: str) -> str:
    """A reviewer's name without spare blanks. Raises InspectionError where there is none."""
    name = " ".join(reviewer.split())
    if not name:
        raise InspectionError("reviewer: no name is given; say who decides")
    return str(plain_cell(name))


def _csv(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
