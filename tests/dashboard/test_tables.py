import pandas as pd

from dashboard.tables import plain


def test_a_table_that_people_may_download_begins_no_formula_and_stays_as_it_was() -> None:
    """Streamlit puts the cells into the CSV as they are, but for quotes."""
    table = pd.DataFrame({"part": ["=1+1", "A-17"], "who": ["a\x1b[2J", None], "n": [-1, 2]})
    shown = plain(table)

    assert list(shown["part"]) == ["'=1+1", "A-17"]
    assert shown["who"][0] == "a\\x1b[2J"
    assert shown["who"].isna()[1]
    assert list(shown["n"]) == [-1, 2]
    assert table["part"][0] == "=1+1"
