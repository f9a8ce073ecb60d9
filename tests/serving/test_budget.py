import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks.attacks.pictures import jpeg, png
from inspection.runtime.views import View
from serving import budget, costs
from serving.budget import MAX_HELD_BYTES, MAX_REQUEST_BYTES, Budget, Work, work_of
from serving.costs import Cost, cost_of
from serving.forms import MAX_FILE_BYTES
from serving.refusals import RefusedError
from serving.uploads import COPIES
from tests.architecture import ROOT
from tests.bundles import sample_line

LINE = sample_line()


def view(width: int, height: int) -> View:
    return View("a.png", png(width, height))


def cost(one: View) -> Cost:
    return cost_of(one.content, max_pixels=LINE.max_pixels)


def bytes_of(*views: View) -> int:
    return work_of(views, LINE, MAX_HELD_BYTES).n_bytes


def test_memory_taken_is_given_back() -> None:
    memory = Budget(100)
    with memory.share() as take:
        take(60)
        with memory.share() as other, pytest.raises(RefusedError, match="try again"):
            other(50)
        take(40)
    with memory.share() as take:
        take(100)


def test_several_threads_never_take_more_than_there_is() -> None:
    memory = Budget(1000)

    def work() -> None:
        for _ in range(2000):
            with memory.share() as take:
                take(250)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert memory._left == 1000


def test_views_are_decoded_one_at_a_time_so_that_the_largest_counts() -> None:
    small, large = view(40, 30), view(80, 30)

    assert bytes_of(small, large, small) == bytes_of(large) == cost(large).n_bytes


def test_the_time_of_a_request_is_that_of_all_its_views() -> None:
    small, large = view(40, 30), view(80, 30)
    whole = work_of([small, large, small], LINE, MAX_HELD_BYTES).time_ms

    assert whole == pytest.approx(2 * cost(small).time_ms + cost(large).time_ms)


def test_what_has_no_header_costs_nothing() -> None:
    views = [View("a", b""), View("b", b"text")]

    assert work_of(views, LINE, MAX_HELD_BYTES) == Work(0, 0.0)


@pytest.mark.parametrize(("limit", "refused"), [(7500, False), (7499, True)])
def test_a_view_that_can_never_be_held_is_refused_for_good(limit: int, refused: bool) -> None:
    if not refused:
        assert work_of([view(40, 30)], LINE, limit).n_bytes == 7500
        return
    with pytest.raises(RefusedError) as caught:
        work_of([view(40, 30)], LINE, limit)
    assert (caught.value.status, caught.value.code) == (413, "too_large")
    # 1,200 px take 7,500 bytes: a pixel too many
    assert "send up to 1199 px" in caught.value.message


def test_a_colour_frame_that_takes_too_much_is_told_the_limit() -> None:
    frame = View("a.png", png(9000, 7000, colour=2))
    with pytest.raises(RefusedError) as caught:
        work_of([frame], LINE, MAX_REQUEST_BYTES)

    assert (caught.value.status, caught.value.code) == (413, "too_large")
    assert "a.png: 63000000 px" in caught.value.message
    assert "send up to 37675151 px" in caught.value.message


@pytest.mark.parametrize(("pixels", "refused"), [(3600, False), (3599, True)])
def test_a_request_has_a_number_of_pixels(
    monkeypatch: pytest.MonkeyPatch, pixels: int, refused: bool
) -> None:
    monkeypatch.setattr(budget, "MAX_REQUEST_PIXELS", pixels)
    line = LINE.model_copy(update={"max_pixels": 1200})
    views = [view(40, 30)] * 3

    if not refused:
        work_of(views, line, MAX_HELD_BYTES)
        return
    with pytest.raises(RefusedError, match="3600 px"):
        work_of(views, line, MAX_HELD_BYTES)


def test_two_of_the_largest_grey_frames_of_a_line_are_one_request() -> None:
    assert budget.MAX_REQUEST_PIXELS == 128 * 2**20
    assert 2 * LINE.max_pixels <= budget.MAX_REQUEST_PIXELS


def test_the_largest_frames_of_a_line_fit_beside_the_largest_file() -> None:
    """Grey of 8 and 16 bits, and JPEG in colour; what RGB takes has room for 32 megapixels."""
    left = MAX_REQUEST_BYTES - COPIES * MAX_FILE_BYTES
    large = LINE.max_pixels

    assert MAX_HELD_BYTES == 560 * 2**20
    assert MAX_REQUEST_BYTES == 512 * 2**20
    for kind in (costs.GREY, costs.DEEP_GREY, costs.Kind(costs.JPEG_BYTES, 0)):
        assert large * kind.bytes_per_pixel < left
    assert 32_000_000 * costs.COLOUR.bytes_per_pixel < left


SERVES = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from starlette.testclient import TestClient
from serving.api import create_app
from serving.champion import Champion
from serving.server.memory import give_back_at_once
from tests.serving.peak import peak_bytes

give_back_at_once()
champion = Champion(Path(sys.argv[1]))
champion.start()
with TestClient(create_app(champion)) as client:
    def status(content):
        return client.post("/inspect", files=[("views", ("a", content))]).status_code
    for name in sys.argv[2:]:
        with ThreadPoolExecutor(2) as clients:
            print(*clients.map(status, [Path(name).read_bytes()] * 2))
champion.stop()
print(peak_bytes() / 1e6)
"""
LARGEST = {
    "RGB, as large as is accepted": lambda: png(6100, 6100, colour=2),
    "RGB of 63 megapixels": lambda: png(9000, 7000, colour=2),
    "RGBA of 63 megapixels": lambda: png(9000, 7000, colour=6),
    "RGB of 16 bits": lambda: png(5100, 5100, colour=2, bits=16),
    "grey of 64 megapixels in 16 bits": lambda: png(8000, 8000, bits=16),
    "progressive JPEG": lambda: jpeg(7600, 7600, mode="RGB", progressive=True, subsampling=0),
    "progressive CMYK JPEG": lambda: jpeg(6600, 6600, mode="CMYK", progressive=True),
}


@pytest.mark.slow
def test_the_process_stays_under_a_gigabyte_whatever_is_sent(
    releases: Path, tmp_path: Path
) -> None:
    """Two of the largest of each kind at once, one kind after the other, in one process.

    With a heap that keeps what it was given (without `give_back_at_once`) it comes to 1,150 MB.
    """
    names = []
    for number, drawn in enumerate(LARGEST.values()):
        path = tmp_path / str(number)
        path.write_bytes(drawn())
        names.append(str(path))
    command = [sys.executable, "-c", SERVES, str(releases), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    *statuses, peak_mb = done.stdout.splitlines()

    assert float(peak_mb) < 800
    expected = ["413 413" if "63 mega" in what else "200 200" for what in LARGEST]
    assert statuses == expected
