import json
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.dashboard.study.test_tables import study

pytestmark = pytest.mark.filterwarnings("default")

PAGE = Path(__file__).parents[3] / "dashboard/study/page.py"


@pytest.fixture
def page(line_folder: Path) -> AppTest:
    (line_folder / "metrics").mkdir()
    return AppTest.from_file(str(PAGE), default_timeout=60)


def studied(folder: Path, **changes: object) -> None:
    (folder / "metrics/study.json").write_text(json.dumps(study() | changes))


def test_without_a_study_the_page_says_what_to_run(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert "`make study`" in page.info[0].value


def test_recipes_stand_side_by_side_with_what_they_change(page: AppTest, line_folder: Path) -> None:
    studied(line_folder)
    page.run()
    assert not page.exception
    assert not page.error
    assert list(page.dataframe[0].value["recipe"]) == ["basic", "noise_centre"]
    assert any("instead of basic" in one.value for one in page.markdown)
    assert not [one for one in page.caption if one.value.startswith("Tried beside")]


def test_the_share_that_is_drawn_stands_in_the_address(page: AppTest, line_folder: Path) -> None:
    studied(line_folder)
    page.query_params["share"] = "elsewhere"
    page.run()
    assert page.segmented_control(key="share").value == "elsewhere"
    page.segmented_control(key="share").set_value("on the defect").run()
    assert page.query_params["share"] in ("on the defect", ["on the defect"])
    assert not page.exception


def test_pictures_are_shown_and_a_study_of_another_bundle_says_so(
    page: AppTest, line_folder: Path
) -> None:
    studied(line_folder, beside="other", changes={})
    sheet = line_folder / "artifacts/study/sheet.jpg"
    sheet.parent.mkdir(parents=True)
    Image.new("RGB", (40, 20)).save(sheet)
    page.run()
    assert not page.exception
    captions = [one.value for one in page.caption]
    assert "Tried beside bundle other; this is test-1: `make study`." in captions
    assert "One recipe alone: there is nothing to hold it against." in captions
    assert "The same val crops by each recipe" in [one.value for one in page.subheader]
