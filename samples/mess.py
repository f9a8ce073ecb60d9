"""What goes wrong between the camera and the folder: names, labels, copies and broken files.

`plan_mess` turns the shots of a line into the files that lie on disk. The kinds of mess do not
overlap, so that each can be counted.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from samples.line import Shot
from samples.parts import CLASSES, SURFACE_DEFECTS

FILE_LABELS = {
    "normal": "널링양품",
    "dent": "널링찍힘",
    "slide": "널링밀림",
    "double_line": "널링이중선",
    "under_press": "리벳미압입",
}
# four digits for all parts of a line
FIRST_PART_NUMBER = 1000
# of all views: as many names without a shot as the real line has
SHORT_NAME_RATE = 35 / 2453
# of all views, half of them by whole parts: what audits of such data sets find
SPOILED_RATE = 0.03
# of normal views that lack one of their two boxes, as on the real line
MISSING_BOX_RATE = 0.08
# of names: a share that went through macOS
NFD_RATE = 0.2
# of views, for each way to break a file
BROKEN_RATE = 0.0015
# of views, copied byte for byte, and for each way to copy nearly
EXACT_COPY_RATE = 0.008
NEAR_COPY_RATE = 0.004
BREAKAGES = ("empty", "truncated", "text")
NEAR_COPIES = ("reencoded", "shifted", "brightness")
BOX_STYLES = {"tight": 7, "loose": 7, "pieces": 3, "absent": 3}


@dataclass(frozen=True)
class File:
    """One file of the data set, as planned.

    `typed_label` is what the person typed; `boxes_follow` says whom the boxes follow, the truth or
    the name. `copy` is '' or the kind of copy this is of the shot's own file.
    """

    shot: Shot
    part_number: int
    typed_label: str
    spoiled: str = ""
    boxes_follow: str = "truth"
    box_style: str = ""
    nfd: bool = False
    short: bool = False
    broken: str = ""
    copy: str = ""

    @property
    def boxed_label(self) -> str:
        """The class that the boxes are of."""
        follow_truth = self.boxes_follow == "truth"
        return self.shot.label if follow_truth else self.typed_label

    @property
    def name(self) -> str:
        """File name, in the Unicode form it has on disk."""
        fields = [
            self.shot.camera,
            str(self.part_number),
            FILE_LABELS[self.typed_label],
        ]
        # a copy goes by for a part of its own, which was photographed once
        number = 1 if self.copy else self.shot.number
        if not self.short:
            fields.append(str(number))

        name = "_".join(fields) + ".jpg"
        return unicodedata.normalize("NFD" if self.nfd else "NFC", name)


def plan_mess(rng: Generator, shots: list[Shot]) -> list[File]:
    """The files of the line, originals first in the order of `shots`, then the copies."""
    return _Mess(rng, shots).files()


class _Mess:
    def __init__(self, rng: Generator, shots: list[Shot]) -> None:
        self.rng = rng
        self.taken: set[int] = set()
        self.originals = [File(shot, 0, shot.label) for shot in shots]
        self.siblings: dict[int, list[int]] = {}
        for shot in shots:
            of_part = self.siblings.setdefault(shot.part_index, [])
            of_part.append(shot.index)

    def files(self) -> list[File]:
        self._shorten()
        self._spoil_parts()
        self._spoil_views()
        self._break()
        copies = self._copy()
        self._style_boxes()
        self._drop_boxes()
        files = self._normalise(self.originals + copies)
        return self._number(files)

    def _count(self, rate: float) -> int:
        return max(1, round(rate * len(self.originals)))

    def _set(self, i: int, **changes: str | bool) -> None:
        self.originals[i] = replace(self.originals[i], **changes)  # type: ignore[arg-type]
        self.taken.add(i)

    def _pick(self, candidates: list[int], count: int) -> list[int]:
        """Up to `count` free candidates in random order, of different parts that are untouched."""
        picked: list[int] = []
        used = {self.originals[i].shot.part_index for i in self.taken}
        shuffled = self.rng.permutation(np.array(candidates, dtype=int))
        for i in shuffled:
            part = self.originals[i].shot.part_index
            if len(picked) < count and part not in used:
                picked.append(int(i))
                used.add(part)
        return picked

    def _everything(self) -> list[int]:
        return list(range(len(self.originals)))

    def _spoil_parts(self) -> None:
        """All views of some parts get one wrong label: half of all that are spoiled."""
        wanted = self._count(SPOILED_RATE / 2)
        n_done = 0
        firsts = [views[0] for views in self.siblings.values()]
        for turn, first in enumerate(self._pick(firsts, len(firsts))):
            if n_done >= wanted:
                return

            shot = self.originals[first].shot
            views = self.siblings[shot.part_index]
            typed, followed = self._misread(shot.label, turn)
            for i in views:
                self._set(i, typed_label=typed, spoiled="part", boxes_follow=followed)
            n_done += len(views)

    def _spoil_views(self) -> None:
        """Single views get a wrong label: the other half."""
        wanted = self._count(SPOILED_RATE / 2)
        picked = self._pick(self._everything(), wanted)
        for turn, i in enumerate(picked):
            typed, followed = self._misread(self.originals[i].shot.label, turn)
            self._set(i, typed_label=typed, spoiled="view", boxes_follow=followed)

    def _misread(self, label: str, turn: int) -> tuple[str, str]:
        """A wrong class, and whom the boxes follow; by turns the truth and the name.

        Where the boxes follow the truth, the class is one whose boxes look different.
        """
        followed = ("truth", "name")[turn % 2]
        others = [name for name in CLASSES if name != label]
        if followed == "truth" and label not in SURFACE_DEFECTS:
            others = [name for name in others if name in SURFACE_DEFECTS]
        return str(self.rng.choice(others)), followed

    def _shorten(self) -> None:
        # of dents only, as on the real line
        dents = [one.shot.index for one in self.originals if one.shot.label == "dent"]
        for i in self._pick(dents, self._count(SHORT_NAME_RATE)):
            self._set(i, short=True)

    def _break(self) -> None:
        """Break views of parts that have three, so that each part keeps some."""
        threes = [i for i in self._everything() if len(self._siblings_of(i)) == 3]
        n_each = self._count(BROKEN_RATE)
        picked = self._pick(threes, n_each * len(BREAKAGES))
        for turn, i in enumerate(picked):
            how = BREAKAGES[turn % len(BREAKAGES)]
            self._set(i, broken=how)

    def _siblings_of(self, i: int) -> list[int]:
        return self.siblings[self.originals[i].shot.part_index]

    def _copy(self) -> list[File]:
        kinds = ["exact"] * self._count(EXACT_COPY_RATE)
        kinds += list(NEAR_COPIES) * self._count(NEAR_COPY_RATE)
        sources = self._pick(self._everything(), len(kinds))
        self.taken.update(sources)
        pairs = zip(sources, kinds, strict=False)
        return [replace(self.originals[i], copy=kind) for i, kind in pairs]

    def _style_boxes(self) -> None:
        """Deal the ways of boxing a defect in fixed shares, the first to views that are spoiled."""
        boxed = list(filter(self._boxes_defect, self._everything()))
        # first, since it is by their boxes that wrong names are found, which must not be absent
        spoiled = list(filter(self._is_spoiled, boxed))
        for turn, i in enumerate(spoiled):
            self._restyle(i, ("tight", "loose")[turn % 2])

        # by sevens, so that even a few views get all the ways
        styles = list(Counter(BOX_STYLES).elements())
        rest = np.array([i for i in boxed if i not in spoiled], dtype=int)
        for turn, i in enumerate(self.rng.permutation(rest)):
            style = styles[7 * turn % len(styles)]
            self._restyle(int(i), style)

    def _restyle(self, i: int, style: str) -> None:
        self.originals[i] = replace(self.originals[i], box_style=style)

    def _boxes_defect(self, i: int) -> bool:
        return self.originals[i].boxed_label in SURFACE_DEFECTS

    def _is_spoiled(self, i: int) -> bool:
        return bool(self.originals[i].spoiled)

    def _drop_boxes(self) -> None:
        """Some normal views lack one of their two boxes."""
        normals = []
        for i, file in enumerate(self.originals):
            is_sound = not file.spoiled and not file.broken
            if file.shot.label == "normal" and is_sound:
                normals.append(i)

        count = max(1, round(MISSING_BOX_RATE * len(normals)))
        shuffled = self.rng.permutation(np.array(normals, dtype=int))
        for turn, i in enumerate(shuffled[:count]):
            lacking = ("no rivet", "no knurling")[turn % 2]
            self._restyle(int(i), lacking)

    def _normalise(self, files: list[File]) -> list[File]:
        """Some names are stored decomposed, as macOS does."""
        count = max(1, round(NFD_RATE * len(files)))
        chosen = set(self.rng.permutation(len(files))[:count])
        return [replace(file, nfd=i in chosen) for i, file in enumerate(files)]

    def _number(self, files: list[File]) -> list[File]:
        """Number the parts down the line; each copy gets a number of its own somewhere between."""
        n_originals = len(self.originals)
        n_copies = len(files) - n_originals
        n_numbers = len(self.siblings) + n_copies
        of_copies = np.sort(self.rng.permutation(n_numbers)[:n_copies])
        of_parts = np.setdiff1d(np.arange(n_numbers), of_copies)

        numbered: list[File] = []
        for file in files[:n_originals]:
            place = int(of_parts[file.shot.part_index])
            numbered.append(replace(file, part_number=FIRST_PART_NUMBER + place))

        # a copy is boxed as its original is
        styles = {file.shot.index: file.box_style for file in numbered}
        places = self.rng.permutation(of_copies)
        for file, place in zip(files[n_originals:], places, strict=True):
            number = FIRST_PART_NUMBER + int(place)
            style = styles[file.shot.index]
            numbered.append(replace(file, part_number=number, box_style=style))
        return numbered
