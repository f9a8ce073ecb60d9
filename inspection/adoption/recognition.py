"""The one form that a folder has; else what each form lacks, or how those that fit differ."""

from collections import Counter
from collections.abc import Mapping, Sequence

from inspection.adoption.forms import (
    class_folders,
    coco,
    image_masks,
    named_files,
    table,
    train_test,
    voc,
    yolo,
)
from inspection.adoption.proposal import (
    Contents,
    Form,
    Lacks,
    Listing,
    Proposal,
    suffix,
)
from inspection.adoption.questions import asks
from inspection.errors import InspectionError, first_three

# Folders, names and tables say the class of an image; masks and boxes mark where it shows.
STATED = (class_folders.FORM, train_test.FORM, named_files.FORM, table.FORM)
MARKED = (image_masks.FORM, coco.FORM, yolo.FORM, voc.FORM)
FORMS = {form.name: form for form in (*STATED, *MARKED)}


def recognised(listing: Listing, contents: Contents) -> Proposal:
    """What the form makes of the folder that it has, or that is said (`FORM=`).

    Where folders, names or a table say the class, boxes and masks only say where. Several that sort
    the images alike count as the first of them. Raises InspectionError where none fits or several
    do: it asks one question, and says the flag that answers it.
    """
    said = listing.answers.form
    if said and said not in FORMS:
        raise InspectionError(f"FORM={said}: is no form; {asks('form', *FORMS)}")

    kinds: tuple[Sequence[Form], ...] = ([FORMS[said]],) if said else (STATED, MARKED)
    lacking: dict[str, Lacks] = {}
    for forms in kinds:
        found = []
        for form in forms:
            result = form.recognise(listing, contents)
            if isinstance(result, Proposal):
                found.append(result)
            else:
                lacking[form.name] = result
        if found:
            return _the_one(found)
    raise InspectionError(_none_fits(lacking, listing))


def _the_one(found: Sequence[Proposal]) -> Proposal:
    first, *others = found
    differing = [one for one in others if not _sort_alike(first, one)]
    if differing:
        raise InspectionError(_several_fit([first, *differing]))
    return first


def _sort_alike(one: Proposal, other: Proposal) -> bool:
    """Whether two proposals sort the images into the same classes, called as they may be."""
    if one.labels.keys() != other.labels.keys():
        return False

    # each class of one is a class of the other: no name of either has two partners
    pairs = {(one.labels[path], other.labels[path]) for path in one.labels}
    names = {name for name, _ in pairs}
    other_names = {name for _, name in pairs}
    return len(pairs) == len(names) == len(other_names)


def _none_fits(lacking: Mapping[str, Lacks], listing: Listing) -> str:
    """What the forms lack that the folder is near to; where it is near to none, what all are."""
    near = {name: lack for name, lack in lacking.items() if lack.is_near}
    if not near and len(lacking) > 1:
        head = "no form fits this folder; it can be brought into one of these:"
        lines = [f"  {name}: {FORMS[name].description}" for name in lacking]
        lines += _beside(listing)
    else:
        head = "no form fits this folder; the nearest, and what it lacks to be of it:"
        asked = near or lacking
        lines = [f"  {name}: {lack.what}" for name, lack in asked.items()]
    if listing.not_read:
        lines.append(f"{listing.not_read} lie there, too; convert them to PNG")
    if any(lack.none_normal for lack in lacking.values()):
        lines.append(
            "where none of these holds good parts, NORMAL=<one of them> lets it stand in for them: "
            "classes are told apart, and escapes and costs mean nothing (README, No normal parts)"
        )
    table = "any other data set can be turned into a table (README, Your own parts)"
    return "\n".join([head, *lines, table])


def _beside(listing: Listing) -> list[str]:
    """The files beside the images, of which no form is made."""
    images = set(listing.images)
    files = [path for path in listing.paths if path not in images and suffix(path)]
    if not files:
        return []
    kinds = Counter(map(suffix, files))
    counted = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
    return [
        f"beside the {len(images)} images lie {counted} that none of them reads "
        f"({first_three(files)})"
    ]


def _several_fit(found: Sequence[Proposal]) -> str:
    lines = []
    for one in found:
        counts = Counter(one.labels.values()).most_common(8)
        shown = ", ".join(f"{label or 'normal'} {n}" for label, n in counts)
        lines.append(f"  {one.form}: {one.says}: {shown}")
    names = [one.form for one in found]
    head = f"{len(found)} forms fit this folder and sort the images differently:"
    return "\n".join([head, *lines, f"{asks('form', *names)}"])
