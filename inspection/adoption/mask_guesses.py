"""Which image files are masks, and by what name the mask of a photograph is found."""

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from inspection.adoption.vocabulary import any_normal
from inspection.dataset.names import nfc

MASK_FOLDERS = frozenset(
    {"ground_truth", "groundtruth", "gt", "mask", "masks", "segmentation"}
)
MASK_WORDS = frozenset(
    {
        "mask",
        "masks",
        "gt",
        "truth",
        "groundtruth",
        "segmentation",
        "segmentations",
        "seg",
    }
    | {"label", "labels", "annotation", "annotations", "anno"}
)
MASK_ENDS = ("_mask", "-mask", "_gt", "_label", "_seg", "_anno")
MASK_SHARE = 0.9
PAIRED_SHARE = 0.8
MIN_LOOKED = 3

Group = tuple[str, str, str]


@dataclass(frozen=True)
class Affix:
    """What the name of a mask has before and behind the name of its photograph."""

    before: str = ""
    behind: str = ""

    def without(self, stem: str) -> str:
        """The stem of the photograph; the same stem where it does not carry the affix."""
        end = len(stem) - len(self.behind)
        fits = stem.startswith(self.before) and stem.lower().endswith(
            self.behind.lower()
        )
        return stem[len(self.before) : end] if fits and end > len(self.before) else stem


USUAL = tuple(Affix(behind=end) for end in MASK_ENDS)


def affixes(masks: Collection[str], images: Collection[str]) -> tuple[Affix, ...]:
    """What names of masks have around the name of their photograph: the usual, and what is learnt.

    `masks` are files that look like masks. Whatever nearly all files that have it share with an
    image of the name without it is learnt; it holds a word, for numbers tell shots. A mask of the
    very name of another image needs none.
    """
    stems = {_stem(path) for path in images}
    photos = {_stem(path) for path in set(images) - set(masks)}
    found: Counter[Affix] = Counter()
    for mask in {_stem(path) for path in masks} - photos:
        cuts = range(1, len(mask))
        found.update(Affix(behind=mask[cut:]) for cut in cuts if mask[:cut] in stems)
        found.update(Affix(before=mask[:cut]) for cut in cuts if mask[cut:] in stems)
    often = [one for one, n in found.items() if n >= MIN_LOOKED and _has_word(one)]
    learnt = [one for one in often if _is_constant(one, stems)]
    return (*USUAL, *sorted(learnt, key=lambda one: (one.before, one.behind)))


def _is_constant(affix: Affix, stems: Collection[str]) -> bool:
    having = [stem for stem in stems if affix.without(stem) != stem]
    paired = sum(affix.without(stem) in stems for stem in having)
    return paired >= PAIRED_SHARE * len(having)


def _has_word(affix: Affix) -> bool:
    carried = affix.before + affix.behind
    return re.search(r"[^\W\d_]{2}|[\W_][^\W\d_]|[^\W\d_][\W_]", carried) is not None


def mask_files(
    images: Sequence[str], looks_like_mask: Mapping[str, bool]
) -> frozenset[str]:
    """The masks among image files, told by their folder or name, and by what a sample looks like.

    `looks_like_mask` tells of the sampled images whether they hold black and white alone. Files
    that do are masks where a photograph has their name, wherever it lies, or their folder says so.
    """
    known = affixes([path for path, told in looks_like_mask.items() if told], images)
    binary = _binary(images, looks_like_mask, known)
    stems = {_whole(path) for path in images}
    photos = {_stem(path) for path in images if path not in binary}
    masks = {path for path in images if _is_named_mask(path, stems)}
    looks_tell = not _lose_the_normal(images, binary)
    of_group: dict[Group, list[str]] = {}
    for path in binary:
        of_group.setdefault(_group(path, known), []).append(path)
    for group, paths in of_group.items():
        paired = [path for path in paths if _photo_stem(path, known) in photos]
        if _words(group[0]) & MASK_WORDS:
            masks |= set(paths)
        elif looks_tell and len(paired) >= PAIRED_SHARE * len(paths):
            masks |= set(paired)
    return frozenset(masks) if len(masks) < len(images) else frozenset()


def _lose_the_normal(images: Sequence[str], binary: Collection[str]) -> bool:
    """Whether the photographs themselves look black and white: all in a folder that means normal.

    So do dark fields of sound parts, and parts before a bright screen. Folders of masks do not
    count.
    """
    left: dict[str, bool] = {}
    for path in images:
        folders = PurePosixPath(nfc(path)).parent.parts
        if not _words("/".join(folders)) & MASK_WORDS:
            for one in (part for part in folders if any_normal([part])):
                left[one] = left.get(one, False) or path not in binary
    return not all(left.values())


def mask_classes(
    classes: Mapping[str, str], looks_like_mask: Mapping[str, bool]
) -> list[str]:
    """Classes whose looked-at images are all black and white, where those of others are not.

    `classes` is the class folder by image. Where one of these means normal, looks tell nothing.
    """
    looks: dict[str, list[bool]] = {}
    for path, label in classes.items():
        if path in looks_like_mask:
            looks.setdefault(label, []).append(looks_like_mask[path])
    binary = [
        one for one, told in looks.items() if all(told) and len(told) >= MIN_LOOKED
    ]
    return sorted(binary) if len(binary) < len(looks) and not any_normal(binary) else []


def mask_template(
    masks: Collection[str], photos: Sequence[str], class_folders: Collection[str]
) -> str:
    """The template of `validate.masks` that explains most masks, each by one photograph; or ''."""
    by_stem: dict[str, list[str]] = {}
    for path in photos:
        by_stem.setdefault(_stem(path), []).append(path)
    composed = {nfc(mask) for mask in masks}
    known = affixes(composed, [*photos, *masks])
    candidates = {
        template
        for mask in sorted(composed)
        for photo in by_stem.get(_photo_stem(mask, known), ())
        for template in _templates(mask, photo, class_folders)
    }
    candidates |= {
        posixpath.join(template, PurePosixPath(mask).name)
        for mask in sorted(composed)
        for photo in by_stem.get(PurePosixPath(mask).parent.name, ())
        for template in _templates(posixpath.dirname(mask), photo, class_folders)
    }
    best, most = "", 0
    for template in sorted(candidates, key=lambda one: (len(one), one)):
        filled_in = (filled(template, photo, class_folders) for photo in photos)
        hits = [path for path in filled_in if path in composed]
        explained = 2 * len(set(hits)) - len(hits)
        if explained > most:
            best, most = template, explained
    return best


def _is_named_mask(path: str, stems: Collection[str]) -> bool:
    """Whether a folder is called after masks, or the name is that of an image beside it, ended."""
    folders = {part.lower() for part in PurePosixPath(path).parent.parts}
    whole = _whole(path)
    ends = [end for end in MASK_ENDS if whole.lower().endswith(end)]
    return bool(folders & MASK_FOLDERS) or any(
        whole[: -len(end)] in stems for end in ends
    )


def _binary(
    images: Sequence[str], looks_like_mask: Mapping[str, bool], known: Sequence[Affix]
) -> frozenset[str]:
    """The files of one folder, suffix and way of naming that are nearly always black and white.

    Where none of a folder was looked at, all files of that suffix and way of naming decide.
    """
    looks: dict[Group, list[bool]] = {}
    for path, told in looks_like_mask.items():
        for group in (_group(path, known), ("", *_group(path, known)[1:])):
            looks.setdefault(group, []).append(told)
    share = {group: sum(told) / len(told) for group, told in looks.items()}
    found = set()
    for path in images:
        group = _group(path, known)
        if share.get(group, share.get(("", *group[1:]), 0.0)) > MASK_SHARE:
            found.add(path)
    return frozenset(found)


def _group(path: str, known: Sequence[Affix]) -> Group:
    """The folder, the suffix, and what the name carries of what masks carry."""
    pure = PurePosixPath(nfc(path))
    carried = pure.stem.replace(_photo_stem(path, known), "", 1)
    return str(pure.parent), pure.suffix.lower(), carried.lower()


def _whole(path: str) -> str:
    return nfc(str(PurePosixPath(path).with_suffix("")))


def _words(folder: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", folder.lower()))


def _stem(path: str) -> str:
    return nfc(PurePosixPath(path).stem)


def _photo_stem(mask: str, known: Sequence[Affix]) -> str:
    """The name of the photograph that a mask of this name belongs to."""
    stem = _stem(mask)
    return next((one.without(stem) for one in known if one.without(stem) != stem), stem)


def _templates(mask: str, photo: str, classes: Collection[str]) -> list[str]:
    """The templates by which this mask is the mask of this photograph."""
    where, file = posixpath.split(nfc(mask))
    folder, stem = str(PurePosixPath(nfc(photo)).parent), nfc(PurePosixPath(photo).stem)
    name = file.replace(stem, "{stem}", 1)
    if where == ("" if folder == "." else folder):
        return [f"{{folder}}/{name}"]
    labels = [part for part in PurePosixPath(folder).parts if part in classes]
    up = posixpath.relpath(where or ".", folder)
    relative = posixpath.join("{folder}", up, name)
    if labels and labels[-1] in where.split("/"):
        parts = ["{class}" if part == labels[-1] else part for part in where.split("/")]
        by_class = posixpath.join(*parts, name)
        return [by_class] if labels[-1] in up.split("/") else [by_class, relative]
    return [posixpath.join(where, name), relative]


def filled(template: str, photo: str, class_folders: Collection[str]) -> str:
    """Where the mask of a photograph lies by the template, composed."""
    path = PurePosixPath(nfc(photo))
    label = next(
        (one for one in reversed(path.parent.parts) if one in class_folders), ""
    )
    filled = template.format(folder=path.parent, stem=path.stem, **{"class": label})
    return posixpath.normpath(filled)
