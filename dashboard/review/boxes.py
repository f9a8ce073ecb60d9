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
            sha256 = row[0]
            reviewer = row[6] or BY_HAND
            of_reviewer = drawn.setdefault((sha256, reviewer), [])
            of_reviewer.append(row)

        found = []
        for (sha256, reviewer), some in drawn.items():
            boxes = self._boxes(some)
            vote = Vote(
                sha256,
                answer=boxes_cell(boxes),
                reviewer=reviewer,
                note=some[0][7],
                about=BOXES,
            )
            found.append(vote)
        return found

    def rows(self, vote: Vote) -> list[Row]:
        """The rows that say what a vote says: one for each box, or one that says there is none."""
        who = (vote.reviewer, vote.note)
        found = parse_boxes(vote.answer)
        if not found:
            nowhere = ("", "", "", "")
            return [(vote.image_sha256, NO_BOX, *nowhere, *who)]

        rows: list[Row] = []
        for one in found:
            place = _numbers(one.box)
            rows.append((vote.image_sha256, one.category, *place, *who))
        return rows

    def settled(self, votes: Sequence[Vote]) -> list[Vote]:
        """The first vote with which most agree; none where others have as many."""
        return settled_boxes(votes)[:1]

    def _boxes(self, rows: Sequence[Row]) -> list[LabelledBox]:
        """The boxes of rows; a category that is unknown stays, for the stage to refuse."""
        found = []
        for row in rows:
            written = row[1]
            if written.strip() == NO_BOX:
                continue
            category = canonical(written, self._line) or written
            found.append(LabelledBox(category, _box(row), SOURCE))
        return found


def settled_boxes(votes: Sequence[Vote]) -> list[Vote]:
    """The votes with which most reviewers agree; none without one, and where others tie."""
    if not votes:
        return []

    counts = [_n_agreeing(vote, votes) for vote in votes]
    most = max(counts)
    best = [vote for vote, n in zip(votes, counts, strict=True) if n == most]
    first = best[0]
    is_tied = any(not agree(first.answer, other.answer) for other in best)
    return [] if is_tied else best


def _n_agreeing(vote: Vote, votes: Sequence[Vote]) -> int:
    """How many of the votes mark what this one marks, itself among them."""
    return sum(agree(vote.answer, other.answer) for other in votes)


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
    if not alike:
        return None

    def overlap(one: LabelledBox) -> float:
        return intersection_over_union(one.box, box.box)

    best = max(alike, key=overlap)
    return best if overlap(best) >= MIN_IOU else None


def _box(row: Row) -> Box:
    try:
        x_px, y_px, width_px, height_px = map(float, row[2:6])
    except ValueError as error:
        raise InspectionError(
            f"reviews/boxes.csv: {row} has a place that is no number; correct it"
        ) from error
    return Box(x_px, y_px, width_px, height_px)


def _numbers(box: Box) -> tuple[str, str, str, str]:
    return (
        _number(box.x_px),
        _number(box.y_px),
        _number(box.width_px),
        _number(box.height_px),
    )


def _number(place_px: float) -> str:
    # up to hundredths of a pixel of the widest frame, without zeros behind the point
    return f"{place_px:.8g}"
