"""A folder on disk: its files, a sample of its images decoded, its text files."""

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from tqdm import tqdm

from inspection.adoption.folders import is_image
from inspection.adoption.pictures import Picture, look_at
from inspection.adoption.proposal import Contents, Listing, suffix
from inspection.adoption.questions import Answers
from inspection.dataset.table import TABLES
from inspection.errors import InspectionError, first_three
from inspection.images import ImageError

# So many images of each suffix are decoded, ...
LOOK_AT = 200
# ... and so many of each folder, where there are no more folders than that.
LOOK_IN = 4
TEXTS = frozenset({".txt", ".json", ".yaml", ".yml", ".names", ".xml"}) | TABLES
# No annotation file of images is larger; what is, is no text.
MAX_TEXT_BYTES = 512 * 1024 * 1024


class Folder:
    """A folder as adopt sees it; `warnings` are lines to say. Nothing in it is changed."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self.warnings: list[str] = []
        self.paths = self._paths()
        self._refused: dict[str, str] = {}
        images = [path for path in self.paths if is_image(path)]
        self._sample = self.look(_sample(images), "looking at images")
        self._unread = self._kinds_not_read(images)
        self._warn_of_refused()

    def listing(self, answers: Answers) -> Listing:
        """The files and the sample, to be read as the user `answers`."""
        return Listing(tuple(self.paths), self._sample, answers, self._unread)

    @cached_property
    def contents(self) -> Contents:
        """The text files and tables, and a way to look at more pictures."""
        texts = [path for path in self.paths if suffix(path) in TEXTS]
        small = [
            p for p in texts if (self._source / p).stat().st_size <= MAX_TEXT_BYTES
        ]
        read = {
            path: (self._source / path).read_bytes()
            for path in tqdm(small, desc="reading labels", unit="file", disable=None)
        }
        look: Callable[[Sequence[str]], dict[str, Picture]] = self.look
        return Contents(read, look)

    def look(
        self, paths: Sequence[str], what: str = "looking at masks"
    ) -> dict[str, Picture]:
        """What the images look like, by path, without those that cannot be read."""
        found: dict[str, Picture] = {}
        for path in tqdm(paths, desc=what, unit="image", disable=None):
            try:
                found[path] = look_at((self._source / path).read_bytes())
            except ImageError as error:
                self._refused[path] = error.code
        return found

    def _paths(self) -> list[str]:
        raw = sorted(
            os.fsencode((Path(folder) / file).relative_to(self._source).as_posix())
            for folder, _, files in os.walk(self._source)
            for file in files
        )
        shown = [path.decode(errors="backslashreplace") for path in raw]
        strange = [
            name for name, path in zip(shown, raw, strict=True) if name.encode() != path
        ]
        if strange:
            self.warnings.append(
                f"{len(strange)} names are no UTF-8 and left out: {first_three(strange)}"
            )
        return [
            name for name, path in zip(shown, raw, strict=True) if name.encode() == path
        ]

    def _kinds_not_read(self, images: Sequence[str]) -> frozenset[str]:
        """The images of a suffix of which none of several could be read."""
        readable = {suffix(path) for path in self._sample}
        refused = [suffix(path) for path in self._refused]
        kinds = {kind for kind in refused if refused.count(kind) > 1} - readable
        return frozenset(path for path in images if suffix(path) in kinds)

    def _warn_of_refused(self) -> None:
        refused = [f"{path} ({code})" for path, code in self._refused.items()]
        if refused and not self._sample:
            raise InspectionError(
                f"none of the images can be read: {first_three(refused)}; save them as PNG or JPEG"
            )
        single = [path for path in self._refused if path not in self._unread]
        if single:
            shown = [f"{path} ({self._refused[path]})" for path in single]
            n_tried = len(self._sample) + len(refused)
            self.warnings.append(
                f"{len(single)} of {n_tried} images looked at cannot be read: "
                f"{first_three(shown)}; stage validate sets them aside"
            )


def _sample(images: Sequence[str]) -> list[str]:
    """As many of each kind of file, and a few of each folder where these are not too many."""
    of_suffix: dict[str, list[str]] = {}
    of_folder: dict[tuple[str, str], list[str]] = {}
    for path in images:
        of_suffix.setdefault(suffix(path), []).append(path)
        of_folder.setdefault((path.rpartition("/")[0], suffix(path)), []).append(path)

    sample = set()
    for some in of_suffix.values():
        sample |= set(some[:: -(-len(some) // LOOK_AT)])
    if len(of_folder) <= LOOK_AT:
        for some in of_folder.values():
            sample |= set(some[:: -(-len(some) // LOOK_IN)])
    return sorted(sample)
