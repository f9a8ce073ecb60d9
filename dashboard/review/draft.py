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
        labelled = parse_boxes(cell)
        boxes = tuple(replace(one, source=SOURCE) for one in labelled)
        begun = boxes_cell(boxes)
        return cls(boxes, size_px, begun)

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
        if self.chosen == NONE:
            return None
        return self.boxes[self.chosen]

    def choosing(self, number: int) -> "Draft":
        """With another box chosen; none where there is no such number."""
        chosen = number if self._has(number) else NONE
        return replace(self, chosen=chosen)

    def placing(self, number: int, box: Box, category: str) -> "Draft":
        """With the box of this number here; a new one of the category where there is none.

        What reaches over the frame is cut off; a box of which nothing is left changes nothing.
        """
        inside = box.clipped(*self.size_px)
        if inside.area_px <= 0:
            return self

        if self._has(number):
            moved = replace(self.boxes[number], box=inside)
            boxes = self._with(number, moved)
            return replace(self, boxes=boxes, chosen=number)

        added = LabelledBox(category, inside, SOURCE)
        boxes = (*self.boxes, added)
        return replace(self, boxes=boxes, chosen=len(self.boxes))

    def adding(self, category: str) -> "Draft":
        """With a new box in the middle of the frame, chosen."""
        width_px, height_px = self.size_px
        # what is left of the frame on each side
        margin = (1 - NEW_FRACTION) / 2
        # in a tiny frame a pixel at least: a box of none would not be added
        middle = Box(
            x_px=round(width_px * margin),
            y_px=round(height_px * margin),
            width_px=max(1, round(width_px * NEW_FRACTION)),
            height_px=max(1, round(height_px * NEW_FRACTION)),
        )
        return self.placing(NONE, middle, category)

    def naming(self, category: str) -> "Draft":
        """With another category of the chosen box."""
        if self.box is None:
            return self
        named = replace(self.box, category=category)
        boxes = self._with(self.chosen, named)
        return replace(self, boxes=boxes)

    def deleting(self) -> "Draft":
        """Without the chosen box."""
        if self.box is None:
            return self
        before = self.boxes[: self.chosen]
        behind = self.boxes[self.chosen + 1 :]
        return replace(self, boxes=(*before, *behind), chosen=NONE)

    def emptied(self) -> "Draft":
        """Without any box."""
        return replace(self, boxes=(), chosen=NONE)

    def _has(self, number: int) -> bool:
        """Whether there is a box of this number."""
        return 0 <= number < len(self.boxes)

    def _with(self, number: int, box: LabelledBox) -> tuple[LabelledBox, ...]:
        """The boxes, with this one in place of that of the number."""
        boxes = list(self.boxes)
        boxes[number] = box
        return tuple(boxes)
