"""Boxes that a reviewer is drawing and has not saved: what each step makes of them."""

from dataclasses import dataclass, replace

from inspection.boxes import LabelledBox, boxes_cell, parse_boxes
from inspection.curation.box_reviews import SOURCE
from inspection.geometry import Box

# A new box that is not drawn by mouse lies in the middle, a fifth of the frame wide and high: it is
# seen at once, and smaller than most regions.
NEW_FRACTION = 0.2
# No box is chosen.
NONE = -1


@dataclass(frozen=True)
class Draft:
    """The boxes of a frame of `size_px` (width, height), and the number of the chosen one.

    `begun` is the cell of the manifest with which it began.
    """

    boxes: tuple[LabelledBox, ...]
    size_px: tuple[int, int]
    begun: str
    chosen: int = NONE

    @classmethod
    def of(cls, cell: str, size_px: tuple[int, int]) -> "Draft":
        """A draft that begins with the boxes of a cell."""
        boxes = tuple(replace(one, source=SOURCE) for one in parse_boxes(cell))
        return cls(boxes, size_px, boxes_cell(boxes))

    @property
    def is_changed(self) -> bool:
        """Whether the boxes are others than those it began with."""
        return self.cell != self.begun

    @property
    def cell(self) -> str:
        """The cell of the manifest with these boxes."""
        return boxes_cell(self.boxes)

    @property
    def box(self) -> LabelledBox | None:
        """The chosen box."""
        return self.boxes[self.chosen] if self.chosen != NONE else None

    def choosing(self, number: int) -> "Draft":
        """With another box chosen; none where there is no such number."""
        is_there = 0 <= number < len(self.boxes)
        return replace(self, chosen=number if is_there else NONE)

    def placing(self, number: int, box: Box, category: str) -> "Draft":
        """With the box of this number here; a new one of the category where there is none.

        What reaches over the frame is cut off; a box of which nothing is left changes nothing.
        """
        inside = box.clipped(*self.size_px)
        if inside.area_px <= 0:
            return self
        if not 0 <= number < len(self.boxes):
            added = LabelledBox(category, inside, SOURCE)
            return replace(self, boxes=(*self.boxes, added), chosen=len(self.boxes))
        moved = replace(self.boxes[number], box=inside)
        return replace(self, boxes=self._with(number, moved), chosen=number)

    def adding(self, category: str) -> "Draft":
        """With a new box in the middle of the frame, chosen."""
        width_px, height_px = self.size_px
        side = NEW_FRACTION
        middle = Box(
            x_px=round(width_px * (1 - side) / 2),
            y_px=round(height_px * (1 - side) / 2),
            width_px=max(1, round(width_px * side)),
            height_px=max(1, round(height_px * side)),
        )
        return self.placing(NONE, middle, category)

    def naming(self, category: str) -> "Draft":
        """With another category of the chosen box."""
        if self.box is None:
            return self
        named = replace(self.box, category=category)
        return replace(self, boxes=self._with(self.chosen, named))

    def deleting(self) -> "Draft":
        """Without the chosen box."""
        if self.box is None:
            return self
        number = self.chosen
        kept = (*self.boxes[:number], *self.boxes[number + 1 :])
        return replace(self, boxes=kept, chosen=NONE)

    def emptied(self) -> "Draft":
        """Without any box."""
        return replace(self, boxes=(), chosen=NONE)

    def _with(self, number: int, box: LabelledBox) -> tuple[LabelledBox, ...]:
        return (*self.boxes[:number], box, *self.boxes[number + 1 :])
