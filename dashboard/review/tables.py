"""A table of reviews that follows from the journal: its file, and which rows are to stand in it."""

import csv
import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from dashboard.review.decisions import Decision, Vote, about, standing, vote_of
from inspection.errors import InspectionError
from inspection.texts import read_text

# The reviewer of a row that names none.
BY_HAND = "unnamed"

# The first field is the hash of the image.
Row = tuple[str, ...]


class Table(Protocol):
    """How the decisions about one thing are written as rows, and read from rows by hand."""

    about: str
    columns: tuple[str, ...]

    def votes(self, rows: Sequence[Row]) -> list[Vote]:
        """What rows say, as the word of the reviewers that they name. Raises InspectionError."""

    def rows(self, vote: Vote) -> list[Row]:
        """The rows that say what a vote says."""

    def settled(self, votes: Sequence[Vote]) -> list[Vote]:
        """Of all votes on one image those whose rows are to stand; none while it is disputed."""


def read_rows(path: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a table. Raises InspectionError where it is another."""
    header = ",".join(columns)
    if not path.is_file():
        raise InspectionError(
            f"{path}: not found; make it with the one line {header!r}"
        )

    text = io.StringIO(read_text(path))
    table = list(csv.reader(text))
    if not table or table[0] != list(columns):
        raise InspectionError(
            f"{path}: the columns are {table[:1]}; they should be {header!r}"
        )

    rows = [tuple(row) for row in table[1:] if row]
    for row in rows:
        if len(row) != len(columns):
            raise InspectionError(
                f"{path}: {row} has {len(row)} fields, not {len(columns)}; put text that has "
                "commas in quotes"
            )
    return rows


def text_of(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """The text of a table."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def by_hand(lines: Sequence[Decision], rows: Sequence[Row], table: Table) -> list[Vote]:
    """What rows say that the journal has never known."""
    said = set()
    for one in lines:
        if one.about == table.about and one.undoes is None:
            vote = vote_of(one)
            said.add(_key(table, vote))

    found = table.votes(rows)
    return [vote for vote in found if _key(table, vote) not in said]


def _key(table: Table, vote: Vote) -> tuple[Row, ...]:
    """What a vote says, to be compared: by its rows, for a row by hand has nothing else."""
    return tuple(table.rows(vote))


def wanted_rows(
    lines: Sequence[Decision],
    rows: Sequence[Row],
    known: Collection[str],
    table: Table,
) -> list[Row]:
    """The rows that are to stand: what others wrote, then what is settled.

    Images that the data do not hold (`known`) are named in no row.
    """
    # a dict, not a set: rows keep the order in which images were first decided about
    decided: dict[str, list[Vote]] = {}
    for one in lines:
        if one.about == table.about and one.image_sha256 in known:
            decided[one.image_sha256] = []
    wanted = [row for row in rows if row[0] not in decided]

    for vote in about(standing(lines), table.about):
        if vote.image_sha256 in decided:
            decided[vote.image_sha256].append(vote)

    for votes in decided.values():
        # all that was decided may be taken back: then no vote stands, and no row
        for vote in table.settled(votes):
            wanted += table.rows(vote)
    return wanted
