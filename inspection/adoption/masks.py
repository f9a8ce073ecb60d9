"""Which image files are masks, known by their content, and where the mask of one lies."""

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from inspection.adoption.folders import folders_of, telling_folders
from inspection.adoption.pictures import Picture
from inspection.adoption.questions import asks
from inspection.adoption.words import means_normal
from inspection.dataset.names import nfc
from inspection.errors import InspectionError

# So many masks must lie by one rule: two black and white images may well be an accident.
MIN_MASKS = 3
# Share of the files found by the rule that are black and white: the masks of VisA have a few greys.
MASK_SHARE = 0.9
# The likeliest places that are tried on all images.
N_TRIED = 8


@dataclass(frozen=True)
class Masks:
    """Where the mask of an image lies ('' without masks), which it is, and all mask files."""

    template: str = ""
    of_image: Mapping[str, str] = field(default_factory=dict)
    files: frozenset[str] = frozenset()


def find_masks(
    images: Sequence[str], sample: Mapping[str, Picture], said: str = ""
) -> Masks:
    """The masks among image files, by the place (`MASKS=`) that is `said`, or that is found.

    A place is one where files lie that look black and white and are named after photographs:
    `{folder}` is the folder of the image, `{class}` a folder above it, `{stem}` its name. Of
    several the one that finds most is taken. All that lies in the fixed folder of the place
    (`ground_truth/`) is a mask. `said` may be `none`.
    """
    if said == "none":
        return Masks()
    if said:
        found = _at(said, images, images)
        if not found:
            raise InspectionError(
                f"MASKS={said}: no image has a mask there; {{folder}}, {{class}} and {{stem}} "
                "stand for the folder, the class folder and the name of an image; "
                f"{asks('masks', 'none')}"
            )
        return _masks(said, found, images)

    return _found(images, sample)


def _found(images: Sequence[str], sample: Mapping[str, Picture]) -> Masks:
    """The place that finds most masks, if there is one."""
    black = {path for path, picture in sample.items() if picture.is_mask}
    bright = [path for path in images if path not in black]
    found_at = {}
    for template in _likely_places(sorted(black), bright):
        found = _at(template, bright, images)
        if _holds(found, sample):
            found_at[template] = found

    if not found_at:
        return Masks()
    best = max(found_at, key=lambda one: _explained(found_at[one]))
    return _masks(best, found_at[best], images)


def _likely_places(masks: Iterable[str], photos: Iterable[str]) -> list[str]:
    """The templates by which most masks may belong to photographs, the plainest first."""
    by_stem: dict[str, list[str]] = {}
    for path in photos:
        by_stem.setdefault(_stem(path), []).append(path)

    votes: Counter[str] = Counter()
    for path in masks:
        templates = set(_places(nfc(path), by_stem))
        votes.update(templates)

    ranked = sorted(votes, key=lambda one: (-votes[one], _plainness(one)))
    return sorted(ranked[:N_TRIED], key=_plainness)


def _masks(template: str, found: Mapping[str, str], images: Iterable[str]) -> Masks:
    """What is found, and all else that lies in the fixed folder of the place."""
    files = set(found.values())
    fixed = _fixed_folder(template)
    if fixed:
        files |= {path for path in images if nfc(path).startswith(f"{fixed}/")}
    return Masks(template, found, frozenset(files))


def _at(template: str, photos: Iterable[str], images: Iterable[str]) -> dict[str, str]:
    """The mask of each photograph (NFC) that has one among the images, where the template says."""
    on_disk = {nfc(path): path for path in images}
    found = {}
    for photo in photos:
        for place in _filled(template, photo):
            mask = on_disk.get(place, photo)
            if mask != photo:
                found[nfc(photo)] = mask
    return found


def _holds(found: Mapping[str, str], sample: Mapping[str, Picture]) -> bool:
    """Whether what lies there looks like masks, and not like dark but normal parts: a mask lies in
    a normal folder only where its photograph does."""
    seen = [sample[path] for path in set(found.values()) if path in sample]
    n_masks = sum(picture.is_mask for picture in seen)
    if len(seen) < MIN_MASKS or n_masks < MASK_SHARE * len(seen):
        return False

    for photo, mask in found.items():
        of_the_mask_alone = set(folders_of(mask)) - set(folders_of(photo))
        if any(map(means_normal, of_the_mask_alone)):
            return False
    return True


def _explained(found: Mapping[str, str]) -> int:
    """How many masks are found; one that several images would share counts against the place."""
    n_masks = len(set(found.values()))
    n_shared = len(found) - n_masks
    return n_masks - n_shared


def _filled(template: str, image: str) -> Iterator[str]:
    """Where the mask of an image may lie by the template; `{class}` is any folder above it."""
    path = PurePosixPath(nfc(image))
    place = template.replace("{folder}", str(path.parent))
    place = place.replace("{stem}", path.stem)

    classes = telling_folders(image) if "{class}" in template else [""]
    for name in classes:
        yield posixpath.normpath(place.replace("{class}", name))


def _places(mask: str, by_stem: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The templates by which a mask may belong to an image of whose name it is made."""
    where, file = posixpath.split(mask)
    for name in _ends_of(_stem(mask)):
        template = file.replace(name, "{stem}", 1)
        for image in by_stem.get(name, ()):
            if nfc(image) != mask:
                yield from _templates(where, template, image)

    # MVTec LOCO: the masks of an image lie in a folder of its name
    above, name = posixpath.split(where)
    for image in by_stem.get(name, ()):
        yield from _templates(above, f"{{stem}}/{file}", image)


def _ends_of(stem: str) -> set[str]:
    """All that a stem begins with and all that it ends with, itself included."""
    lengths = range(1, len(stem) + 1)
    return {stem[:n] for n in lengths} | {stem[-n:] for n in lengths}


def _templates(where: str, file: str, image: str) -> Iterator[str]:
    """The templates for masks in the folder `where`, seen from an image."""
    folder = str(PurePosixPath(nfc(image)).parent)
    if folder in (where, where or "."):
        yield f"{{folder}}/{file}"
        return

    parts = where.split("/")
    shared = [one for one in telling_folders(image) if one in parts]
    if shared:
        by_class = ["{class}" if one == shared[0] else one for one in parts]
        yield posixpath.join(*by_class, file)

    from_image = posixpath.relpath(where or ".", folder)
    yield posixpath.join("{folder}", from_image, file)
    yield posixpath.join(where, file)


def _plainness(template: str) -> tuple[bool, int, str]:
    """Of places that find the same masks one by class is taken first, then the shortest."""
    return "{class}" not in template, len(template), template


def _fixed_folder(template: str) -> str:
    """The folders of a template before anything that is filled in."""
    return template.split("{", 1)[0].rpartition("/")[0]


def _stem(path: str) -> str:
    return nfc(PurePosixPath(path).stem)
