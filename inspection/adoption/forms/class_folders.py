"""Class folders: `good/1.png`, `scratch/2.png`, with masks anywhere."""

from inspection.adoption.folders import split_folders
from inspection.adoption.forms import sorted_folders
from inspection.adoption.proposal import Contents, Form, Lacks, Listing, Proposal

NAME = "class_folders"


def recognise(listing: Listing, contents: Contents) -> Proposal | Lacks:
    """Folders named after classes, one of them normal, and no folders of splits."""
    splits = split_folders(listing.photos)
    if splits:
        return Lacks(
            f"the images lie in {', '.join(splits)}, as in the form train_test"
        )
    return sorted_folders.proposal(NAME, listing)


FORM = Form(
    NAME,
    "a folder per class (good/, scratch/), one of them normal; masks may lie anywhere",
    recognise,
)
