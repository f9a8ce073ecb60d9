"""The plant page and the switch in a real Chromium."""

from pathlib import Path

import pytest

from benchmarks.apps.servers import Server
from benchmarks.chromium import Browser, chromium
from benchmarks.dashboard import WIDTHS_PX
from tests.browser_checks import cut, foreign
from tests.dashboard.plant.conftest import make_plant
from tests.dashboard.test_browser import ERRORS, TEXT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs Chromium"),
]
# What stands on a page of a plant, whichever line is chosen.
SHOWN = {
    "plant": "1 alarms: something has changed",
    "report?line=tiles": "Line report: tiles",
    "?line=tiles&part=T3": "tiles",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("plant")
    make_plant(found)
    return found


@pytest.mark.parametrize("page", SHOWN)
def test_a_page_of_a_plant_is_whole_at_every_width_and_asks_nothing_of_others(
    browser: Browser, server: Server, page: str, tmp_path: Path
) -> None:
    browser.open(f"{server.address}/{page}")

    assert SHOWN[page] in browser.value(TEXT)
    for width_px in WIDTHS_PX:
        browser.screenshot(tmp_path / f"plant-{width_px}.png", width_px)
        assert browser.value(f"{ERRORS}.length") == 0
        assert cut(browser) == [], f"{page} at {width_px} px"
    assert foreign(browser) == []
