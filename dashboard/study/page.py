"""The study: what augmentation and centre crop do to classes and heat, recipe by recipe."""

from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import address, errors
from dashboard.operating.trials import age_sentence
from dashboard.places import BUNDLE
from dashboard.study.tables import (
    SHARES,
    class_table,
    interval_rows,
    sentences,
    share_table,
)
from dashboard.switch import here, typed
from dashboard.tables import show_table
from inspection.runtime.bundle import CARD, read_card
from inspection.storage import read_json

STUDY = Path("metrics/study.json")
SHEET = Path("artifacts/study/sheet.jpg")
# no outcome: height of a recipe in the chart, width of its line, and the area of its point
ROW_PX, LINE_PX, POINT_PX2 = 44, 2, 90


@errors.shown
def main() -> None:
    """Draw the page."""
    st.header("Study of augmentation and centre crop")
    if not here(STUDY).is_file():
        st.info(
            typed(
                "Nothing was studied yet: `make study` trains the whole line with each recipe, "
                "which takes as long as several runs of it, and shows here what it found."
            )
        )
        return

    found = read_json(here(STUDY))
    st.markdown(
        "The line was trained and assembled with each recipe, on the same folds. Heat is that of "
        "the defects that the classifier names on test parts, by the graph that would serve: the "
        "share of it on the defect, on the crop's edge, and elsewhere, which is noise."
    )
    _show_shares(found)
    _show_changes(found)
    # two tables: one of all columns is wider than a page of 1024 px
    for table in (share_table(found), class_table(found)):
        show_table(table, height="content")
    st.caption(
        "macro-F1 by part, with its one-sided 95 % bound. Shares of heat are means over views; "
        "each end of an interval holds with 95 % confidence, by drawing parts anew."
    )
    if here(SHEET).is_file():
        st.subheader("The same val crops by each recipe")
        st.image(str(here(SHEET)), width="stretch")
    _note_age(found)


def _show_shares(found: dict[str, Any]) -> None:
    """One share of the heat by recipe, with its interval."""
    titles = {title: share for share, title in SHARES.items()}
    address.recall("share", list(titles))
    title = st.segmented_control("Heat", list(titles), key="share", required=True)
    address.note("share")
    rows = interval_rows(found, titles[str(title)])
    st.altair_chart(_chart(rows, str(title)))


def _chart(rows: pd.DataFrame, title: str) -> alt.LayerChart:
    """A point and the line of its interval for each recipe, in their order."""
    recipes = alt.Y("recipe:N", sort=None, title=None)
    # bound: a number that would reach beyond the chart is left out
    axis = alt.Axis(format="%", labelBound=True)
    scale = alt.Scale(zero=True)
    base = alt.Chart(rows)
    lines = base.mark_rule(strokeWidth=LINE_PX).encode(
        x=alt.X("low:Q", title=f"share of the heat {title}", axis=axis, scale=scale),
        x2="high:Q",
        y=recipes,
    )
    points = base.mark_point(filled=True, size=POINT_PX2, opacity=1).encode(
        x=alt.X("value:Q", axis=axis, scale=scale), y=recipes
    )
    return (lines + points).properties(height=ROW_PX * (1 + len(rows)))


def _show_changes(found: dict[str, Any]) -> None:
    said = sentences(found)
    if not said:
        st.caption("One recipe alone: there is nothing to hold it against.")
    for sentence in said:
        st.markdown(sentence)


def _note_age(found: dict[str, Any]) -> None:
    """Where the study is of another bundle than the one that lies there, that is said."""
    if not (here(BUNDLE) / CARD).is_file():
        return
    sentence = age_sentence(found, read_card(here(BUNDLE)).version, "make study")
    if sentence:
        st.caption(typed(sentence))


if __name__ == "__main__":
    main()
