import io
import threading

import cv2
import numpy as np
import pytest
from PIL import Image as Pil

from inspection.runtime.views import View
from serving import budget
from serving.budget import MAX_HELD_BYTES, WORKING_COPIES, Budget, decoding_bytes
from serving.refusals import RefusedError
from tests.bundles import sample_line

LINE = sample_line()


def view(width: int, height: int, *, channels: int = 1, bits: int = 8) -> View:
    shape = (height, width) if channels == 1 else (height, width, channels)
    pixels = np.zeros(shape, np.uint16 if bits == 16 else np.uint8)
    return View("a.png", cv2.imencode(".png", pixels)[1].tobytes())


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


@pytest.mark.parametrize(
    ("one", "n_bytes"),
    [
        (view(40, 30), 40 * 30),
        (view(40, 30, bits=16), 40 * 30 * 2),
        (view(40, 30, channels=3), 40 * 30 * 3),
        (view(40, 30, channels=3, bits=16), 40 * 30 * 6),
    ],
)
def test_a_view_costs_width_height_channels_and_depth(one: View, n_bytes: int) -> None:
    assert decoding_bytes([one], LINE, MAX_HELD_BYTES) == n_bytes * WORKING_COPIES


def test_views_are_decoded_one_at_a_time_so_that_the_largest_counts() -> None:
    views = [view(40, 30), view(80, 30), view(40, 30)]

    assert decoding_bytes(views, LINE, MAX_HELD_BYTES) == 80 * 30 * WORKING_COPIES


def test_what_has_no_header_costs_nothing() -> None:
    assert decoding_bytes([View("a", b""), View("b", b"text")], LINE, MAX_HELD_BYTES) == 0


@pytest.mark.parametrize(("limit", "refused"), [(3600, False), (3599, True)])
def test_a_view_that_can_never_be_held_is_refused_for_good(limit: int, refused: bool) -> None:
    if not refused:
        assert decoding_bytes([view(40, 30)], LINE, limit) == 3600
        return
    with pytest.raises(RefusedError) as caught:
        decoding_bytes([view(40, 30)], LINE, limit)
    assert (caught.value.status, caught.value.code) == (413, "too_large")


@pytest.mark.parametrize(("pixels", "refused"), [(3600, False), (3599, True)])
def test_a_request_has_a_number_of_pixels(
    monkeypatch: pytest.MonkeyPatch, pixels: int, refused: bool
) -> None:
    monkeypatch.setattr(budget, "MAX_REQUEST_PIXELS", pixels)
    line = LINE.model_copy(update={"max_pixels": 1200})
    views = [view(40, 30)] * 3

    if not refused:
        decoding_bytes(views, line, MAX_HELD_BYTES)
        return
    with pytest.raises(RefusedError, match="3600 px"):
        decoding_bytes(views, line, MAX_HELD_BYTES)


def test_two_of_the_largest_grey_frames_of_a_line_are_one_request() -> None:
    assert budget.MAX_REQUEST_PIXELS == 128 * 2**20
    assert 2 * LINE.max_pixels <= budget.MAX_REQUEST_PIXELS


@pytest.mark.parametrize("bits", [8, 16])
def test_the_largest_grey_frame_of_a_line_fits(bits: int) -> None:
    n_bytes = LINE.max_pixels * bits // 8 * WORKING_COPIES

    assert n_bytes <= MAX_HELD_BYTES == 640 * 2**20


def test_a_tiff_costs_what_it_decodes_to() -> None:
    file = io.BytesIO()
    Pil.fromarray(np.zeros((30, 40), np.uint16)).save(file, "TIFF")

    found = decoding_bytes([View("a.tif", file.getvalue())], LINE, MAX_HELD_BYTES)
    assert found == 40 * 30 * 2 * WORKING_COPIES
