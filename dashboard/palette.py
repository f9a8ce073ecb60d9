"""The colours of classes, the same on every page: normal is grey, so that defects stand out."""

import itertools
from collections.abc import Sequence
from html import escape

from inspection.line import Line

NORMAL = "#9e9e9e"
# Okabe and Ito's, told apart by everybody.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def class_colours(line: Line, others: Sequence[str] = ()) -> dict[str, str]:
    """The colour of each class of a line, in its order, and of other names after them.

    More names than colours share these.
    """
    names = dict.fromkeys([*line.classes, *others])
    # the normal class takes none of them
    colours = itertools.cycle(PALETTE)
    return {name: NORMAL if name == line.normal else next(colours) for name in names}


def legend(colours: dict[str, str]) -> str:
    """The names with a square of their colour each, as HTML."""
    entries = [
        f'<span style="white-space: nowrap; margin-right: 1em">'
        f'<span style="color: {colour}">&#9632;</span> {escape(name)}</span>'
        for name, colour in colours.items()
    ]
    return f"<div>{' '.join(entries)}</div>"
