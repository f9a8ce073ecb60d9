"""YOLO: a text file of boxes per image, and classes.txt or data.yaml; the boxes say the class."""

from inspection.adoption.forms import boxed
from inspection.adoption.proposal import Contents, Form, Lacks, Listing, Proposal

NAME = "yolo"


def recognise(listing: Listing, contents: Contents) -> Proposal | Lacks:
    """YOLO files that name images of the folder, some of them normal."""
    return boxed.proposal(NAME, "YOLO", listing, contents)


FORM = Form(
    NAME,
    "a text file of boxes per image, and classes.txt or data.yaml (YOLO)",
    recognise,
)
