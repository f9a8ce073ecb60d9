"""Every page of the dashboard with all that it can show, in a real Chromium."""

from pathlib import Path

import pytest

from benchmarks.apps.servers import Server
from benchmarks.chromium import Browser, chromium
from benchmarks.dashboard import WIDTHS_PX
from tests.browser_checks import cut, foreign
from tests.bundles import draw_jpeg
from tests.dashboard.filled import make_filled_folder
from tests.dashboard.test_browser import ERRORS, TEXT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs Chromium"),
]

# What stands on a page only where there is something to show.
FULL = {
    "?fold=val&part=2&beside=epoch+7,+gradcam+on+fused": "From left to right",
    "review?reviewer=Ada": "Labelled",
    "review?reviewer=Ada&kind=feedback": "Feedback against the verdict",
    "review?reviewer=Ada&boxes=open": "Drag to draw a box",
    "map?area=-99,99,-99,99&colour=camera": "Views chosen: 16, parts: 8",
    "report": "1 alarms: something has changed",
    "models": "Judge the 7 parts of val by both",
    "study": "noise_centre instead of basic",
}
# Rules that spoil the line report, each by what is then named as cut.
SPOILED = {
    "stMain:": "[data-testid=stMainBlockContainer] { min-width: 3000px }",
    "stMetric": "[data-testid=stMetricValue] { width: 3000px }",
    "stCaptionContainer": "[data-testid=stCaptionContainer] { width: 90px; white-space: nowrap }",
    "As on the card": "button p { width: 20px; overflow: hidden; text-overflow: ellipsis; "
    "white-space: nowrap }",
}
# What would be read where something was missing after all.
EMPTY = ("Not tried yet", "Nothing is logged yet", "Nobody has looked yet", "Find them (embeds")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("line")
    make_filled_folder(found)
    return found


def check(browser: Browser, shots: Path, name: str) -> None:
    """At every width the open page has no error, is whole, and asks nothing of others."""
    for width_px in WIDTHS_PX:
        browser.screenshot(shots / f"{name}-{width_px}.png", width_px)
        assert browser.value(f"{ERRORS}.length") == 0
        assert cut(browser) == [], f"{name} at {width_px} px"
    assert browser.requests
    assert foreign(browser) == []


@pytest.mark.parametrize("page", FULL)
def test_a_full_page_is_whole_at_every_width_and_asks_nothing_of_others(
    browser: Browser, server: Server, page: str, tmp_path: Path
) -> None:
    browser.open(f"{server.address}/{page}")
    text = browser.value(TEXT)
    assert FULL[page] in text
    assert not [one for one in EMPTY if one in text]
    check(browser, tmp_path, "full")


def test_own_pictures_are_shown_whole(browser: Browser, server: Server, tmp_path: Path) -> None:
    picture = tmp_path / "a-picture-whose-name-is-as-long-as-some-cameras-give-them.jpg"
    picture.write_bytes(draw_jpeg("dent", seed=77))
    browser.open(f"{server.address}/own?model=test-1")
    browser.choose_files("[data-testid=stFileUploader] input[type=file]", picture)
    browser.wait(f"{TEXT}.includes('reject: dent')")
    check(browser, tmp_path, "own")


def test_parts_whose_verdict_changed_are_shown_whole(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    browser.open(f"{server.address}/models?before=test-line-1&after=test-1")
    browser.click("Judge the 7 parts of val by both")
    browser.wait(f"{TEXT}.includes('5 of 7 parts changed')")
    check(browser, tmp_path, "changed")


def test_the_line_report_prints_to_one_page(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    browser.open(f"{server.address}/report")
    # what is drawn for the screen keeps its width on paper
    for width_px in (1024, 1920):
        browser.resize(width_px, 900)
        browser.wait()
        assert browser.print_pdf(tmp_path / f"{width_px}.pdf") == 1


def test_what_is_cut_on_a_spoiled_page_is_found(browser: Browser, server: Server) -> None:
    browser.resize(1440, 900)
    browser.open(f"{server.address}/report")
    for spoiled, rule in SPOILED.items():
        assert cut(browser) == []
        browser.value(f"document.head.insertAdjacentHTML('beforeend', `<style>{rule}</style>`)")
        assert [one for one in cut(browser, within_s=0) if spoiled in one], rule
        browser.value("document.head.lastChild.remove()")


def test_a_request_to_another_machine_is_found(browser: Browser, server: Server) -> None:
    browser.open(f"{server.address}/study")
    assert foreign(browser) == []
    # an address for documentation, at which nobody answers (RFC 5737)
    browser.value("fetch('http://192.0.2.1/beacon', {mode: 'no-cors'}).catch(() => 0), 0")
    assert foreign(browser) == ["http://192.0.2.1/beacon"]
