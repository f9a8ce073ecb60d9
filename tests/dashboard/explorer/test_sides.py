from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dashboard.explorer.alterations import AS_IT_IS, Alteration, Place
from dashboard.explorer.heats import Shown
from dashboard.explorer.sides import Side, difference, side_of
from inspection.runtime.bundle import Card
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import judge_view
from inspection.runtime.views import View, ViewOutputs
from tests.bundles import draw_jpeg, make_bundle


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return make_bundle(tmp_path)


@pytest.fixture
def outputs(card: Card, tmp_path: Path) -> ViewOutputs:
    return Inspector(tmp_path).measure(View("a", draw_jpeg("dent")))


def side(outputs: ViewOutputs, card: Card, peak: float, place: Place | None) -> Side:
    heat = np.full((2, 2), peak, np.float32)
    return Side(Shown(outputs.crops["rod"], heat, 1), judge_view(outputs, card), place)


def test_the_hottest_place_of_a_mirrored_crop_is_that_of_the_crop_as_it_is(
    outputs: ViewOutputs, card: Card
) -> None:
    heat = np.zeros((20, 40), np.float32)
    heat[3, 30] = 0.8
    alone = {"threshold": 0.5, "card": card}
    plain = side_of(outputs, outputs, heat, alteration=Alteration(AS_IT_IS), **alone)
    assert plain.place == Place(122, 14)
    turned = Alteration("mirrored")
    other = side_of(outputs, outputs, heat[:, ::-1], alteration=turned, **alone)
    assert other.place == plain.place
    assert "moves by 0 px" in difference(plain, other)


def test_where_nothing_is_hot_there_is_no_place(outputs: ViewOutputs, card: Card) -> None:
    cold = np.zeros((20, 40), np.float32)
    found = side_of(
        outputs, outputs, cold, alteration=Alteration(AS_IT_IS), threshold=0.5, card=card
    )
    assert found.place is None
    assert "no two hottest places" in difference(found, found)


def test_the_difference_is_told_in_words(outputs: ViewOutputs, card: Card) -> None:
    before = side(outputs, card, 0.5, Place(10, 10))
    after = side(outputs, card, 0.75, Place(13, 14))
    said = difference(before, after)
    assert "the verdict on the view stays reject" in said
    assert "moves by 5 px of the crop as it is; the peak changes by +0.25, the boxes by +0." in said
    passed = replace(after, verdict=replace(after.verdict, verdict="pass"))
    assert "becomes pass instead of reject" in difference(before, passed)
    assert str(before).startswith("peak 0.50, 1 boxes, classifier's score 0.9")
