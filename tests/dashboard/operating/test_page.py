import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from inspection.monitoring.outcomes import Checked
from inspection.monitoring.watching import Alarm
from inspection.runtime.bundle import read_card, write_card
from inspection.runtime.releases import promote, release
from inspection.runtime.verdict import VERDICTS as PART_VERDICTS
from inspection.runtime.verdict_log import VerdictLog
from pipelines.watch import Watched, keep
from tests.bundles import make_bundle
from tests.dashboard.operating.test_trials import drill, evidence

pytestmark = pytest.mark.filterwarnings("default")

AT = "2026-11-25T10:42:07+00:00"
PAGE = Path(__file__).parents[3] / "dashboard/operating/page.py"


@pytest.fixture
def page(line_folder: Path) -> AppTest:
    import streamlit as st

    st.cache_data.clear()
    st.cache_resource.clear()
    labels = {"n_issues": 2, "n_held": 0, "n_views": 18, "n_reviewed": 0}
    (line_folder / "metrics").mkdir()
    (line_folder / "metrics/clean_labels.json").write_text(json.dumps(labels))
    (line_folder / "metrics/split.json").write_text("{}")
    return AppTest.from_file(str(PAGE), default_timeout=60)


def measured(page: AppTest) -> AppTest:
    page.run()
    assert "No scores are kept" in page.info[0].value
    page.button[0].click().run()
    assert not page.exception
    assert [one.value for one in page.error] == []
    return page


def metrics(page: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in page.metric}


def test_val_is_measured_once_and_its_verdicts_are_counted(page: AppTest) -> None:
    measured(page)
    found = metrics(page)
    assert sum(int(found[f"{verdict}, of 7"]) for verdict in ("pass", "review", "reject")) == 7
    assert not [one for one in page.button if one.label.startswith("Measure val")]
    assert "reviewing every part 0.300" in page.markdown[0].value


def test_where_another_version_serves_one_sentence_says_which_is_shown(
    page: AppTest, line_folder: Path
) -> None:
    releases, bundle = line_folder / "models/releases", line_folder / "models/bundle"
    release(bundle, releases, "test-line-1")
    promote(releases, "test-line-1")
    measured(page)
    assert not [one for one in page.markdown if "serves" in one.value]

    make_bundle(bundle, version="newer")
    page.run()
    (said,) = [one.value for one in page.markdown if "serves" in one.value]
    assert said.startswith("test-line-1 serves (bundle test-1).")
    assert "are shown of bundle newer, which was assembled last" in said


def test_the_card_of_the_champion_is_shown_where_it_is_the_model_of_the_scores(
    page: AppTest, line_folder: Path
) -> None:
    """The same model, assembled at other costs: those of the card that serves are the first."""
    releases, bundle = line_folder / "models/releases", line_folder / "models/bundle"
    card = read_card(bundle)
    serving = card.model_copy(update={"costs": {**card.costs, "escape_cost": 42.0}})
    write_card(bundle, serving)
    release(bundle, releases, "test-line-1")
    promote(releases, "test-line-1")
    write_card(bundle, card)
    measured(page)
    assert page.select_slider(key="escape").value == "42"


def test_a_slider_shows_at_once_what_would_happen_and_stands_in_the_address(
    page: AppTest,
) -> None:
    """Where a review costs next to nothing and an escape a fortune, nothing passes."""
    measured(page)
    page.select_slider(key="escape").set_value("1000")
    page.select_slider(key="review").set_value("0.01")
    page.select_slider(key="limit").set_value("0.001").run()
    assert metrics(page)["pass, of 7"] == "0"
    assert page.query_params["escape"] in ("1000", ["1000"])
    (button,) = [one for one in page.button if one.label == "As on the card"]
    button.click().run()
    assert page.select_slider(key="escape").value == "100"


def test_a_link_opens_the_same_point(page: AppTest) -> None:
    measured(page)
    other = AppTest.from_file(str(PAGE), default_timeout=60)
    other.query_params["defects"] = "0.5"
    other.run()
    assert other.select_slider(key="defects").value == "0.5"
    assert other.select_slider(key="escape").value == "100"


def test_what_was_tried_with_unseen_parts_and_defects_is_shown_and_whether_it_still_holds(
    page: AppTest, line_folder: Path
) -> None:
    measured(page)
    assert any("Not tried yet" in one.value for one in page.caption)

    (line_folder / "metrics/drill.json").write_text(json.dumps(drill()))
    found = evidence() | {"beside": read_card(line_folder / "models/bundle").version}
    (line_folder / "metrics/evidence.json").write_text(json.dumps(found))
    page.run()
    assert not page.exception
    assert any(
        "judged by a line that has not seen it, in 5 folds" in m.value for m in page.markdown
    )
    tables = [list(frame.value.columns) for frame in page.dataframe]
    assert any("never shown" in columns for columns in tables)
    ages = [one.value for one in page.caption if one.value.startswith("Tried beside")]
    assert [age.split(";")[0] for age in ages] == ["Tried beside bundle older"]


def test_a_cost_of_the_card_is_a_step_of_its_slider_to_the_last_digit(
    page: AppTest, line_folder: Path
) -> None:
    path = line_folder / "models/bundle/card.json"
    card = json.loads(path.read_text())
    card["costs"]["escape_cost"] = 123.4567891
    path.write_text(json.dumps(card))
    measured(page)
    assert page.select_slider(key="escape").value == "123.4567891"
    assert page.select_slider(key="review").value == "0.3"


def test_running_rates_and_drift_stand_there_once_the_watch_has_looked(
    page: AppTest, line_folder: Path
) -> None:
    measured(page)
    assert any("`make serve` writes" in one.value for one in page.info)
    verdicts = line_folder / "verdicts"
    VerdictLog(verdicts).close()
    page.run()
    assert any("Nobody has looked yet: `make watch`" in one.value for one in page.info)

    alarm = Alarm("1", "Ch00", "", "brightness of rod", 120.0, 84.0, AT, AT, 300)
    checked = {name: Checked(10, 10, int(name == "reject")) for name in PART_VERDICTS}
    keep(verdicts, Watched(n_parts=30, since="", alarms=[alarm], checked=checked))
    page.run()
    assert not page.exception
    assert any("**1 alarms: something has changed**" in one.value for one in page.markdown)
    tables = [one.value for one in page.dataframe]
    (rates,) = [one for one in tables if "rests on" in one]
    assert list(rates["rate"]) == ["escapes", "overkill"]
    assert list(rates["estimate"]) == ["0.0 %", "31.0 %"]
    (drift,) = [one for one in tables if "measure" in one]
    assert drift.loc[0, ["measure", "since"]].tolist() == ["brightness of rod", "2026-11-25 10:42"]
