"""How every page shows a table."""

from typing import Any

import pandas as pd
import streamlit as st

from inspection.storage import plain_table


def show_table(table: pd.DataFrame, **layout: Any) -> None:
    """Show a table without its index, laid out as `st.dataframe` has it.

    A page offers its tables as CSV, which people open in a spreadsheet: no cell may be a formula.
    """
    st.dataframe(plain_table(table), hide_index=True, **layout)
