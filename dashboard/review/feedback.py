"""What the desk's votes about pictures of the service come to, as feedback in the verdict log.

The log holds a word of the desk about a picture as long as the votes are settled on a class: it is
added when they are, and taken back when they are no longer. A word of the desk bears the name and
the time of the decision that it is.
"""

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from dashboard.review.decisions import (
    LABEL,
    Decision,
    standing_decisions,
    vote_of,
)
from dashboard.review.journal import Journal
from dashboard.review.labels import VAGUE, settled_label
from inspection.curation.reviews import EXCLUDED
from inspection.errors import InspectionError
from inspection.runtime.verdict_log import (
    FILE,
    WITHDRAWN,
    Feedback,
    UnknownPartError,
    VerdictLog,
    read_feedback,
)


def settle(journal: Journal, verdicts: Path) -> None:
    """Make the log's words of the desk those to which the votes come.

    Also after a process was killed between the journal and the log. Raises InspectionError.
    """
    if not (verdicts / FILE).is_file() or not _due(journal, verdicts):
        return

    with journal.locked():
        # what another process has written since is not written again
        due = _due(journal, verdicts)
        try:
            _add(verdicts, due)
        except sqlite3.OperationalError as error:
            raise InspectionError(
                f"{verdicts / FILE}: {error}; the decision is kept, and becomes feedback as soon "
                "as the log can be written"
            ) from error


def due_words(
    lines: Sequence[Decision], said: Sequence[Feedback], known: Collection[str]
) -> list[Feedback]:
    """What is to be added to a log of which `said` stands.

    Not of pictures that are in the data (`known`, by hash): the tables of reviews hold their rows.
    """
    by_image: dict[str, list[Decision]] = {}
    for line in lines:
        if line.about == LABEL and line.image_sha256 not in known:
            of_image = by_image.setdefault(line.image_sha256, [])
            of_image.append(line)

    due = []
    for of_image in by_image.values():
        request_id = _request_of(of_image)
        if request_id:
            due += _due_of(request_id, of_image, said)
    return due


def of_others(said: Sequence[Feedback], lines: Sequence[Decision]) -> list[Feedback]:
    """The words that are not the desk's own: what came by `POST /feedback`."""
    own = {(one.request_id, one.reviewer, one.at) for one in lines if one.request_id}
    return [
        one for one in said if (one.request_id, one.reviewer, one.given_at) not in own
    ]


def _due(journal: Journal, verdicts: Path) -> list[Feedback]:
    return due_words(journal.decisions(), read_feedback(verdicts), journal.known)


def _due_of(
    request_id: str, lines: Sequence[Decision], said: Sequence[Feedback]
) -> list[Feedback]:
    """What is to be added about one picture: first what is taken back, then what is settled."""
    own = {(one.reviewer, one.at) for one in lines}
    there = [
        one
        for one in said
        if one.request_id == request_id and (one.reviewer, one.given_at) in own
    ]
    wanted = _settled(request_id, lines)
    due = [
        one.model_copy(update={"label": WITHDRAWN}) for one in there if one != wanted
    ]
    if wanted is not None and wanted not in there:
        due.append(wanted)
    return due


def _settled(request_id: str, lines: Sequence[Decision]) -> Feedback | None:
    """The first of the decisions that agree with what is settled; None where that is no class."""
    decisions = standing_decisions(lines)
    answer = settled_label([vote_of(one) for one in decisions])
    if answer in ("", VAGUE, EXCLUDED):
        return None

    first = next(one for one in decisions if one.answer == answer)
    return Feedback(
        given_at=first.at,
        request_id=request_id,
        part_id=None,
        label=answer,
        reviewer=first.reviewer,
        note=first.note,
    )


def _request_of(lines: Sequence[Decision]) -> str:
    """The verdict that a picture was last shown for; '' where it never was the service's."""
    requests = [one.request_id for one in lines if one.request_id]
    return requests[-1] if requests else ""


def _add(verdicts: Path, words: Sequence[Feedback]) -> None:
    log = VerdictLog(verdicts)
    try:
        for word in words:
            try:
                log.add_feedback(word)
            except UnknownPartError:
                # the log was begun anew since, and nobody asks it about this verdict any more
                continue
    finally:
        log.close()
