"""What the forms with a folder per class have in common: the classes, and masks beside them."""

from collections.abc import Mapping
from typing import Any

from inspection.adoption.folders import class_folders
from inspection.adoption.proposal import Lacks, Listing, Proposal
from inspection.adoption.questions import asks
from inspection.adoption.words import normal_among
from inspection.errors import first_three

SAYS = "the folder names the class"


def proposal(form: str, listing: Listing) -> Proposal | Lacks:
    """The classes that folders name, with masks where there are any."""
    said = listing.answers.normal
    labels = class_folders(listing.photos, said)
    names = sorted(set(labels.values()))
    if not names:
        return Lacks("the images do not lie in 2 to 40 folders named after classes")

    normal = normal_among(names, said)
    if not normal.names:
        shown = ", ".join(names[:8])
        return Lacks(
            f"folders name the classes {shown}, and none of them means that nothing is wrong; "
            f"{asks('normal', '<folder>')}, or add a folder of normal parts"
        )

    masks: dict[str, Any] = {}
    if listing.masks.template:
        masks = {"masks": listing.masks.template}
    layout = "class_folders_with_masks" if masks else "class_folders"
    return Proposal(
        form,
        layout,
        SAYS,
        labels,
        normal,
        settings=masks,
        notes=_left_out(listing, labels),
    )


def _left_out(listing: Listing, labels: Mapping[str, str]) -> tuple[str, ...]:
    aside = [path for path in listing.photos if path not in labels]
    if not aside:
        return ()
    return (
        f"{len(aside)} images lie in no folder of a class and are left out ({first_three(aside)}); "
        "sort them into the classes' folders if they are to count",
    )
