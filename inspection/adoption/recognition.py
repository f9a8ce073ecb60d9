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
from inspection.adoption.proposal import Contents, Form, Lacks, Listing, Proposal
from inspection.adoption.questions import asks
from inspection.errors import InspectionError

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
    raise InspectionError(_none_fits(lacking))


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


def _none_fits(lacking: Mapping[str, Lacks]) -> str:
    lines = [f"  {name}: {lack.what}" for name, lack in lacking.items()]
    forms = [f"  {name}: {FORMS[name].description}" for name in lacking]
    return "\n".join(
        [
            "no form fits this folder; what it lacks to be of each:",
            *lines,
            "the forms are:",
            *forms,
            "any other data set can be turned into a table (README, Your own parts)",
        ]
    )


def _several_fit(found: Sequence[Proposal]) -> str:
    lines = []
    for one in found:
        counts = Counter(one.labels.values()).most_common(8)
        shown = ", ".join(f"{label or 'normal'} {n}" for label, n in counts)
        lines.append(f"  {one.form}: {one.says}: {shown}")
    names = [one.form for one in found]
    head = f"{len(found)} forms fit this folder and sort the images differently:"
    return "\n".join([head, *lines, f"{asks('form', *names)}"])
