"""Which line the pages show: that in the root, or one of `lines/`, as chosen in the sidebar.

Pages name files from the root of a line (dashboard/places.py); `here` says where these lie.
"""

from pathlib import Path

import streamlit as st

from dashboard import address
from dashboard.places import BUNDLE, RELEASES
from inspection.errors import InspectionError
from inspection.plant import LINES, NAME, as_typed, lines_in
from inspection.runtime.bundle import CARD, read_card
from inspection.runtime.releases import champion_line

KEY = "line"


def are_several() -> bool:
    """Whether there is another line than that in the root."""
    return bool(lines_in(LINES))


def choose() -> None:
    """The choice in the sidebar, where there is one; the address names a line in `lines/`.

    What was chosen on the pages of one line means nothing on those of another, and is forgotten.
    """
    if not are_several():
        return
    address.recall(KEY, ["", *lines_in(LINES)])
    st.sidebar.selectbox(
        "Line", ["", *lines_in(LINES)], key=KEY, format_func=title, on_change=_forget
    )
    address.note(KEY)


def here(path: Path) -> Path:
    """Where a file of the chosen line lies, from the current folder."""
    return folder_of(chosen()) / path


def chosen() -> str:
    """The name of the chosen line, '' for that in the root."""
    name = str(st.session_state.get(KEY, ""))
    # nothing but a name leads to a folder
    return name if NAME.fullmatch(name) else ""


def typed(text: str) -> str:
    """A text whose commands are about the chosen line."""
    return as_typed(text, chosen())


def folder_of(name: str) -> Path:
    """The folder of a line by its name, from the current folder."""
    return LINES / name if name else Path()


def title(name: str) -> str:
    """What a line is called: its name, and that in the root as its card says."""
    return name or _of_the_root()


def _of_the_root() -> str:
    if (BUNDLE / CARD).is_file():
        return read_card(BUNDLE).line.name
    try:
        return champion_line(RELEASES)
    except InspectionError:
        return "the line in the root"


def _forget() -> None:
    for key in list(st.session_state):
        if key != KEY:
            del st.session_state[key]
    st.query_params.clear()
