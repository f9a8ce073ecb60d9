"""The frame on which a reviewer draws: a component of our own, for Streamlit has none."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.pictures import BLUE, GREEN, jpeg, rgb
from dashboard.review.draft import Draft
from inspection.boxes import LabelledBox
from inspection.geometry import Box, Image
from inspection.line import Line

# As wide as the column on a screen of 1440 px with two pixels to one; sent again with each change.
SENT_PX = 1000
_canvas = st.components.v2.component(
    "knurl.drawing",
    js=Path(__file__).with_name("drawing.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def show(
    frame: Image,
    draft: Draft,
    next_category: str,
    line: Line,
    *,
    key: str,
    on_drawn: Callable[[int, Box], None],
    on_picked: Callable[[int], None],
) -> None:
    """Draw the frame (H, W) or (H, W, 3) and the boxes of the draft over it.

    `on_drawn` gets the number of a box of the draft, -1 for a new one, and where it is now;
    `on_picked` the number of the box that was clicked, -1 for none.
    """
    height_px, width_px = frame.shape[:2]
    content = jpeg(rgb(frame), SENT_PX)
    picture = base64.b64encode(content).decode("ascii")
    data = {
        "image": f"data:image/jpeg;base64,{picture}",
        "width": width_px,
        "height": height_px,
        "chosen": draft.chosen,
        "boxes": [_mark(one, line) for one in draft.boxes],
        "next": _look(next_category, line),
    }

    def sent(what: str) -> Any:
        return st.session_state[key][what]

    def drawn() -> None:
        found = sent("drawn")
        on_drawn(int(found["number"]), _drawn_box(found))

    def picked() -> None:
        found = sent("picked")
        on_picked(int(found["number"]))

    _canvas(key=key, data=data, on_drawn_change=drawn, on_picked_change=picked)


def _drawn_box(found: Any) -> Box:
    """The box that the browser sends, in whole pixels: no hand draws finer."""
    left, top = float(found["x"]), float(found["y"])
    right = left + float(found["width"])
    bottom = top + float(found["height"])
    return Box.from_edges(round(left), round(top), round(right), round(bottom))


def _mark(one: LabelledBox, line: Line) -> dict[str, Any]:
    box = one.box
    place = {
        "x": box.x_px,
        "y": box.y_px,
        "width": box.width_px,
        "height": box.height_px,
    }
    return place | _look(one.category, line)


def _look(category: str, line: Line) -> dict[str, str]:
    """Text and colour of a box: as `marked_frame` draws it."""
    red, green, blue = BLUE if category in line.regions else GREEN
    return {"text": category, "colour": f"rgb({red} {green} {blue})"}
