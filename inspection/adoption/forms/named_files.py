"""Named files: the class stands in the file name, as in `P012_scratch_1.png`."""

import re
from pathlib import PurePosixPath

from inspection.adoption.names import Column, Shape, compiled, shape_of, without_export
from inspection.adoption.proposal import Contents, Form, Lacks, Listing, Proposal
from inspection.adoption.questions import asks
from inspection.adoption.words import normal_among
from inspection.dataset.names import take_apart

NAME = "named_files"
SAYS = "the class stands in the file names"
# More kinds of one part are no classes but serial numbers, dates or the like.
MAX_CLASSES = 40
# Words of which each image has another are no classes: two images a class at least, in the mean.
MIN_VIEWS = 2


def recognise(listing: Listing, contents: Contents) -> Proposal | Lacks:
    """A token of the names that is one of few words, one of which means normal.

    Where `PART=` is a pattern with a label, that says which token it is.
    """
    part = listing.answers.part
    if "<label>" in part or "{label}" in part:
        return _by_pattern(compiled(part), listing)

    stems = without_export(PurePosixPath(path).stem for path in listing.photos)
    shape = shape_of(stems)
    if shape is None:
        return Lacks(
            "the file names are not built alike of tokens between separators; "
            f"{asks('part', '<part>_<label>_<shot>')} as they are built"
        )

    words = [i for i, column in enumerate(shape.columns) if _are_classes(column)]
    for i in words:
        found = _by_column(i, shape, listing)
        if found is not None:
            return found

    if not words:
        return Lacks("the file names hold no token that is one of few words")
    shown = ", ".join(sorted(set(shape.columns[words[0]].given))[:8])
    return Lacks(
        f"the file names hold the words {shown}, and none of them means that nothing is wrong; "
        f"{asks('normal', '<word>')}, or add normal images",
        is_near=True,
        none_normal=True,
    )


def _by_column(i: int, shape: Shape, listing: Listing) -> Proposal | None:
    """The classes that a token says, if one of them is normal."""
    values = shape.columns[i].values
    normal = normal_among(values, listing.answers.normal)
    if not normal.names:
        return None
    named = zip(listing.photos, values, strict=True)
    labels = {path: value for path, value in named if value}
    return Proposal(NAME, "flat", SAYS, labels, normal, label_column=i)


def _are_classes(column: Column) -> bool:
    n_words = column.n_distinct
    few = 2 <= n_words <= MAX_CLASSES and len(column.given) >= MIN_VIEWS * n_words
    return few and not column.is_number


def _by_pattern(pattern: str, listing: Listing) -> Proposal | Lacks:
    labels = {}
    for path in listing.photos:
        name = take_apart(path, re.compile(pattern))
        if name is not None and name["label"]:
            labels[path] = name["label"]
    normal = normal_among(labels.values(), listing.answers.normal)
    if not normal.names:
        shown = ", ".join(sorted(set(labels.values()))[:8])
        return Lacks(
            f"the labels are {shown or 'none'}, and none means normal; {asks('normal', '<word>')}",
            is_near=True,
            none_normal=True,
        )
    return Proposal(NAME, "flat", SAYS, labels, normal)


FORM = Form(
    NAME, "file names that hold a word for the class (P012_scratch_1.png)", recognise
)
