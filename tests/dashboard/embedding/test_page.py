from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from inspection.storage import write_json
from tests.dashboard.conftest import save

pytestmark = pytest.mark.filterwarnings("default")

PAGE = Path(__file__).parents[3] / "dashboard/embedding/page.py"
EVERYWHERE = "-99,99,-99,99"


@pytest.fixture
def page(line_folder: Path) -> AppTest:
    import streamlit as st

    st.cache_data.clear()
    st.cache_resource.clear()
    return AppTest.from_file(str(PAGE), default_timeout=60)


def run(page: AppTest, **address: str) -> AppTest:
    for key, value in address.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    assert [one.value for one in page.error] == []
    return page


def measure(page: AppTest) -> None:
    (button,) = [one for one in page.button if one.label.startswith("Measure all views")]
    button.click().run()
    assert not page.exception


def table(page: AppTest) -> pd.DataFrame:
    (found,) = [one.value for one in page.dataframe]
    return found


def captions(page: AppTest) -> str:
    return "\n".join(one.value for one in page.caption)


def test_before_the_views_are_measured_it_says_what_to_press(page: AppTest) -> None:
    run(page)
    assert "*Measure all views* does it once" in page.info[0].value
    assert [one.label for one in page.button] == ["Measure all views (18)"]


def test_once_measured_it_says_how_to_choose_and_measures_no_more(page: AppTest) -> None:
    run(page)
    measure(page)
    assert "Drag a box over some points" in page.info[0].value
    run(page)
    assert not page.button


def test_views_of_an_area_are_shown_and_those_of_test_only_when_asked(page: AppTest) -> None:
    run(page, area=EVERYWHERE)
    measure(page)
    assert page.subheader[0].value == "Views chosen: 16, parts: 8"
    assert "test" not in set(table(page)["fold"])
    assert not page.warning
    run(page, views="all views")
    page.segmented_control(key="views").set_value("all views").run()
    assert page.subheader[0].value == "Views chosen: 18, parts: 9"
    assert "choose nothing by it" in page.warning[0].value
    assert "The first 12 of 18 by part" in captions(page)


def test_a_view_is_listed_with_its_verdict_and_opens_in_the_explorer(page: AppTest) -> None:
    run(page, view="51")
    measure(page)
    (row,) = table(page).to_dict("records")
    assert (row["part"], row["label"], row["verdict"], row["view"]) == (
        "5", "normal", "reject", "5_1.jpg",
    )  # fmt: skip
    address = urlparse(row["look"])
    state = {key: values[0] for key, values in parse_qs(address.query).items()}
    assert address.path == "./"
    assert state == {
        "model": "test-1", "fold": "val", "label": "all", "part": "5", "view": "images/5_1.jpg",
    }  # fmt: skip


def test_a_held_view_opens_at_the_review_desk(page: AppTest, line_folder: Path) -> None:
    folds = line_folder / "artifacts/folds/folds.parquet"
    kept = pd.read_parquet(folds)
    kept[kept["view_id"] != "51"].to_parquet(folds, index=False)
    run(page, view="51")
    measure(page)
    (row,) = table(page).to_dict("records")
    assert row["fold"] == "held"
    assert row["look"].startswith("./review?item=")


def test_neighbours_by_what_colours_the_points_are_told(page: AppTest) -> None:
    """Of eight parts the one slide and the one pressed rivet have no like: six in eight agree.

    Five are rejected and three pass: by chance (5/8)^2 + (3/8)^2.
    """
    run(page, colour="verdict")
    measure(page)
    assert page.segmented_control(key="colour").value == "verdict"
    assert "same verdict on the part for 75 % of the views; by chance it would for 53 %" in (
        captions(page)
    )
    page.segmented_control(key="colour").set_value("camera").run()
    assert "whether the camera also tells the class" in captions(page)


def test_points_are_coloured_by_time_and_neighbours_are_told_by_it(page: AppTest) -> None:
    """Parts 1 and 2 are the first quarter of nine, 3 to 5 the second; nine is of test."""
    run(page, colour="time")
    measure(page)
    assert page.segmented_control(key="colour").value == "time"
    assert "has the same time, by the order of the parts for" in captions(page)
    assert page.query_params["colour"] in ("time", ["time"])


def test_what_the_shortcut_audit_says_of_clusters_is_told(
    page: AppTest, line_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eighteen views in four clusters: the dents, hot in the classifier, all of one camera."""
    monkeypatch.setattr("dashboard.embedding.clusters.N_CLUSTERS", 4)
    run(page)
    measure(page)
    assert "`dvc repro split` audits it" in captions(page)

    views = pd.read_parquet(line_folder / "artifacts/labels/manifest.parquet")
    is_hot = views["part_id"].isin(["2", "5", "7"])
    cameras = is_hot.map({True: "left", False: "right"})
    audit = pd.DataFrame({"path": views["path"], "camera": cameras})
    save(line_folder / "artifacts/folds/shortcuts.parquet", audit)
    write_json(line_folder / "metrics/split.json", {"shortcut_classes": {"camera": "dent"}})
    run(page)
    (named,) = [one for one in page.expander if "are a circumstance" in one.label]
    (lines,) = [one.value for one in named.markdown]
    assert "6 views: camera left in 100 % of them, in 38 % of all" in lines
    assert "camera tells dent ([look at them](./map?" in lines

    write_json(line_folder / "metrics/split.json", {"shortcut_classes": {}})
    run(page)
    assert "No cluster is a camera" in captions(page)


def test_an_address_that_names_no_area_chooses_nothing(page: AppTest) -> None:
    run(page, area="1,2,three")
    measure(page)
    assert "Drag a box" in page.info[0].value


def test_a_picture_that_is_gone_is_named(page: AppTest, line_folder: Path) -> None:
    (line_folder / "data/images/3_1.jpg").unlink()
    run(page)
    measure(page)
    assert "data/images/3_1.jpg: not found" in page.error[0].value
