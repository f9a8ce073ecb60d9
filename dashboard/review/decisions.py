"""The journal of decisions: one line of JSON each, added and never changed."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection.errors import InspectionError

# What a decision is about.
LABEL, BOXES = "label", "boxes"


@dataclass(frozen=True)
class Decision:
    """A line of the journal: what a reviewer says of an image, or which line is taken back.

    `answer` about LABEL is a class, EXCLUDED or VAGUE; about BOXES it is a cell of the manifest,
    as `boxes_cell` writes it. It is empty where the line `undoes` another, by its number.
    `request_id` names the verdict that was decided about, where the picture is the service's.
    """

    number: int
    at: str
    image_sha256: str
    answer: str
    reviewer: str
    note: str
    undoes: int | None = None
    about: str = LABEL
    request_id: str = ""

    def line(self) -> str:
        """The line of the journal, without its end."""
        fields = dict(self.__dict__)
        if not self.request_id:
            # most lines are about the data, and stay as they have always been
            del fields["request_id"]
        return json.dumps(fields, ensure_ascii=False)


@dataclass(frozen=True)
class Vote:
    """What a reviewer says of an image as it stands."""

    image_sha256: str
    answer: str
    reviewer: str
    note: str
    about: str = LABEL


def vote_of(one: Decision) -> Vote:
    """What a decision says, without when."""
    return Vote(one.image_sha256, one.answer, one.reviewer, one.note, one.about)


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
            last_byte = file.read(1)
            if last_byte != b"\n":
                text = b"\n" + text
        os.write(file.fileno(), text)
        os.fsync(file.fileno())


def standing(lines: Sequence[Decision]) -> list[Vote]:
    """What each reviewer says of each image, by what it is about."""
    return [vote_of(one) for one in standing_decisions(lines)]


def standing_decisions(lines: Sequence[Decision]) -> list[Decision]:
    """The last decision of each reviewer on each image, by what it is about, if not taken back."""
    undone = {one.undoes for one in lines if one.undoes is not None}
    found: dict[tuple[str, str, str], Decision] = {}
    for one in lines:
        # rows by hand have no number yet, but 0
        is_undone = one.number != 0 and one.number in undone
        if one.undoes is not None or is_undone:
            continue
        key = (one.image_sha256, one.about, one.reviewer.casefold())
        found[key] = one
    return list(found.values())


def last_of(lines: Sequence[Decision], reviewer: str) -> Decision | None:
    """The last decision of a reviewer that was not taken back."""
    undone = {one.undoes for one in lines if one.undoes is not None}
    name = reviewer.casefold()
    for one in reversed(lines):
        is_own = one.reviewer.casefold() == name
        is_standing = one.undoes is None and one.number not in undone
        if is_own and is_standing:
            return one
    return None


def about(votes: Sequence[Vote], what: str) -> list[Vote]:
    """The votes about LABEL or BOXES alone."""
    return [vote for vote in votes if vote.about == what]
