from pathlib import Path
from typing import Any

import pytest

from inspection.runtime.bundle import Card
from stages.model_card import model_card
from tests.bundles import changed_detector, make_bundle
from tests.registering import LINEAGE

MEASURED = {
    "cost": {"sentence": "this line beats sending every part to review"},
    "fused_auroc": 0.9712,
    "fused_auroc_lower_bound": 0.9444,
    "classifier": {"classes": ["normal", "dent"], "macro_f1": 0.9, "macro_f1_lower_bound": 0.8},
}


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return make_bundle(tmp_path).model_copy(update={"lineage": LINEAGE})


def written(card: Card, *pictures: str, **changes: Any) -> str:
    changed = card.model_copy(update=changes)
    return model_card(changed, "4f2a", "bundle-0a1b", pictures)


def test_it_says_what_the_line_costs_and_how_well_parts_are_told_apart(card: Card) -> None:
    text = written(card, metrics=MEASURED)

    assert "- By what errors cost, this line beats sending every part to review." in text
    assert "- AUROC of the fused score 0.971, at least 0.944." in text
    assert "- Macro-F1 over 2 classes 0.900, at least 0.800." in text


def test_it_names_the_model_of_normal_parts_and_what_it_looks_at(card: Card) -> None:
    assert "- anomaly: padim on features of the filters." in written(card)

    evidence = {"features": "classifier", "model": "dfm", "val_auroc": 0.98149}
    changed = changed_detector(card, "anomaly", evidence=evidence)
    said = "- anomaly: dfm on features of the backbone, AUROC 0.981 on parts that were not fitted."
    assert said in written(changed)


def test_where_nothing_was_measured_it_says_so(card: Card) -> None:
    assert "Nothing was measured." in written(card, metrics={})


def test_it_lists_costs_and_no_measure_that_stands_beside_them(card: Card) -> None:
    text = written(card, costs={"escape_cost": 100.0, "expected_cost_on_val": 0.2})

    assert "- Thresholds follow these costs: escape_cost 100." in text


def test_a_picture_is_asked_of_the_server_that_shows_the_card(card: Card) -> None:
    text = written(card, "gallery/an odd name.png")

    assert "](get-artifact?path=bundle-0a1b%2Fgallery%2Fan+odd+name.png&run_uuid=4f2a)" in text


def test_pictures_stand_in_paragraphs_of_their_own(card: Card) -> None:
    lines = written(card, "gallery/a.png", "gallery/b.png").split("\n")
    places = [number for number, line in enumerate(lines) if line.startswith("![")]
    assert places[1] - places[0] == 2
    assert lines[places[0] + 1] == ""
