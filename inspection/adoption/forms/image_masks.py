"""Image and mask: a view is normal where its mask marks nothing, or where it has none."""

from inspection.adoption.proposal import Contents, Form, Lacks, Listing, Proposal
from inspection.adoption.questions import asks
from inspection.adoption.words import Normal
from inspection.dataset.names import nfc

NAME = "image_masks"
DEFECT = "defect"


def recognise(listing: Listing, contents: Contents) -> Proposal | Lacks:
    """Masks of which some mark nothing, or masks of some images only: the others are normal.

    Where masks without a mark exist, an image without a mask is one that nobody has marked yet.
    """
    mask_of = listing.masks.of_image
    if not mask_of:
        return Lacks(f"no masks are named after images; {asks('masks', '<place>')}")

    is_marked = _marked(listing, contents)
    some_empty = not all(is_marked.values())
    if not some_empty and len(is_marked) == len(listing.photos):
        return Lacks(
            "every image has a mask, and every mask marks something: none is normal; add normal "
            "images",
            is_near=True,
        )

    labels = {}
    for path in listing.photos:
        if path in is_marked or not some_empty:
            labels[path] = DEFECT if is_marked.get(path) else ""
    settings = {"masks": listing.masks.template}
    says = "a view is normal where its mask marks nothing"
    notes: tuple[str, ...] = ()
    if not some_empty:
        settings["unlabelled"] = "normal"
        says = "a view is normal where it has no mask"
        notes = (
            "every mask marks a defect, so images without a mask are taken for normal; if some are "
            "only not yet marked, remove them, or set validate.unlabelled to quarantine",
        )
    return Proposal(
        NAME,
        "masks",
        says,
        labels,
        Normal(frozenset()),
        by_view=True,
        settings=settings,
        notes=notes,
    )


def _marked(listing: Listing, contents: Contents) -> dict[str, bool]:
    """Whether the mask of each photograph marks anything, of those that have one."""
    mask_of = listing.masks.of_image
    pictures = contents.look(sorted(set(mask_of.values())))
    found = {}
    for path in listing.photos:
        picture = pictures.get(mask_of.get(nfc(path), ""))
        if picture is not None:
            found[path] = picture.marked_px > 0
    return found


FORM = Form(
    NAME,
    "masks named after their images, black where nothing is wrong, or missing there",
    recognise,
)
