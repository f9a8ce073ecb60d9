import numpy as np
import pytest

from inspection.models.crop_sheet import crop_sheet

INSIDE = np.zeros((8, 16), np.uint8)
INSIDE[:, :8] = 1


@pytest.mark.parametrize("channels", [1, 3])
def test_what_no_model_sees_is_red_and_the_rest_is_as_it_is(channels: int) -> None:
    crop = np.full((8, 16) if channels == 1 else (8, 16, 3), 100, np.uint8)
    sheet = crop_sheet([crop], INSIDE)
    assert (sheet[:8, :8] == 100).all()
    assert (sheet[:8, 8:16] == (177, 50, 50)).all()


def test_crops_stand_four_in_a_row() -> None:
    crops = [np.full((8, 16), 10 * number, np.uint8) for number in range(1, 6)]
    sheet = crop_sheet(crops, np.ones((8, 16), np.uint8))
    assert sheet.shape == (2 * 12, 4 * 20, 3)
    assert [sheet[0, 20 * column, 0] for column in range(4)] == [10, 20, 30, 40]
    assert sheet[12, 0, 0] == 50
    assert not sheet[12:, 20:].any()
