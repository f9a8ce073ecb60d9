"""The page at / as a person uses it: the real service, in a real Chromium."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.apps.servers import Server, bentoml_command, free_port, running
from benchmarks.chromium import Browser, browsing, chromium
from benchmarks.dashboard import WIDTHS_PX
from inspection.runtime.verdict_log import read_feedback
from tests.architecture import ROOT
from tests.browser_checks import foreign
from tests.bundles import FRAME_SIZE_PX, draw_jpeg

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs Chromium"),
]

# Where `draw_part` puts a dent: left, top and side, in px of the frame.
LEFT_PX, TOP_PX, SIDE_PX = 84, 112, 24
# The colour of a box whose detector rejects, and how far JPEG and smoothing may be off it.
REJECT, TOLERANCE = (255, 77, 79), 40
IDLE = "document.querySelector('#verdict').classList.contains('idle')"
JUDGED = f"!{IDLE} && !document.querySelector('#details').hidden"


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verdicts")


@pytest.fixture(scope="module")
def server(
    releases: Path, verdicts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    port = free_port()
    command = bentoml_command("serving.service:Inspection", port)
    variables = {
        "KNURL_RELEASES": str(releases),
        "KNURL_TOKEN": "",
        "KNURL_VERDICTS": str(verdicts),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    with running(command, port, tmp_path_factory.mktemp("log"), variables, ROOT) as found:
        yield found


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture
def page(chrome: Browser, server: Server) -> Browser:
    """The page, once it knows which model serves."""
    chrome.resize(1440, 900)
    chrome.go(f"{server.address}/")
    chrome.wait("document.querySelector('#model').innerText.includes('test-line')")
    return chrome


def text(page: Browser, selector: str) -> str:
    return str(page.value(f"document.querySelector({json.dumps(selector)}).innerText"))


def is_shown(page: Browser, selector: str) -> bool:
    return bool(page.value(f"document.querySelector({json.dumps(selector)}).checkVisibility()"))


def cells(page: Browser) -> list[list[str]]:
    """The rows of the table of boxes."""
    rows = "[...document.querySelectorAll('#boxes tbody tr')]"
    found: list[list[str]] = page.value(f"{rows}.map(r => [...r.cells].map(c => c.innerText))")
    return found


def colour(page: Browser, x: float, y: float) -> Any:
    """Red, green and blue of the frame as it is drawn."""
    context = "document.querySelector('#canvas').getContext('2d')"
    return page.value(f"[...context.getImageData({x}, {y}, 1, 1).data].slice(0, 3)".replace(
        "context", context
    ))  # fmt: skip


def picture(folder: Path, defect: str, name: str = "") -> Path:
    path = folder / (name or f"{defect}.jpg")
    path.write_bytes(draw_jpeg(defect, seed=3))
    return path


def test_a_chosen_picture_gets_its_verdict_with_a_box_around_the_defect(
    page: Browser, tmp_path: Path
) -> None:
    page.choose_files("#files", picture(tmp_path, "dent"))
    page.wait(JUDGED)

    assert text(page, "#verdict-word") == "REJECT"
    assert text(page, "#verdict-label") == "dent"
    assert text(page, "#cause") == "Cause in the process: the part fell in transfer"
    (row,) = cells(page)
    assert row[:2] == ["rod", "classifier"]
    left, top = (float(number) for number in row[2].split(", "))
    width, height = (float(number) for number in row[3].split(" × "))
    # heat lies on a grid of eight pixels
    assert (left, top) == pytest.approx((LEFT_PX, TOP_PX), abs=8)
    assert (width, height) == pytest.approx((SIDE_PX, SIDE_PX), abs=16)

    # the frame is drawn, and the box on it until it is switched off
    assert page.value("[canvas.width, canvas.height]") == list(FRAME_SIZE_PX)
    page.value("document.querySelector('#show-heat').click()")
    edge = left, top + height / 2
    assert colour(page, *edge) == pytest.approx(REJECT, abs=TOLERANCE)
    page.value("document.querySelector('#show-boxes').click()")
    red, green, _ = colour(page, *edge)
    assert abs(red - green) < TOLERANCE
    middle = LEFT_PX + SIDE_PX / 2, TOP_PX + SIDE_PX / 2
    assert min(colour(page, *middle)) > 200


def test_views_that_are_dropped_are_one_part_and_the_deciding_one_is_shown(
    page: Browser, tmp_path: Path
) -> None:
    good, bad = picture(tmp_path, "normal"), picture(tmp_path, "dent", "<i>dent.jpg")
    page.drop_files("#drop", good, bad)
    page.wait(JUDGED)
    assert text(page, "#verdict-word") == "REJECT"
    buttons = "[...document.querySelectorAll('#views button')].map(one => one.innerText)"
    assert page.value(buttons) == ["normal.jpg", "<i>dent.jpg"]
    assert text(page, "#view-name") == "<i>dent.jpg"

    page.click("normal.jpg")
    assert text(page, "#view-name") == "normal.jpg"
    assert cells(page) == []
    assert is_shown(page, "#no-boxes")


def test_a_broken_picture_is_refused_in_words_and_the_next_is_inspected(
    page: Browser, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(draw_jpeg("dent")[:400])
    page.choose_files("#files", broken)
    page.wait("!document.querySelector('#error').hidden")
    assert text(page, "#verdict-word") == "not inspected"
    assert "broken.jpg" in text(page, "#error")
    assert not is_shown(page, "#details")

    page.choose_files("#files", picture(tmp_path, "normal"))
    page.wait(JUDGED)
    assert text(page, "#verdict-word") == "PASS"
    assert not is_shown(page, "#error")


def test_what_the_part_really_was_enters_the_log(
    page: Browser, verdicts: Path, tmp_path: Path
) -> None:
    page.choose_files("#files", picture(tmp_path, "normal"))
    page.wait(JUDGED)
    page.value("document.querySelector('#truth').value = 'slide'")
    page.value("document.querySelector('#reviewer').value = 'Grace'")
    page.click("Tell")
    page.wait("document.querySelector('#told').innerText.startsWith('logged as number')")
    *_, said = read_feedback(verdicts)
    assert (said.label, said.reviewer) == ("slide", "Grace")


def test_the_page_fits_its_window_and_asks_nothing_of_others(page: Browser, tmp_path: Path) -> None:
    page.choose_files("#files", picture(tmp_path, "dent", f"{'long-name-' * 12}.jpg"))
    page.wait(JUDGED)
    for width_px in WIDTHS_PX:
        page.resize(width_px, 900)
        shot = page.call("Page.captureScreenshot", format="png")
        assert shot["data"]
        assert not page.value("document.documentElement.scrollWidth > innerWidth")
    assert page.requests
    assert foreign(page) == []
