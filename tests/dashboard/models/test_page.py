import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from inspection.runtime.bundle import write_card
from inspection.runtime.releases import promote, release
from inspection.storage import write_json
from tests.bundles import changed_thresholds, make_bundle

pytestmark = pytest.mark.filterwarnings("default")

PAGE = Path(__file__).parents[3] / "dashboard/models/page.py"


@pytest.fixture
def page(line_folder: Path) -> AppTest:
    import streamlit as st

    st.cache_data.clear()
    st.cache_resource.clear()
    return AppTest.from_file(str(PAGE), default_timeout=60)


def serve_a_mild_one(folder: Path) -> None:
    """The champion passes every part by its fused score; the bundle that lies there does not."""
    card = make_bundle(folder / "mild", version="mild")
    write_card(folder / "mild", changed_thresholds(card, 2.0, 3.0))
    release(folder / "mild", folder / "models/releases", "test-line-1")
    promote(folder / "models/releases", "test-line-1")


def test_with_one_version_it_says_how_a_second_one_is_made(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert "run `dvc repro`" in page.info[0].value
    assert "pipelines.promote" in page.info[1].value


def test_what_is_in_the_registry_alone_is_named_with_the_command_that_fetches_it(
    page: AppTest, line_folder: Path
) -> None:
    versions = [
        {"number": "7", "release": "test-line-7", "card_sha256": "f00", "aliases": ["previous"]}
    ]
    write_json(line_folder / "models/releases/registry.json", {"versions": versions})
    page.run()
    assert not page.exception
    (said,) = [one.value for one in page.caption if "In the registry" in one.value]
    assert "7 (test-line-7, previous)" in said
    assert "python -m pipelines.status --fetch 7" in said


def test_parts_whose_verdict_changed_are_shown(page: AppTest, line_folder: Path) -> None:
    """Of the seven parts of val those with a spot on the rod: 2, 3, 5 and 7.

    Part 4 has a spot on the rivet, which the mild one reviews for being unlike any normal part.
    """
    serve_a_mild_one(line_folder)
    page.run()
    assert page.selectbox(key="before").value == "test-line-1"
    (button,) = [one for one in page.button if one.label == "Judge the 7 parts of val by both"]
    button.click().run()
    assert not page.exception
    assert any("**5 of 7 parts changed**: 4 better, 1 worse" in m.value for m in page.markdown)
    (table,) = [one.value for one in page.dataframe if "became" in one.value]
    assert dict(zip(table["part"], table["became"], strict=True)) == {
        "5": "worse", "2": "better", "3": "better", "4": "better", "7": "better",
    }  # fmt: skip


def test_a_promoter_whose_name_is_a_formula_is_text_in_the_log(
    page: AppTest, line_folder: Path
) -> None:
    entry = {"outcome": "promoted", "to": "1", "who": "=1+1", "why": "", "rules": []}
    history = line_folder / "models/releases/history.jsonl"
    history.parent.mkdir(parents=True, exist_ok=True)
    history.write_text(f"{json.dumps(entry)}\n")
    page.run()
    (table,) = [one.value for one in page.dataframe if "who" in one.value]

    assert list(table["who"]) == ["'=1+1"]


def test_what_differs_is_listed_and_the_choice_stands_in_the_address(
    page: AppTest, line_folder: Path
) -> None:
    serve_a_mild_one(line_folder)
    page.query_params["before"] = "test-1"
    page.query_params["after"] = "test-line-1"
    page.run()
    (table,) = [one.value for one in page.dataframe if "what" in one.value]
    row = table.set_index("what").loc["fused: passes below"]
    assert row.tolist() == ["0.3", "2"]


def test_nobody_asks_the_gate_without_a_name(page: AppTest) -> None:
    page.run()
    (button,) = [one for one in page.button if one.label == "Dry run of the gate"]
    assert button.disabled
