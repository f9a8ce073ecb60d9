"""What a page shows where it cannot be drawn."""

from collections.abc import Callable
from functools import wraps

import streamlit as st

from dashboard.switch import typed
from inspection.errors import InspectionError


def shown(draw: Callable[[], None]) -> Callable[[], None]:
    """A page whose InspectionError is shown on it, in place of what was not drawn."""

    @wraps(draw)
    def page() -> None:
        try:
            draw()
        except InspectionError as error:
            st.error(typed(str(error)))

    return page
