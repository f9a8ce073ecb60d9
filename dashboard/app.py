"""The dashboard: `python -m streamlit run dashboard/app.py`, from the project's root.

Each page is a package of this folder, with its `page` module; all that is not the screen lies in
modules beside it that do not import streamlit.
"""

import streamlit as st

from dashboard import switch
from dashboard.embedding import page as embedding
from dashboard.explorer import page as explorer
from dashboard.models import page as models
from dashboard.operating import page as operating
from dashboard.own import page as own
from dashboard.plant import page as plant
from dashboard.review import page as review
from dashboard.study import page as study

# The name of a version with its role fits, and three views of a part beside it at 1024 px.
SIDEBAR_PX = 320


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(
        page_title="Knurl", layout="wide", initial_sidebar_state=SIDEBAR_PX
    )
    pages = [
        st.Page(explorer.main, title="CAM explorer", url_path="explorer", default=True),
        st.Page(own.main, title="Own pictures", url_path="own"),
        st.Page(review.main, title="Review desk", url_path="review"),
        st.Page(embedding.main, title="Embedding map", url_path="map"),
        st.Page(operating.main, title="Line report", url_path="report"),
        st.Page(models.main, title="Models", url_path="models"),
        st.Page(study.main, title="Study", url_path="study"),
    ]
    if switch.are_several():
        pages.insert(0, st.Page(plant.main, title="Plant", url_path="plant"))
    page = st.navigation(pages)
    switch.choose()
    page.run()


if __name__ == "__main__":
    main()
