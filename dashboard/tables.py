"""Tables on the screen, which Streamlit lets people download as CSV, just as they are."""

import pandas as pd

from inspection.storage import plain_cell


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts begin no formula in a spreadsheet and hold no escape sequence.

    For tables with names of files, parts and people in them, which come from outside.
    """
    shown = table.copy()
    for column in shown.select_dtypes(["object", "string"]).columns:
        shown[column] = shown[column].map(plain_cell)
    return shown
