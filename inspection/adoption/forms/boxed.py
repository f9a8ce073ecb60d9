"""What the forms of boxes have in common: the class of a view is that of its boxes."""

from typing import Any

from inspection.adoption.boxes import labels_by_boxes
from inspection.adoption.proposal import Contents, Lacks, Listing, Proposal
from inspection.adoption.questions import asks
from inspection.adoption.words import normal_among


def proposal(
    kind: str, called: str, listing: Listing, contents: Contents
) -> Proposal | Lacks:
    """The labels that the boxes of one kind of annotation file say.

    A view without a box is normal, unless it is missing from files that list such views too.
    """
    boxes = contents.boxes.by_kind.get(kind)
    if boxes is None:
        problem = contents.boxes.problems.get(kind, "")
        nothing = f"there is no {called} file that names these images"
        return Lacks(problem or nothing, is_near=bool(problem))

    normal = normal_among(boxes.categories, listing.answers.normal)
    if normal.note:  # of two boxed categories the other one need not be normal
        normal = normal_among([])
    labels = labels_by_boxes(listing.photos, boxes, normal.names)
    if "" not in labels.values() and not normal.names & set(labels.values()):
        shown = ", ".join(boxes.categories[:8])
        return Lacks(
            f"every image has a box ({shown}), and none is normal; add normal images, or "
            f"{asks('normal', '<category>')}",
            is_near=True,
        )

    settings: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    n_alone = sum(path not in boxes.annotations.sources for path in labels)
    if n_alone:
        settings = {"unlabelled": "normal"}
        notes = (
            f"{n_alone} images that no {called} file names are taken for normal; if some are only "
            "not yet marked, remove them, or set validate.unlabelled to quarantine",
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
