"""How file names are read, guessed: the shape, what makes the part, and the pattern for both."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from inspection.adoption.class_guesses import Labels
from inspection.adoption.name_shapes import EXPORTED, Shape, shapes_of, without_export
from inspection.adoption.part_guesses import (
    PartGuess,
    each_file_a_part,
    guess_copies,
    guess_folder,
    guess_part,
)
from inspection.adoption.part_keys import MAX_VIEWS, is_camera
from inspection.dataset.names import nfc


@dataclass(frozen=True)
class Names:
    """How file names are read: the shape, the guess of the part, the pattern that says both."""

    guess: PartGuess
    pattern: str


def names_of(photos: Sequence[str], labels: Labels, normal: Collection[str]) -> Names:
    """The shape of the names and the part; what an export put behind them is left aside.

    `normal` are the raw names of the normal class.
    """
    stems = [nfc(PurePosixPath(path).stem) for path in photos]
    cores = without_export(stems)
    tail = f"(?:{EXPORTED})?" if cores != stems else ""
    folders = [str(PurePosixPath(nfc(path)).parent) for path in photos]
    told = [labels.raw.get(path, "") for path in photos]
    judged = ["" if labels.by_view and raw in normal else raw for raw in told]
    copies = guess_copies(cores, folders, judged) if tail else None
    alone = copies or guess_folder(folders, judged, stems)
    alone = alone or each_file_a_part(folders, judged, stems)
    for shape in shapes_of(cores):
        column = labels.column
        if column is not None and tuple(told) != shape.columns[column].values:
            continue
        guess = (
            None
            if copies
            else guess_part(shape, folders, judged, stems, label_column=column)
        )
        if guess is None and column is not None:
            guess = (
                replace(alone, span=shape.whole) if copies and shape.whole else alone
            )
        if guess is not None:
            return Names(
                guess, shape.pattern(_named_columns(shape, guess, column)) + tail
            )
    return Names(alone, f"(?P<{alone.part_from.group}>.+?){tail}" if copies else ".+")


def _named_columns(
    shape: Shape, guess: PartGuess, label: int | None
) -> dict[tuple[int, int], str]:
    """Which columns become groups of the pattern: part or number, label, camera, view."""
    named: dict[tuple[int, int], str] = {}
    taken: set[int] = set()
    if guess.span is not None:
        named[guess.span] = guess.part_from.group
        taken |= set(range(guess.span[0], guess.span[1] + 1))
    if label is not None:
        named[label, label] = "label"
        taken.add(label)
    for i, column in enumerate(shape.columns):
        if i in taken or column.n_distinct < 2:
            continue
        role = "camera" if is_camera(column) else "view"
        if role not in named.values() and column.n_distinct <= MAX_VIEWS:
            named[i, i] = role
    return named
