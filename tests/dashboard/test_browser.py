"""The dashboard as a person sees it: the real server, in a real Chromium."""

import time
from pathlib import Path

import pytest

from benchmarks.apps.servers import Server
from benchmarks.chromium import CHART_S, Browser, chromium
from benchmarks.dashboard import PAGES, WIDTHS_PX, looks, waits
from tests.browser_checks import cut, foreign
from tests.bundles import FRAME_SIZE_PX
from tests.dashboard.conftest import make_line_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs Chromium"),
]

CHART = "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg"
# How a page shows that something went wrong.
ERRORS = "document.querySelectorAll('[data-testid=stException], [data-testid=stAlertContentError]')"
TEXT = "document.querySelector('[data-testid=stMain]').innerText"
# What each page says of how it is filled, after the first `dvc repro`.
EMPTY = {
    "": "the classifier",
    "own": "Drop one or more pictures",
    "review": "Find them (embeds every view once)",
    "map": "Measure all views",
    "report": "Measure val (14 views)",
    "models": "python -m pipelines.promote",
    "study": "make study",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("line")
    make_line_folder(found)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_page_settles_without_an_error_and_says_how_it_is_filled(
    browser: Browser, server: Server, page: str, tmp_path: Path
) -> None:
    browser.open(f"{server.address}/{page}")
    assert EMPTY[page] in browser.value(TEXT)
    assert browser.value(f"{ERRORS}.length") == 0
    for width_px in WIDTHS_PX:
        shot = tmp_path / f"{page}-{width_px}.png"
        browser.screenshot(shot, width_px)
        assert shot.read_bytes().startswith(b"\x89PNG")
        assert cut(browser) == []
    assert browser.requests
    assert foreign(browser) == []


def test_arrows_go_through_views_and_parts_and_every_wait_is_measured(
    browser: Browser, server: Server
) -> None:
    """Of part 2 the first view decides: down and up; of part 3 the second: up alone."""
    found = waits(browser, server, 2, fold="val")
    assert (len(found.part_s), len(found.view_s)) == (2, 3)
    assert 0 < min(found.view_s) <= max(found.view_s) < found.cold_s + 60
    assert "part=3" in browser.value("location.search")
    assert "other view" in str(found)
    assert "(n = 3)" in str(found)


def test_views_are_looked_at_one_after_the_other_through_all_folds(
    browser: Browser, server: Server
) -> None:
    """Both views of the one part of train, and those of the first part of val."""
    found = looks(browser, server, 4)
    assert sorted(found.views) == [f"images/{name}.jpg" for name in ("1_1", "1_2", "8_1", "8_2")]
    assert len(found.change_s) == 2
    assert min(found.memory_mb) > 0
    assert "4, 4 of them distinct" in str(found)


def test_a_box_dragged_over_the_map_chooses_views_and_a_link_restores_it(
    browser: Browser, server: Server
) -> None:
    browser.resize(1440, 900)
    browser.open(f"{server.address}/map")
    browser.click("Measure all views")
    browser.wait(f"!!document.querySelector('{CHART}')")
    time.sleep(CHART_S)
    left, top, width, height = browser.box(CHART)

    browser.drag((left + 0.5 * width, top + 0.2 * height), (left + width, top + 0.9 * height))
    browser.wait("location.search.includes('area=')")
    browser.wait()
    chosen = "[...document.querySelectorAll('h3')].map(one => one.innerText).join()"
    first = browser.value(chosen)
    assert first.startswith("Views chosen: ")

    browser.open(browser.value("location.href"))
    assert browser.value(chosen) == first

    # a click beside the box takes it away
    left, top, width, height = browser.box(CHART)
    beside = (left + 0.2 * width, top + 0.3 * height)
    browser.drag(beside, beside)
    browser.wait("!location.search.includes('area=')")


def test_a_box_is_drawn_moved_and_resized_by_mouse_and_saved_by_a_key(
    browser: Browser, server: Server, folder: Path
) -> None:
    browser.resize(1440, 900)
    browser.open(f"{server.address}/review?reviewer=Grace&boxes=open")
    browser.wait("!!document.querySelector('svg.drawing text')")

    def screen(x_px: float, y_px: float) -> tuple[float, float]:
        """Where a place of the frame is in the window."""
        left, top, width, height = browser.box("svg.drawing")
        return left + width * x_px / FRAME_SIZE_PX[0], top + height * y_px / FRAME_SIZE_PX[1]

    def drag(start: tuple[float, float], end: tuple[float, float], left: str) -> None:
        """Drag, and wait until the field of the left edge shows this."""
        browser.drag(screen(*start), screen(*end))
        field = "document.querySelector('input[aria-label=\"Left, px\"]')"
        browser.wait(f"{field}.value.startsWith('{left}')")
        browser.wait()

    drag((84, 112), (108, 136), "84")
    drag((96, 124), (116, 124), "104")
    drag((104, 112), (94, 102), "94")
    browser.press("s")
    table = folder / "reviews/boxes.csv"
    browser.wait("document.body.innerText.includes('boxes: 3 saved')")

    *_, drawn = [row.split(",") for row in table.read_text().splitlines()]
    assert (drawn[1], drawn[6]) == ("dent", "Grace")
    found = [float(number) for number in drawn[2:6]]
    # a pixel of the screen is half of one of this frame
    assert found == pytest.approx([94, 102, 34, 34], abs=1)
