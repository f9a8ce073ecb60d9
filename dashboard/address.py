"""The state of a page in its address, so that a link shows what the sender saw."""

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st


def recall(key: str, options: Sequence[str], default: str = "") -> None:
    """Before a widget with this key: its value from the address, where that is an option.

    Else the default, and where that is none either, the first option.
    """
    if st.session_state.get(key) in options:
        return
    for value in (st.query_params.get(key), default):
        if value in options:
            st.session_state[key] = value
            return
    st.session_state[key] = options[0]


def recall_text(key: str) -> None:
    """Before a field of free text with this key: its value from the address."""
    if key not in st.session_state:
        st.session_state[key] = st.query_params.get(key, "")


def recall_number(
    key: str, name: str, ends: tuple[float, float], default: float
) -> None:
    """Before a slider or field of numbers: its value by its name in the address, between the ends.

    Else the default, which also says whether the number is a whole one.
    """
    if key in st.session_state:
        return
    low, high = ends
    value = _number(st.query_params.get(name, ""))
    if value is None or not low <= value <= high:
        value = default
    st.session_state[key] = type(default)(value)


def note_number(name: str, value: float, default: float) -> None:
    """After a slider or field of numbers: its value into the address, unless it is the default."""
    note_text(name, "" if value == default else f"{value:g}")


def note(*keys: str) -> None:
    """After the widgets: their values into the address; what is empty is not named there."""
    for key in keys:
        note_text(key, str(st.session_state.get(key, "")))


def note_text(name: str, value: str) -> None:
    """A value by its name into the address; what is empty is not named there."""
    if value:
        st.query_params[name] = value
    elif name in st.query_params:
        del st.query_params[name]


def _number(text: str) -> float | None:
    """The number that a text is; None where it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def link(page: str, **state: str) -> str:
    """Where a page shows this state of the chosen line, from any page; the first is called ''."""
    line = st.session_state.get("line", "")
    of_a_line = {"line": line} if line else {}
    return f"./{page}?{urlencode(of_a_line | state)}"
