"""What reviewers say of labels, and their rows in reviews/labels.csv."""

from collections import Counter
from collections.abc import Sequence

from dashboard.review.decisions import LABEL, Vote
from dashboard.review.tables import BY_HAND, Row
from inspection.curation.reviews import EXCLUDED, REVIEW_COLUMNS
from inspection.line import Line, fold_name

# An answer beside the classes and EXCLUDED: nobody can tell from this picture.
VAGUE = "vague"
# Vague answers that leave a view out: one person may lack practice, two agree that it is the view.
MIN_VAGUE = 2


class LabelTable:
    """Rows of labels: one for each reviewer who agrees with what is settled."""

    about: str = LABEL
    columns: tuple[str, ...] = REVIEW_COLUMNS

    def __init__(self, line: Line) -> None:
        self._answers = {**line.class_by_alias, EXCLUDED: EXCLUDED}

    def votes(self, rows: Sequence[Row]) -> list[Vote]:
        """What rows say; a class that is unknown stays as it is, for the stage to refuse."""
        found = []
        for sha256, label, name, note in rows:
            answer = self._answers.get(fold_name(label), label)
            reviewer = name or BY_HAND
            found.append(Vote(sha256, answer, reviewer, note))
        return found

    def rows(self, vote: Vote) -> list[Row]:
        """The row that says what a vote says; a vague view is left out."""
        if vote.answer != VAGUE:
            return [(vote.image_sha256, vote.answer, vote.reviewer, vote.note)]
        note = f"{VAGUE}: {vote.note}" if vote.note else VAGUE
        return [(vote.image_sha256, EXCLUDED, vote.reviewer, note)]

    def settled(self, votes: Sequence[Vote]) -> list[Vote]:
        """The votes for the answer that most gave."""
        answer = settled_label(votes)
        return [vote for vote in votes if answer and vote.answer == answer]


def settled_label(votes: Sequence[Vote]) -> str:
    """The answer that most reviewers of one image gave; '' without one, and where others tie.

    VAGUE stands for itself only where two or more say so: else another person is asked.
    """
    counts = Counter(vote.answer for vote in votes)
    most = max(counts.values(), default=0)
    best = [answer for answer, n in counts.items() if n == most]
    if len(best) != 1:
        return ""

    (answer,) = best
    if answer == VAGUE and most < MIN_VAGUE:
        return ""
    return answer
