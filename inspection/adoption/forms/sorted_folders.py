"""What the forms with a folder per class have in common: the classes, and masks beside them."""

from collections.abc import Mapping, Sequence
from typing import Any

from inspection.adoption.folders import class_folders, telling_folders
from inspection.adoption.proposal import Lacks, Listing, Proposal
from inspection.adoption.questions import asks
from inspection.adoption.words import means_normal, normal_among
from inspection.errors import first_three

SAYS = "the folder names the class"


def proposal(form: str, listing: Listing) -> Proposal | Lacks:
    """The classes that folders name, with masks where there are any."""
    said = listing.answers.normal
    labels = class_folders(listing.photos, said)
    names = sorted(set(labels.values()))
    if not names:
        return _no_classes(listing.photos)

    normal = normal_among(names, said)
    if not normal.names:
        shown = ", ".join(names[:8])
        return Lacks(
            f"folders name the classes {shown}, and none of them means that nothing is wrong; "
            f"{asks('normal', '<folder>')}, or add a folder of normal parts",
            is_near=True,
            none_normal=True,
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


def _no_classes(photos: Sequence[str]) -> Lacks:
    """What is said where folders name no two classes."""
    normal = {one for path in photos for one in telling_folders(path)[:1]}
    if normal and all(map(means_normal, normal)):
        return Lacks(
            f"all images lie in {first_three(sorted(normal))}, and none is of a defect; add a "
            "folder of defective parts: thresholds are set between these and the normal ones",
            is_near=True,
        )
    return Lacks("the images do not lie in 2 to 40 folders named after classes")


def _left_out(listing: Listing, labels: Mapping[str, str]) -> tuple[str, ...]:
    aside = [path for path in listing.photos if path not in labels]
    if not aside:
        return ()
    return (
        f"{len(aside)} images lie in no folder of a class and are left out ({first_three(aside)}); "
        "sort them into the classes' folders if they are to count",
    )
