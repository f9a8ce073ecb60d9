from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.architecture import ROOT

pytestmark = pytest.mark.filterwarnings("default")
PAGE = str(ROOT / "dashboard/plant/page.py")


def test_the_page_lists_the_lines_with_links_to_their_pages(plant: Path) -> None:
    page = AppTest.from_file(PAGE, default_timeout=60).run()

    assert not page.exception
    assert [one.value for one in page.subheader] == ["rods", "new", "tiles"]
    assert list(page.dataframe[0].value["line"]) == ["rods", "new", "tiles"]
    said = " ".join(one.value for one in page.markdown)
    assert "(./review?line=tiles)" in said
    assert "(./report?line=)" in said
    assert "1 alarms: something has changed" in said
    assert ["champion.json" in one.value for one in page.warning] == [True]
    assert "`dvc --cd lines/new repro`" in page.warning[0].value


def test_a_file_that_cannot_be_read_of_one_line_leaves_the_others(plant: Path) -> None:
    (plant / "models/releases/champion.json").write_text("{")

    page = AppTest.from_file(PAGE, default_timeout=60).run()

    assert not page.exception
    assert list(page.dataframe[0].value["champion"]) == ["none", "none", "tiles-1"]
