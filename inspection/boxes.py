"""Labelled boxes, and the manifest's `boxes` column: the one place that writes and parses it.

A cell of the column is a JSON list with one object per box, `category`, `x_px`, `y_px`,
`width_px`, `height_px` and `source`, in the pixels of the frame.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from inspection.geometry import Box
from inspection.line import Line

# decimals of a pixel: a hundredth is below what a person or an annotation tool resolves, and
# keeps the column free of digits that differ between two exports of one box
DECIMALS = 2


@dataclass(frozen=True)
class LabelledBox:
    """A box that a person drew: what it marks, where, and the annotation files that name it."""

    category: str
    box: Box
    source: str


def boxes_cell(boxes: Iterable[LabelledBox]) -> str:
    """The cell of the manifest that holds the boxes of one view."""
    rows = [
        {"category": one.category, **_rounded(one.box), "source": one.source}
        for one in boxes
    ]
    return json.dumps(rows, ensure_ascii=False)


def parse_boxes(cell: str) -> list[LabelledBox]:
    """The boxes of one view, as `boxes_cell` wrote them; all have a box, and a source."""
    return [
        LabelledBox(
            category=row["category"],
            box=Box(row["x_px"], row["y_px"], row["width_px"], row["height_px"]),
            source=row["source"],
        )
        for row in json.loads(cell)
    ]


def boxes_of(boxes: Iterable[LabelledBox], categories: Collection[str]) -> list[Box]:
    """Where the boxes lie whose category is among `categories`, in their order."""
    return [one.box for one in boxes if one.category in categories]


def defect_boxes(boxes: Iterable[LabelledBox], line: Line) -> list[LabelledBox]:
    """The boxes that decide the class of a view: those of defects, if there are any.

    A defect outweighs what is boxed as good: a part with one dent is a dented part, however many
    of its regions are fine. So boxes of the normal class and of regions have no say.
    """
    return [one for one in boxes if one.category in line.defects]


def _rounded(box: Box) -> dict[str, float]:
    edges = {
        "x_px": box.x_px,
        "y_px": box.y_px,
        "width_px": box.width_px,
        "height_px": box.height_px,
    }
    return {name: round(float(edge), DECIMALS) for name, edge in edges.items()}
