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

# how the line writes each class in the names of its files
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
# of all views, half of them by whole parts of a novice's lot: what audits of such data sets find
SPOILED_RATE = 0.03
# where on the line someone new labelled the parts, 0..1 of it: here whole parts have a wrong label
NOVICE_LOT = (0.6, 0.75)
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
# of twenty defects, how many are boxed in which way
BOX_STYLES = {
    "tight": 7,
    "loose": 7,
    "pieces": 3,
    "absent": 3,
}


@dataclass(frozen=True)
class File:
    """One file of the data set, as planned.

    `typed_label` is what the person typed; `spoiled` is '' where that is true or disputable, else
    whether it is the 'part' or the 'view' that has a wrong one; `boxes_follow` says whom the boxes
    follow, the truth or the name. `nfd`: the name is stored decomposed; `short`: it has no shot in
    it. `copy` is '' or the kind of copy this is of the shot's own file.
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
        if self.boxes_follow == "truth":
            return self.shot.label
        return self.typed_label

    @property
    def name(self) -> str:
        """File name, in the Unicode form it has on disk."""
        label = FILE_LABELS[self.typed_label]
        fields = [self.shot.camera, str(self.part_number), label]
        # a copy goes by for a part of its own, which was photographed once
        number = 1 if self.copy else self.shot.number
        if not self.short:
            fields.append(str(number))

        name = "_".join(fields) + ".jpg"
        if self.nfd:
            return unicodedata.normalize("NFD", name)
        return unicodedata.normalize("NFC", name)


def plan_mess(rng: Generator, shots: list[Shot]) -> list[File]:
    """The files of the line, originals first in the order of `shots`, then the copies."""
    return _Mess(rng, shots).files()


class _Mess:
    """The files while they are planned. A view is known by the index of its shot."""

    def __init__(self, rng: Generator, shots: list[Shot]) -> None:
        self.rng = rng
        # views that something was done to
        self.taken: set[int] = set()
        # numbered last, when it is known how many copies there are
        self.originals = [File(shot, 0, shot.label) for shot in shots]
        # the views of each part
        self.siblings: dict[int, list[int]] = {}
        for shot in shots:
            of_part = self.siblings.setdefault(shot.part_index, [])
            of_part.append(shot.index)

    def files(self) -> list[File]:
        """All files; up to the copies, each step picks among parts that none before it touched."""
        self._dispute()
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
        """That share of the views, at least one."""
        return max(1, round(rate * len(self.originals)))

    def _set(self, i: int, **changes: str | bool) -> None:
        """Change the file of a view, which is taken from now on."""
        self.originals[i] = replace(self.originals[i], **changes)  # type: ignore[arg-type]
        self.taken.add(i)

    def _pick(self, candidates: list[int], count: int) -> list[int]:
        """Up to `count` free candidates in random order, of different parts that are untouched."""
        used = {self._part_of(i) for i in self.taken}
        picked: list[int] = []
        for i in self._shuffled(candidates):
            part = self._part_of(i)
            if len(picked) < count and part not in used:
                picked.append(i)
                used.add(part)
        return picked

    def _shuffled(self, views: list[int]) -> list[int]:
        order = self.rng.permutation(np.array(views, dtype=int))
        return [int(i) for i in order]

    def _part_of(self, i: int) -> int:
        return self.originals[i].shot.part_index

    def _everything(self) -> list[int]:
        return list(range(len(self.originals)))

    def _dispute(self) -> None:
        """Of the borderline parts every second one goes by for normal, names and boxes alike."""
        firsts = [views[0] for views in self.siblings.values()]
        borderline = [i for i in firsts if self.originals[i].shot.is_borderline]
        for turn, first in enumerate(self._shuffled(borderline)):
            views = self._siblings_of(first)
            # those that keep their name are left alone as well: nobody spoils them further
            self.taken.update(views)
            if turn % 2 == 0:
                for i in views:
                    self._set(i, typed_label="normal", boxes_follow="name")

    def _spoil_parts(self) -> None:
        """All views of some parts of a novice's lot get one wrong label: half of what is spoiled.

        A line of few parts has them anywhere.
        """
        wanted = self._count(SPOILED_RATE / 2)
        n_done = 0
        firsts = [views[0] for views in self.siblings.values()]
        in_lot = [i for i in firsts if self._is_in_lot(i)]
        picked = self._pick(in_lot, len(in_lot)) or self._pick(firsts, 1)
        for turn, first in enumerate(picked):
            if n_done >= wanted:
                return

            shot = self.originals[first].shot
            views = self.siblings[shot.part_index]
            typed, followed = self._misread(shot.label, turn)
            for i in views:
                self._set(i, typed_label=typed, spoiled="part", boxes_follow=followed)
            n_done += len(views)

    def _is_in_lot(self, i: int) -> bool:
        first, last = NOVICE_LOT
        return first <= self.originals[i].shot.drift < last

    def _spoil_views(self) -> None:
        """Single views get a wrong label: the other half."""
        wanted = self._count(SPOILED_RATE / 2)
        picked = self._pick(self._everything(), wanted)
        for turn, i in enumerate(picked):
            label = self.originals[i].shot.label
            typed, followed = self._misread(label, turn)
            self._set(i, typed_label=typed, spoiled="view", boxes_follow=followed)

    def _misread(self, label: str, turn: int) -> tuple[str, str]:
        """A wrong class, and whom the boxes follow; by turns the truth and the name.

        Where the boxes follow the truth, the class is one whose boxes look different.
        """
        followed = ("truth", "name")[turn % 2]
        others = [name for name in CLASSES if name != label]
        if followed == "truth" and label not in SURFACE_DEFECTS:
            others = list(SURFACE_DEFECTS)
        typed = str(self.rng.choice(others))
        return typed, followed

    def _shorten(self) -> None:
        """Some names have no shot in them: of dents only, as on the real line."""
        shots = [file.shot for file in self.originals]
        dents = [shot.index for shot in shots if shot.label == "dent"]
        wanted = self._count(SHORT_NAME_RATE)
        for i in self._pick(dents, wanted):
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
        return self.siblings[self._part_of(i)]

    def _copy(self) -> list[File]:
        """Copies of views that nothing was done to, fewer where there are not enough of those."""
        kinds = ["exact"] * self._count(EXACT_COPY_RATE)
        kinds += list(NEAR_COPIES) * self._count(NEAR_COPY_RATE)
        # a copy is a part with no other view, and one seen from behind would show nothing
        from_front = [
            i for i in self._everything() if not self.originals[i].shot.turned
        ]
        sources = self._pick(from_front, len(kinds))
        self.taken.update(sources)

        copies = []
        for i, kind in zip(sources, kinds, strict=False):
            copy = replace(self.originals[i], copy=kind)
            copies.append(copy)
        return copies

    def _style_boxes(self) -> None:
        """Deal the ways of boxing a defect in fixed shares, the first to views that are spoiled."""
        boxed = [i for i in self._everything() if self._boxes_defect(i)]
        spoiled = [i for i in boxed if self.originals[i].spoiled]
        rest = [i for i in boxed if not self.originals[i].spoiled]

        # first, since it is by their boxes that wrong names are found, which must not be absent
        for turn, i in enumerate(spoiled):
            style = ("tight", "loose")[turn % 2]
            self._restyle(i, style)

        # by sevens, so that even a few views get all the ways
        styles = list(Counter(BOX_STYLES).elements())
        for turn, i in enumerate(self._shuffled(rest)):
            style = styles[7 * turn % len(styles)]
            self._restyle(i, style)

    def _restyle(self, i: int, style: str) -> None:
        """Say how a view is boxed; it is not taken by that."""
        self.originals[i] = replace(self.originals[i], box_style=style)

    def _boxes_defect(self, i: int) -> bool:
        return self.originals[i].boxed_label in SURFACE_DEFECTS

    def _drop_boxes(self) -> None:
        """Some normal views lack one of their two boxes."""
        normals = []
        for i, file in enumerate(self.originals):
            is_sound = not file.spoiled and not file.broken
            if file.shot.label == "normal" and is_sound:
                normals.append(i)

        count = max(1, round(MISSING_BOX_RATE * len(normals)))
        picked = self._shuffled(normals)[:count]
        for turn, i in enumerate(picked):
            lacking = ("no rivet", "no knurling")[turn % 2]
            self._restyle(i, lacking)

    def _normalise(self, files: list[File]) -> list[File]:
        """Some names are stored decomposed, as macOS does."""
        count = max(1, round(NFD_RATE * len(files)))
        order = self.rng.permutation(len(files))
        chosen = set(order[:count])
        return [replace(file, nfd=i in chosen) for i, file in enumerate(files)]

    def _number(self, files: list[File]) -> list[File]:
        """Number the parts down the line; each copy gets a number of its own somewhere between."""
        n_originals = len(self.originals)
        originals = files[:n_originals]
        copies = files[n_originals:]

        n_numbers = len(self.siblings) + len(copies)
        order = self.rng.permutation(n_numbers)
        of_copies = np.sort(order[: len(copies)])
        of_parts = np.setdiff1d(np.arange(n_numbers), of_copies)

        numbered: list[File] = []
        for file in originals:
            place = int(of_parts[file.shot.part_index])
            number = FIRST_PART_NUMBER + place
            numbered.append(replace(file, part_number=number))

        # a copy is boxed as its original is
        styles = {file.shot.index: file.box_style for file in numbered}
        places = self.rng.permutation(of_copies)
        for file, place in zip(copies, places, strict=True):
            number = FIRST_PART_NUMBER + int(place)
            style = styles[file.shot.index]
            numbered.append(replace(file, part_number=number, box_style=style))
        return numbered
