"""Folders of the MVTec kind: `train/good`, `test/<defect>`, `ground_truth/<defect>`."""

from dataclasses import replace

from inspection.adoption.folders import split_folders
from inspection.adoption.forms import sorted_folders
from inspection.adoption.proposal import Contents, Form, Lacks, Listing, Proposal

NAME = "train_test"


def recognise(listing: Listing, contents: Contents) -> Proposal | Lacks:
    """Folders of splits that hold folders named after classes; the splits are merged."""
    splits = split_folders(listing.photos)
    if not splits:
        return Lacks("there is no folder train or test")
    found = sorted_folders.proposal(NAME, listing)
    if isinstance(found, Lacks):
        return found
    merged = f"{', '.join(splits)} are merged, and stage split makes folds by part"
    return replace(found, says=f"{found.says}; {merged}")


FORM = Form(
    NAME,
    "train/good, test/<defect> and, if there are masks, ground_truth/<defect> (MVTec AD)",
    recognise,
)
