"""What the forms of boxes have in common: the class of a view is that of its boxes."""

from collections.abc import Sequence
from typing import Any

from inspection.adoption.boxes import Boxes, doubtful, labels_by_boxes, unlisted
from inspection.adoption.proposal import Contents, Lacks, Listing, Proposal
from inspection.adoption.questions import UNLISTED, asks
from inspection.adoption.words import normal_among
from inspection.errors import first_three


def proposal(
    kind: str, called: str, listing: Listing, contents: Contents
) -> Proposal | Lacks:
    """The labels that the boxes of one kind of annotation file say; a view without is normal."""
    boxes = contents.boxes.by_kind.get(kind)
    if boxes is None:
        problem = contents.boxes.problems.get(kind, "")
        nothing = f"there is no {called} file that names these images"
        return Lacks(problem or nothing, is_near=bool(problem))

    normal = normal_among(boxes.categories, listing.answers.normal)
    if normal.note:  # of two boxed categories the other one need not be normal
        normal = normal_among([])
    alone = unlisted(listing.photos, boxes)
    good = _good(alone, boxes, listing)
    read = {*boxes.annotations.sources, *good}
    photos = [path for path in listing.photos if path in read]
    labels = labels_by_boxes(photos, boxes, normal.names)
    if "" not in labels.values() and not normal.names & set(labels.values()):
        said = _none_normal(boxes, alone, called)
        return Lacks(said, is_near=True, none_normal=not alone)

    settings: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    if good:
        settings = {"unlabelled": "normal"}
        notes = (
            f"{len(good)} images that no {called} file names are taken for normal; if some are "
            "only not yet marked, remove them, or set validate.unlabelled to quarantine",
        )
    says = f"the class of a view is that of its boxes ({called})"
    return Proposal(
        kind,
        kind,
        says,
        labels,
        normal,
        by_view=True,
        settings=settings,
        boxes=boxes,
        notes=notes,
    )


def _good(alone: Sequence[str], boxes: Boxes, listing: Listing) -> list[str]:
    """Which of the images that no file lists are normal: all, where that is said.

    Else none where files list images without a box too, and none that may show a defect.
    """
    if listing.answers.normal == UNLISTED:
        return list(alone)
    if boxes.lists_empty:
        return []
    aside = doubtful(alone, boxes)
    return [path for path in alone if path not in aside]


def _none_normal(boxes: Boxes, alone: Sequence[str], called: str) -> str:
    shown = ", ".join(boxes.categories[:8])
    if not alone:
        return (
            f"every image has a box ({shown}), and none is normal; add normal images, or "
            f"{asks('normal', '<category>')}"
        )
    return (
        f"every image that a {called} file names has a box ({shown}), and none is normal; "
        f"{len(alone)} others are named by none ({first_three(sorted(alone))}): "
        f"{asks('normal', UNLISTED)} if these are the normal ones, else add normal images"
    )
