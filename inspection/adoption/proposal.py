"""A form of data set, and what it makes of a folder: a proposal, or what it lacks."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from inspection.adoption.boxes import Boxes, FoundBoxes
from inspection.adoption.folders import is_image
from inspection.adoption.masks import Masks, find_masks
from inspection.adoption.pictures import Picture, sizes_px
from inspection.adoption.questions import Answers
from inspection.adoption.words import Normal

# Images to people, which no library of ours reads, or none without a guess at its grey levels.
NOT_READ = frozenset({".webp", ".gif", ".heic", ".jp2", ".pgm", ".ppm", ".npy", ".dcm"})


@dataclass(frozen=True)
class Contents:
    """What can be read: text files and tables by path, pictures when they are asked for, boxes."""

    texts: Mapping[str, bytes]
    look: Callable[[Sequence[str]], Mapping[str, Picture]]
    boxes: FoundBoxes = field(default_factory=FoundBoxes)


@dataclass(frozen=True)
class Listing:
    """The files of a folder, NFC or NFD as on disk; `sample` are images that were looked at.

    `unread` are images of a kind of which none can be read.
    """

    paths: tuple[str, ...]
    sample: Mapping[str, Picture]
    answers: Answers = field(default_factory=Answers)
    unread: frozenset[str] = frozenset()

    @cached_property
    def images(self) -> list[str]:
        """The image files, masks among them."""
        return [p for p in self.paths if is_image(p) and p not in self.unread]

    @cached_property
    def not_read(self) -> str:
        """How many images of which kind are not read, in words; '' where there are none."""
        kinds = Counter(suffix(path) for path in self.paths if suffix(path) in NOT_READ)
        shown = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
        return f"images of a kind that is not read ({shown})" if shown else ""

    @cached_property
    def masks(self) -> Masks:
        """The masks among the images, and where they lie."""
        return find_masks(self.images, self.sample, self.answers.masks)

    @cached_property
    def photos(self) -> list[str]:
        """The images that are no masks."""
        return [path for path in self.images if path not in self.masks.files]

    @cached_property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Width and height of every photograph in pixels, the median where it is not known."""
        width, height = np.median(sizes_px(self.sample.values()), axis=0)
        sizes = dict.fromkeys(self.photos, (int(width), int(height)))
        for path, picture in self.sample.items():
            if path in sizes:
                sizes[path] = (picture.facts.width_px, picture.facts.height_px)
        return sizes


@dataclass(frozen=True)
class Proposal:
    """How a form reads the folder.

    `layout` and `settings` go into `validate`; `labels` are raw labels by image ('' is normal
    without a name), without images that are left out; `by_view` where each view is labelled by
    what is marked in it; `columns` and `parts` are those of a table; `files` what is copied besides
    images.
    """

    form: str
    layout: str
    says: str
    labels: Mapping[str, str]
    normal: Normal
    by_view: bool = False
    label_column: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    boxes: Boxes | None = None
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lacks:
    """What a folder lacks to be of a form, and the flag that would help, if one would.

    `is_near` where the folder holds something of the form: classes without a normal one, say.
    `none_normal` where these are the classes of all its images.
    """

    what: str
    is_near: bool = False
    none_normal: bool = False


@dataclass(frozen=True)
class Form:
    """A form of data set: its name in `FORM=`, what it looks like, and how it is recognised."""

    name: str
    description: str
    recognise: Callable[[Listing, Contents], Proposal | Lacks]


def suffix(path: str) -> str:
    """The suffix of a path in lower case."""
    return PurePosixPath(path).suffix.lower()
