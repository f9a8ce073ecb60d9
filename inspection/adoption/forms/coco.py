"""COCO: JSON with images, annotations and categories; the boxes say the class."""

from inspection.adoption.forms import boxed
from inspection.adoption.proposal import Contents, Form, Lacks, Listing, Proposal

NAME = "coco"


def recognise(listing: Listing, contents: Contents) -> Proposal | Lacks:
    """COCO files that name images of the folder, some of them normal."""
    return boxed.proposal(NAME, "COCO", listing, contents)


FORM = Form(NAME, "JSON with images, annotations and categories (COCO)", recognise)
