from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View
from tests.bundles import draw_jpeg

pytestmark = pytest.mark.filterwarnings("default")

PAGE = Path(__file__).parents[3] / "dashboard/own/page.py"


@pytest.fixture
def page(line_folder: Path) -> AppTest:
    import streamlit as st

    st.cache_data.clear()
    st.cache_resource.clear()
    return AppTest.from_file(str(PAGE), default_timeout=60).run()


def drop(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.file_uploader[0].set_value([(name, data, "image/jpeg") for name, data in files])
    page.run()
    assert not page.exception
    return page


def test_without_a_picture_it_says_what_to_do(page: AppTest) -> None:
    assert "Drop one or more pictures" in page.info[0].value


def test_a_part_gets_the_numbers_of_the_inspector_that_serves(page: AppTest) -> None:
    """The service answers with what the inspector says; so does the page, to 1e-6."""
    files = [("a.jpg", draw_jpeg("normal", seed=1)), ("b.jpg", draw_jpeg("dent", seed=2))]
    drop(page, *files)
    said = Inspector(Path("models/bundle")).inspect([View(*file) for file in files])
    assert page.subheader[0].value == f":red[{said.verdict}]: {said.label} ({said.cause})"
    for table, view in zip(page.dataframe, said.views, strict=True):
        shown = dict(zip(table.value["score of"], table.value["score"], strict=True))
        assert shown == pytest.approx(view.scores, abs=1e-6)
    assert "dent, decides" in page.markdown[1].value


def test_what_is_no_picture_is_refused_with_a_reason(page: AppTest) -> None:
    drop(page, ("a.jpg", b"no picture"))
    assert page.error[0].value


def test_a_whole_folder_is_no_part(page: AppTest) -> None:
    drop(page, *[(f"{n}.jpg", draw_jpeg()) for n in range(17)])
    assert "17 pictures" in page.error[0].value
