"""Pascal VOC: an XML file of boxes per image; the boxes say the class."""

from inspection.adoption.forms import boxed
from inspection.adoption.proposal import Contents, Form, Lacks, Listing, Proposal

NAME = "voc"


def recognise(listing: Listing, contents: Contents) -> Proposal | Lacks:
    """Pascal VOC files that name images of the folder, some of them normal."""
    return boxed.proposal(NAME, "Pascal VOC", listing, contents)


FORM = Form(NAME, "an XML file of boxes per image (Pascal VOC)", recognise)
