"""What reviewers drew, when two of them agree, and their rows in reviews/boxes.csv."""

from collections.abc import Sequence

from dashboard.review.decisions import BOXES, Vote
from dashboard.review.tables import BY_HAND, Row
from inspection.boxes import LabelledBox, boxes_cell, parse_boxes
from inspection.curation.box_reviews import (
    BOX_REVIEW_COLUMNS,
    NO_BOX,
    SOURCE,
    canonical,
)
from inspection.errors import InspectionError
from inspection.geometry import Box, intersection_over_union
from inspection.line import Line

# From this overlap on two boxes mark the same thing: the criterion of PASCAL VOC. The edge of a
# defect is vague, and two people who draw the same one often come no closer.
MIN_IOU = 0.5


class BoxTable:
    """Rows of boxes: a row for each box of the one who is agreed with."""

    about: str = BOXES
    columns: tuple[str, ...] = BOX_REVIEW_COLUMNS

    def __init__(self, line: Line) -> None:
        self._line = line

    def votes(self, rows: Sequence[Row]) -> list[Vote]:
        """What rows say: those of one reviewer on one image are one word."""
        drawn: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            reviewer = row[6] or BY_HAND
            drawn.setdefault((row[0], reviewer), []).append(row)

        found = []
        for (sha256, reviewer), some in drawn.items():
            answer = boxes_cell(self._boxes(some))
            note = some[0][7]
            found.append(Vote(sha256, answer, reviewer, note, BOXES))
        return found

    def rows(self, vote: Vote) -> list[Row]:
        """The rows that say what a vote says: one for each box, or one that says there is none."""
        who = (vote.reviewer, vote.note)
        found = parse_boxes(vote.answer)
        if not found:
            return [(vote.image_sha256, NO_BOX, "", "", "", "", *who)]
        return [
            (vote.image_sha256, one.category, *_numbers(one.box), *who) for one in found
        ]

    def settled(self, votes: Sequence[Vote]) -> list[Vote]:
        """The first vote with which most agree; none where others have as many."""
        return settled_boxes(votes)[:1]

    def _boxes(self, rows: Sequence[Row]) -> list[LabelledBox]:
        """The boxes of rows; a category that is unknown stays, for the stage to refuse."""
        return [
            LabelledBox(canonical(row[1], self._line) or row[1], _box(row), SOURCE)
            for row in rows
            if row[1].strip() != NO_BOX
        ]


def settled_boxes(votes: Sequence[Vote]) -> list[Vote]:
    """The votes with which most reviewers agree; none without one, and where others tie."""
    counts = [
        sum(agree(vote.answer, other.answer) for other in votes) for vote in votes
    ]
    most = max(counts, default=0)
    best = [vote for vote, n in zip(votes, counts, strict=True) if n == most]
    is_tied = any(not agree(best[0].answer, other.answer) for other in best)
    return [] if is_tied else best


def agree(one: str, other: str) -> bool:
    """Whether two cells mark the same things: box by box one category and an IoU of MIN_IOU."""
    mine, theirs = parse_boxes(one), parse_boxes(other)
    if len(mine) != len(theirs):
        return False
    for box in mine:
        twin = _twin(box, theirs)
        if twin is None:
            return False
        theirs.remove(twin)
    return True


def _twin(box: LabelledBox, others: Sequence[LabelledBox]) -> LabelledBox | None:
    """Of the boxes that mark the same thing the one that overlaps most."""
    alike = [one for one in others if one.category == box.category]
    best = max(alike, key=lambda one: _overlap(one, box), default=None)
    return best if best is not None and _overlap(best, box) >= MIN_IOU else None


def _overlap(one: LabelledBox, other: LabelledBox) -> float:
    return intersection_over_union(one.box, other.box)


def _box(row: Row) -> Box:
    try:
        x_px, y_px, width_px, height_px = map(float, row[2:6])
    except ValueError as error:
        raise InspectionError(
            f"reviews/boxes.csv: {row} has a place that is no number; correct it"
        ) from error
    return Box(x_px, y_px, width_px, height_px)


def _numbers(box: Box) -> tuple[str, str, str, str]:
    x_px, y_px, width_px, height_px = (
        # up to hundredths of a pixel of the widest frame, without zeros behind the point
        f"{number:.8g}"
        for number in (box.x_px, box.y_px, box.width_px, box.height_px)
    )
    return x_px, y_px, width_px, height_px
