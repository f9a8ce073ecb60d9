"""What can be decided of a view at the review desk, each by a key of its own."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from dashboard import address
from dashboard.review import actions
from dashboard.review.journal import Journal
from dashboard.review.labels import VAGUE
from dashboard.review.queue import Item
from inspection.curation.reviews import EXCLUDED
from inspection.line import Line

# Whether boxes are drawn.
CLOSED, OPEN = "", "open"


def show_keys(item: Item, journal: Journal, line: Line, reviewer: str) -> None:
    """A button for each decision, a field for a note, and what became of the last decision."""
    decide = partial(actions.decide, item, journal, reviewer)
    off = not reviewer
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _offer_classes(item, line, decide, off=off)
        st.button(
            "Vague",
            shortcut="V",
            on_click=decide,
            args=(VAGUE,),
            disabled=off,
            help="Nobody can tell from this picture. Another person is asked; two who say "
            "so leave the view out.",
        )
        st.button(
            "Leave out",
            shortcut="X",
            on_click=decide,
            args=(EXCLUDED,),
            disabled=off,
        )
        offer_undo(journal, reviewer)
        _show_boxes_key(item)
    st.text_input(
        "Note",
        key="note",
        placeholder="Note to the next decision (optional)",
        label_visibility="collapsed",
    )
    show_outcome()


def offer_undo(journal: Journal, reviewer: str) -> None:
    """What takes the reviewer's last decision back."""
    st.button(
        "Undo",
        shortcut="U",
        on_click=actions.undo,
        args=(journal, reviewer),
        disabled=not reviewer,
    )


def show_outcome() -> None:
    """What became of the key that was pressed last."""
    if problem := st.session_state.pop("problem", ""):
        st.error(problem)
    if done := st.session_state.pop("done", ""):
        st.toast(done)


def _offer_classes(
    item: Item,
    line: Line,
    decide: Callable[[str], None],
    *,
    off: bool,
) -> None:
    """To keep the label, and every other class in place of it."""
    is_class = item.label in line.classes
    st.button(
        f"Keep {item.label}" if is_class else "Keep",
        shortcut="K",
        type="primary",
        on_click=decide,
        args=(item.label,),
        disabled=off or not is_class,
    )
    for number, name in enumerate(line.classes, start=1):
        if name == item.label:
            continue
        # from the tenth class on there is no key of one digit
        has_key = number < 10
        st.button(
            name,
            shortcut=str(number) if has_key else None,
            on_click=decide,
            args=(name,),
            disabled=off,
            key=f"relabel {name}",
        )


def _show_boxes_key(item: Item) -> None:
    """What opens the boxes to be drawn, and closes them."""
    address.recall("boxes", (CLOSED, OPEN))
    is_open = st.session_state["boxes"] == OPEN
    is_off = bool(item.request_id)
    why_off = "Boxes of a picture of the service can be drawn once `take_feedback` has taken it."

    def turn() -> None:
        st.session_state["boxes"] = CLOSED if is_open else OPEN

    st.button(
        "Close boxes" if is_open else "Draw boxes",
        shortcut="B",
        on_click=turn,
        key="turn boxes",
        disabled=is_off,
        help=why_off if is_off else None,
    )
    address.note("boxes")
