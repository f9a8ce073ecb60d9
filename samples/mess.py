"""What goes wrong between the camera and the folder: names, labels, copies and broken files.

`plan_mess` turns the shots of a line into the files that lie on disk. The kinds of mess do not
overlap, so that each can be counted.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace

import numpy as np

from samples.line import Shot
from samples.parts import CLASSES, SURFACE_DEFECTS

FILE_LABELS = {
    "normal": "널링양품",
    "dent": "널링찍힘",
    "slide": "널링밀림",
    "double_line": "널링이중선",
    "under_press": "리벳미압입",
}
FIRST_PART_NUMBER = 1000
SHORT_NAME_RATE = 35 / 2453
SPOILED_RATE = 0.03
MISSING_BOX_RATE = 0.08
NFD_RATE = 0.2
BROKEN_RATE = 0.0015
EXACT_COPY_RATE = 0.008
NEAR_COPY_RATE = 0.004
BREAKAGES = ("empty", "truncated", "text")
NEAR_COPIES = ("reencoded", "shifted", "brightness")
BOX_STYLES = {"tight": 7, "loose": 7, "pieces": 3, "absent": 3}


@dataclass(frozen=True)
class File:
    """One file of the data set, as planned.

    `typed_label` is what the person typed; `boxes_tell` says whose word the boxes follow, the
    truth's or the name's. `copy` is '' or the kind of copy this is of the shot's own file.
    """

    shot: Shot
    part_number: int
    typed_label: str
    spoiled: str = ""
    boxes_tell: str = "truth"
    box_style: str = ""
    nfd: bool = False
    short: bool = False
    broken: str = ""
    copy: str = ""

    @property
    def told_label(self) -> str:
        """The class that the boxes speak of."""
        return self.shot.label if self.boxes_tell == "truth" else self.typed_label

    @property
    def name(self) -> str:
        """File name, in the Unicode form it has on disk."""
        number = 1 if self.copy else self.shot.number
        fields = [
            self.shot.camera,
            str(self.part_number),
            FILE_LABELS[self.typed_label],
        ]
        fields += [] if self.short else [str(number)]
        return unicodedata.normalize(
            "NFD" if self.nfd else "NFC", "_".join(fields) + ".jpg"
        )


def plan_mess(rng: np.random.Generator, shots: list[Shot]) -> list[File]:
    """The files of the line, originals first in the order of `shots`, then the copies."""
    return _Mess(rng, shots).files()


class _Mess:
    def __init__(self, rng: np.random.Generator, shots: list[Shot]) -> None:
        self.rng = rng
        self.taken: set[int] = set()
        self.originals = [File(s, 0, s.label) for s in shots]
        self.siblings: dict[int, list[int]] = {}
        for s in shots:
            self.siblings.setdefault(s.part_index, []).append(s.index)

    def files(self) -> list[File]:
        self._shorten()
        self._spoil_parts()
        self._spoil_views()
        self._break()
        copies = self._copy()
        self._style_boxes()
        self._drop_boxes()
        return self._number(self._normalise(self.originals + copies))

    def _count(self, rate: float) -> int:
        return max(1, round(rate * len(self.originals)))

    def _set(self, i: int, **changes: str | bool) -> None:
        self.originals[i] = replace(self.originals[i], **changes)  # type: ignore[arg-type]
        self.taken.add(i)

    def _pick(self, candidates: list[int], count: int) -> list[int]:
        """Up to `count` free candidates in random order, of different parts that are untouched."""
        picked: list[int] = []
        used = {self.originals[i].shot.part_index for i in self.taken}
        for i in self.rng.permutation(np.array(candidates, dtype=int)):
            part = self.originals[i].shot.part_index
            if len(picked) < count and part not in used:
                picked.append(int(i))
                used.add(part)
        return picked

    def _everything(self) -> list[int]:
        return list(range(len(self.originals)))

    def _spoil_parts(self) -> None:
        wanted, done, turn = self._count(SPOILED_RATE / 2), 0, 0
        firsts = [views[0] for views in self.siblings.values()]
        for first in self._pick(firsts, len(firsts)):
            if done >= wanted:
                return
            views = self.siblings[self.originals[first].shot.part_index]
            typed, tell = self._misread(self.originals[first].shot.label, turn)
            for i in views:
                self._set(i, typed_label=typed, spoiled="part", boxes_tell=tell)
            done, turn = done + len(views), turn + 1

    def _spoil_views(self) -> None:
        for turn, i in enumerate(
            self._pick(self._everything(), self._count(SPOILED_RATE / 2))
        ):
            typed, tell = self._misread(self.originals[i].shot.label, turn)
            self._set(i, typed_label=typed, spoiled="view", boxes_tell=tell)

    def _misread(self, label: str, turn: int) -> tuple[str, str]:
        """A wrong class, and whose word the boxes follow; by turns the truth's and the name's.

        When the boxes tell the truth, the class is one whose boxes look different.
        """
        tell = ("truth", "name")[turn % 2]
        others = [c for c in CLASSES if c != label]
        if tell == "truth" and label not in SURFACE_DEFECTS:
            others = [c for c in others if c in SURFACE_DEFECTS]
        return str(self.rng.choice(others)), tell

    def _shorten(self) -> None:
        dents = [
            i for i in self._everything() if self.originals[i].shot.label == "dent"
        ]
        for i in self._pick(dents, self._count(SHORT_NAME_RATE)):
            self._set(i, short=True)

    def _break(self) -> None:
        """Break views of parts that have three, so that each part keeps some."""
        threes = [i for i in self._everything() if len(self._siblings_of(i)) == 3]
        each = self._count(BROKEN_RATE)
        for turn, i in enumerate(self._pick(threes, each * len(BREAKAGES))):
            self._set(i, broken=BREAKAGES[turn % len(BREAKAGES)])

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
        spoiled = [
            i
            for i in self._everything()
            if self._boxes_defect(i) and self._is_spoiled(i)
        ]
        for turn, i in enumerate(spoiled):
            self._restyle(i, ("tight", "loose")[turn % 2])
        rest = [
            i
            for i in self._everything()
            if self._boxes_defect(i) and not self._is_spoiled(i)
        ]
        styles = [s for s, n in BOX_STYLES.items() for _ in range(n)]
        for turn, i in enumerate(self.rng.permutation(np.array(rest, dtype=int))):
            self._restyle(int(i), styles[7 * turn % len(styles)])

    def _restyle(self, i: int, style: str) -> None:
        self.originals[i] = replace(self.originals[i], box_style=style)

    def _boxes_defect(self, i: int) -> bool:
        return self.originals[i].told_label in SURFACE_DEFECTS

    def _is_spoiled(self, i: int) -> bool:
        return bool(self.originals[i].spoiled)

    def _drop_boxes(self) -> None:
        normals = [
            i
            for i, f in enumerate(self.originals)
            if f.shot.label == "normal" and not f.spoiled and not f.broken
        ]
        count = max(1, round(MISSING_BOX_RATE * len(normals)))
        chosen = self.rng.permutation(np.array(normals, dtype=int))[:count]
        for turn, i in enumerate(chosen):
            self._restyle(int(i), ("no rivet", "no knurling")[turn % 2])

    def _normalise(self, files: list[File]) -> list[File]:
        chosen = set(
            self.rng.permutation(len(files))[: max(1, round(NFD_RATE * len(files)))]
        )
        return [replace(f, nfd=i in chosen) for i, f in enumerate(files)]

    def _number(self, files: list[File]) -> list[File]:
        """Number the parts down the line; each copy gets a number of its own somewhere between."""
        n_copies = len(files) - len(self.originals)
        n_numbers = len(self.siblings) + n_copies
        free = np.sort(self.rng.permutation(n_numbers)[:n_copies])
        kept = np.setdiff1d(np.arange(n_numbers), free)
        numbered: list[File] = []
        for f in files[: len(self.originals)]:
            number = FIRST_PART_NUMBER + int(kept[f.shot.part_index])
            numbered.append(replace(f, part_number=number))
        styles = {f.shot.index: f.box_style for f in numbered}
        places = self.rng.permutation(free)
        for f, place in zip(files[len(self.originals) :], places, strict=True):
            number, style = FIRST_PART_NUMBER + int(place), styles[f.shot.index]
            numbered.append(replace(f, part_number=number, box_style=style))
        return numbered
