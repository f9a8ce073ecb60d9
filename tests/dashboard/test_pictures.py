import numpy as np
import pytest

from dashboard.pictures import (
    BLUE,
    CROP,
    DEFECT,
    FOUND,
    GREEN,
    ORANGE,
    REGION,
    heat_scale,
    jpeg,
    marked_frame,
)
from inspection.boxes import LabelledBox, boxes_cell
from inspection.geometry import Box, CropWindow
from inspection.images import decode
from inspection.runtime.bundle import Card
from inspection.runtime.defect_boxes import DefectBox
from inspection.runtime.verdict import ViewVerdict
from tests.bundles import make_bundle


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    return make_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def verdict() -> ViewVerdict:
    return ViewVerdict(
        name="a", sha256="", verdict="reject", label="dent", scores={}, verdicts={},
        probabilities={}, boxes=[], reasons=[],
    )  # fmt: skip


def test_each_box_is_drawn_in_its_colour_at_its_place(card: Card, verdict: ViewVerdict) -> None:
    def box(category: str, x: int) -> LabelledBox:
        return LabelledBox(category, Box(x, 10, 20, 20), "drawn")

    verdict.boxes.append(DefectBox(Box(70, 10, 20, 20), "rod", "classifier", 1.0))
    labelled = boxes_cell([box("rod", 10), box("dent", 40)])
    picture = marked_frame(np.zeros((50, 100), np.uint8), labelled, verdict, card)
    for x, colour in ((10, BLUE), (40, GREEN), (70, ORANGE)):
        assert tuple(picture[10, x]) == colour
        assert tuple(picture[20, x + 19]) == colour
        assert tuple(picture[20, x + 10]) == (0, 0, 0)


@pytest.mark.parametrize(("kind", "x"), [(REGION, 10), (DEFECT, 40), (FOUND, 70), (CROP, 2)])
def test_each_kind_of_box_can_be_shown_alone(
    card: Card, verdict: ViewVerdict, kind: str, x: int
) -> None:
    verdict.boxes.append(DefectBox(Box(70, 10, 20, 20), "rod", "classifier", 1.0))
    verdict.windows["rod"] = CropWindow(2, 5, 96, 40, (96, 40), turned=False)
    boxes = [
        LabelledBox(one, Box(x, 10, 20, 20), "drawn") for one, x in (("rod", 10), ("dent", 40))
    ]
    black = np.zeros((50, 100), np.uint8)
    picture = marked_frame(black, boxes_cell(boxes), verdict, card, [kind])
    drawn = {place for place in (2, 10, 40, 70) if picture[20, place].any()}
    assert drawn == {x}


def test_the_frame_itself_is_not_drawn_on(card: Card, verdict: ViewVerdict) -> None:
    frame = np.zeros((50, 100, 3), np.uint8)
    verdict.boxes.append(DefectBox(Box(70, 10, 20, 20), "rod", "classifier", 1.0))
    marked_frame(frame, "[]", verdict, card)
    assert not frame.any()


def test_the_scale_of_heat_is_grey_when_cold_and_coloured_when_hot() -> None:
    spread = np.ptp(heat_scale().astype(int), axis=2).mean(axis=0)
    assert spread[0] == 0
    assert spread[-1] > 50


def test_a_picture_is_sent_as_wide_as_it_is_shown_and_never_wider_than_it_is() -> None:
    picture = np.full((60, 100, 3), (200, 30, 90), np.uint8)
    small = decode(jpeg(picture, 50), channels=3)
    assert small.shape == (30, 50, 3)
    assert np.abs(small.astype(int) - (200, 30, 90)).max() < 6
    assert decode(jpeg(picture, 1000), channels=3).shape == picture.shape
