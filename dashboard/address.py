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


def note(*keys: str) -> None:
    """After the widgets: their values into the address; what is empty is not named there."""
    for key in keys:
        value = str(st.session_state.get(key, ""))
        if value:
            st.query_params[key] = value
        elif key in st.query_params:
            del st.query_params[key]


def link(page: str, **state: str) -> str:
    """Where a page shows this state, from any page; the first page is called ''."""
    return f"./{page}?{urlencode(state)}"
