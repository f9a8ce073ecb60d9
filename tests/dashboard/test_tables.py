import pandas as pd
from streamlit.testing.v1 import AppTest


def page() -> None:
    import pandas as pd

    from dashboard.tables import show_table

    table = pd.DataFrame({"class": ["=HYPERLINK(A1)", "dent"], "n": [1, 2], "error": [-0.5, None]})
    show_table(table, placeholder="-")


def test_no_cell_of_a_table_that_can_be_downloaded_is_a_formula() -> None:
    app = AppTest.from_function(page).run()
    assert not app.exception
    (shown,) = [one.value for one in app.dataframe]
    assert list(shown["class"]) == ["'=HYPERLINK(A1)", "dent"]
    assert list(shown["n"]) == [1, 2]
    # numbers stay numbers
    assert shown["error"].tolist()[0] == -0.5
    assert pd.isna(shown["error"].tolist()[1])
