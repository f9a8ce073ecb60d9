from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.architecture import ROOT
from tests.dashboard.plant.conftest import make_plant

pytestmark = pytest.mark.filterwarnings("default")
EXPLORER = str(ROOT / "dashboard/explorer/page.py")
# A page of one line, as the app shows it.
SCRIPT = """
from dashboard import address, switch
from dashboard.{room} import page
switch.choose()
page.main()
import streamlit as st
st.text(address.link("review", item="a"))
"""


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_plant(tmp_path)
    return tmp_path


def opened(room: str, **address: str) -> AppTest:
    app = AppTest.from_string(SCRIPT.format(room=room), default_timeout=60)
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def parts(app: AppTest) -> list[str]:
    return list(app.selectbox(key="part").options)


def test_the_app_has_a_plant_page_and_a_switch_where_there_are_several_lines(plant: Path) -> None:
    app = AppTest.from_file(str(ROOT / "dashboard/app.py"), default_timeout=60).run()

    assert not app.exception
    assert app.sidebar.selectbox(key="line").options == ["rods", "new", "tiles"]


def test_with_one_line_there_is_no_switch(line_folder: Path) -> None:
    app = AppTest.from_file(str(ROOT / "dashboard/app.py"), default_timeout=60).run()

    assert not [one for one in app.selectbox if one.key == "line"]


def test_the_address_names_the_line_and_so_do_links(plant: Path) -> None:
    app = opened("explorer", line="tiles")

    assert app.selectbox(key="line").value == "tiles"
    assert all(one.startswith("T") for one in parts(app))
    assert app.text[-1].value == "./review?line=tiles&item=a"
    assert app.query_params["line"] in ("tiles", ["tiles"])


def test_another_line_forgets_what_was_chosen_on_the_pages_of_the_one_before(plant: Path) -> None:
    app = opened("explorer", part="3")
    assert app.selectbox(key="part").value == "3"
    app.selectbox(key="fold").set_value("train").run()

    app.selectbox(key="line").set_value("tiles").run()

    assert not app.exception
    assert app.selectbox(key="fold").value == "val"
    assert app.selectbox(key="part").value in parts(app)
    assert all(one.startswith("T") for one in parts(app))
    app.selectbox(key="line").set_value("").run()
    assert "3" in parts(app)
    assert "line" not in app.query_params


@pytest.mark.parametrize("name", ["nowhere", "../..", "/etc", "tiles/../.."])
def test_a_line_that_is_none_is_not_asked_for_files(plant: Path, name: str) -> None:
    app = opened("explorer", line=name)

    assert app.selectbox(key="line").value == ""
    assert "3" in parts(app)


def test_a_decision_about_a_line_is_written_into_its_own_reviews(plant: Path) -> None:
    app = opened("review", line="tiles", reviewer="Ada")
    answers = [one for one in app.button if one.label.endswith("dent") or "dent" in one.label]
    answers[0].click().run()

    assert not app.exception
    decided = plant / "lines/tiles/reviews/decisions.jsonl"
    assert "Ada" in decided.read_text(encoding="utf-8")
    assert not (plant / "reviews/decisions.jsonl").exists()


def test_a_line_that_has_not_run_says_what_to_run(plant: Path) -> None:
    app = opened("explorer", line="new")

    assert ["`dvc --cd lines/new repro`" in one.value for one in app.error] == [True]
