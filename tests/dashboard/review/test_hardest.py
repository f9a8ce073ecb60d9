from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboard.evidence import Evidence, calibrations
from dashboard.review.hardest import from_card
from dashboard.review.queue import from_errors, merged
from inspection.evaluation import doubtful
from inspection.evaluation.calibration import Truth
from inspection.evaluation.costs import Costs
from inspection.evaluation.operating_point import OperatingPoint, operating_point
from inspection.runtime.bundle import Card
from inspection.runtime.detectors import FUSED
from tests.bundles import changed_thresholds, make_bundle
from tests.dashboard.operating.test_points import view

# The anomaly score of a rivet that is as it should be.
USUAL = 0.0
DATA = Path("data")
# Log-odds of a dent in a dented part that looks normal: lower than all other dented parts.
HARD = -2.0


@pytest.fixture
def evidence() -> Evidence:
    """Forty good and twenty dented parts of two views each, one of which is hard to tell."""
    generator = np.random.default_rng(0)
    parts, labels = {}, {}
    for number in range(60):
        is_bad = number >= 40
        odds = generator.normal(4 if is_bad else -4, 1)
        if number == 59:
            odds = HARD
        parts[str(number)] = [
            view(f"{number}_1.jpg", -9.0, USUAL),
            view(f"{number}_2.jpg", odds, USUAL),
        ]
        labels[str(number)] = "dent" if is_bad else "normal"
    return Evidence(parts, labels, "out_of_fold")


def assembled(card: Card, evidence: Evidence) -> tuple[Card, OperatingPoint]:
    """The card as stage assemble makes it of this evidence, at dear escapes."""
    labels = list(evidence.labels.values())
    point = operating_point(
        evidence.parts,
        Truth.of([{label} for label in labels], card.models),
        calibrations(card),
        Costs(escape_cost=1000.0),
        None,
        names_hardest=True,
    )
    of_views = {
        one.name: evidence.labels[part_id]
        for part_id, views in evidence.parts.items()
        for one in views
    }
    seen = doubtful.Evidence(evidence.parts, of_views, evidence.source)
    decided = card.model_copy(update={"fusion": point.fusion})
    limit = {
        "hardest": doubtful.hardest_parts(point, seen),
        "suspects": doubtful.named(doubtful.suspects(point, seen, decided)),
    }
    return decided.model_copy(update={"metrics": {"limit": limit}}), point


def manifest_of(evidence: Evidence) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for part_id, views in evidence.parts.items():
        for one in views:
            row = {"view_id": one.name, "image_sha256": one.name, "path": one.name}
            row |= {"part_id": part_id, "label": evidence.labels[part_id]}
            rows.append(row | {"boxes": "[]", "held": False})
    return pd.DataFrame(rows)


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return make_bundle(tmp_path)


def test_the_part_that_holds_the_threshold_is_asked_about_though_it_is_no_error(
    card: Card, evidence: Evidence
) -> None:
    card, point = assembled(card, evidence)
    manifest = manifest_of(evidence)
    assert "59_2.jpg" not in {
        one.image_sha256 for one in from_errors(evidence, card, manifest, DATA)
    }

    found = from_card(card, evidence, manifest, DATA)
    hardest = [one for one in found if one.kind == "hardest"]
    assert hardest[0].image_sha256 == "59_2.jpg"
    assert len(hardest) == len(point.hardest)
    assert f"{100 * point.hardest[0].good_passed:.1f} % of the good parts would pass" in (
        hardest[0].reason
    )
    # it is held back, as the threshold lies below it, and nearer to it than to any other
    distance = evidence.fused_scores(card)["59"] - card.thresholds[FUSED].accept_below
    assert distance > 0
    assert hardest[0].beyond == pytest.approx(-distance)
    assert [one.part_id for one in merged(hardest[::-1])] == [one.part_id for one in hardest]


def test_a_part_that_passes_by_thresholds_set_without_it_is_asked_about(
    card: Card, evidence: Evidence
) -> None:
    card, point = assembled(card, evidence)
    place = list(evidence.parts).index("59")
    assert evidence.verdicts(card)[place] != "pass"
    assert point.unseen_verdicts[place] == "pass"

    (found,) = [
        one
        for one in from_card(card, evidence, manifest_of(evidence), DATA)
        if one.kind == "escape"
    ]
    assert (found.part_id, found.image_sha256) == ("59", "59_2.jpg")
    assert found.reason == "escape by thresholds set without this part"


def test_what_has_another_label_by_now_and_what_gains_nothing_is_not_asked_about(
    card: Card, evidence: Evidence
) -> None:
    card, _ = assembled(card, evidence)
    manifest = manifest_of(evidence)
    relabelled = manifest.assign(label="slide")
    assert from_card(card, evidence, relabelled, DATA) == []

    limit = card.metrics["limit"]
    limit["hardest"]["sentence"] = None
    found = from_card(card, evidence, manifest, DATA)
    assert {one.kind for one in found} == {"escape"}
    assert from_card(make_card_without(card), evidence, manifest, DATA) == []


def make_card_without(card: Card) -> Card:
    """A card of before these parts were named."""
    return card.model_copy(update={"metrics": {}})


def test_of_the_errors_the_one_furthest_beyond_its_threshold_comes_first(
    card: Card, evidence: Evidence
) -> None:
    """By lax thresholds dented parts pass, and good ones are rejected."""
    card = changed_thresholds(card, 0.99, 0.995)
    fused = evidence.fused_scores(card)

    found = merged(from_errors(evidence, card, manifest_of(evidence), DATA))
    escapes = [fused[one.part_id] for one in found if one.kind == "escape"]
    assert len(escapes) > 1
    assert escapes == sorted(escapes)

    card = changed_thresholds(card, 0.0001, 0.001)
    found = merged(from_errors(evidence, card, manifest_of(evidence), DATA))
    overkill = [fused[one.part_id] for one in found if one.kind == "overkill"]
    assert len(overkill) > 1
    assert overkill == sorted(overkill, reverse=True)
