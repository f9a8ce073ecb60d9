"""Listings of data sets: paths in text files, without pictures; see `listings/`.

A listing begins with comments that name the set and its form. A line is a path; ` <- mask` marks a
black and white image, ` <- empty mask` a black one; all others are grey photographs of 96 x 64 px.
`== path` begins the content of a text file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from inspection.adoption.boxes import find_boxes
from inspection.adoption.folders import is_image
from inspection.adoption.pictures import Picture
from inspection.adoption.plan import Plan, plan
from inspection.adoption.proposal import Contents, Lacks, Listing, Proposal
from inspection.adoption.questions import Answers
from inspection.adoption.recognition import FORMS
from inspection.dataset.file_sorting import sort_files
from inspection.dataset.layouts import Layout
from inspection.images import ImageFacts
from inspection.line import Line

FOLDER = Path(__file__).parent / "listings"
LISTINGS = sorted(path.stem for path in FOLDER.glob("*.txt"))
PHOTO = Picture(ImageFacts(96, 64, 1, 8, "PNG"), is_mask=False, is_coloured=False)
MASK = Picture(ImageFacts(96, 64, 1, 8, "PNG"), is_mask=True, is_coloured=False, marked_px=600)
EMPTY = Picture(ImageFacts(96, 64, 1, 8, "PNG"), is_mask=True, is_coloured=False)
LOOKS = {"mask": MASK, "empty mask": EMPTY, "": PHOTO}


def understood(name: str, **answers: str) -> Plan:
    """The plan for a listing, checked as stage validate would read it."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return planned([line for line in lines if not line.startswith("#")], **answers)


def planned(lines: Sequence[str], **answers: str) -> Plan:
    """The plan for the lines of a listing."""
    listing, contents = _read(lines, answers)
    found = plan(listing, contents, name="line")
    _check(found)
    return found


def recognise(form: str, lines: Sequence[str], **answers: str) -> Proposal | Lacks:
    """What one form makes of the lines of a listing."""
    listing, contents = _read(lines, answers)
    boxes = find_boxes(listing.photos, contents.texts, listing.sizes)
    return FORMS[form].recognise(listing, replace(contents, boxes=boxes))


def _read(lines: Sequence[str], answers: Mapping[str, str]) -> tuple[Listing, Contents]:
    pictures, texts = _parsed(lines)
    paths = tuple(sorted({*pictures, *texts}))
    images = {path: one for path, one in pictures.items() if is_image(path)}

    def look(wanted: Sequence[str]) -> Mapping[str, Picture]:
        return {path: images[path] for path in wanted}

    return Listing(paths, images, Answers(**answers)), Contents(texts, look)


def _parsed(lines: Sequence[str]) -> tuple[dict[str, Picture], dict[str, bytes]]:
    pictures: dict[str, Picture] = {}
    texts: dict[str, bytes] = {}
    path = ""
    for line in lines:
        if line.startswith("== "):
            path = line.removeprefix("== ")
            texts[path] = b""
        elif path:
            texts[path] += line.encode() + b"\n"
        else:
            name, _, looks = line.partition(" <- ")
            pictures[name] = LOOKS[looks]
    return pictures, texts


def _check(found: Plan) -> None:
    """What is copied is read by the layout, every photograph as an image."""
    Line.model_validate(found.line)
    known = {key: value for key, value in found.validate.items() if key in Layout.model_fields}
    read = sort_files(found.files, Layout.model_validate(known))
    assert set(read.images) >= set(found.photos)
    assert set(read.ignored) <= set(found.proposal.files)  # masks that a table names


def words(n: int) -> list[str]:
    """Different words of two letters, the first of them normal."""
    letters = "abcdefg"
    return ["ok", *(a + b for a in letters for b in letters if a + b != "ok")][:n]
