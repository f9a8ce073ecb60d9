from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dashboard.explorer.views import (
    labels_in,
    looks_elsewhere,
    mistakes,
    score_table,
    selected,
    views_of,
)
from inspection.boxes import LabelledBox, boxes_cell
from inspection.errors import InspectionError
from inspection.geometry import Box, CropWindow
from inspection.runtime.bundle import Card
from inspection.runtime.verdict import PartVerdict, ViewVerdict
from tests.bundles import UNUSUAL, make_bundle


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    return make_bundle(tmp_path_factory.mktemp("bundle"))


def part_verdict(verdict: str, label: str, score: float, *, anomaly: float = 0.0) -> PartVerdict:
    scores = {"fused": score, "classifier": 0.8, "anomaly": anomaly}
    view = ViewVerdict(
        name="a", sha256="", verdict=verdict, label=label, scores=scores,
        verdicts={"fused": verdict, "anomaly": "pass"}, probabilities={}, boxes=[], reasons=[],
        heat={name: np.full((2, 2), 0.25, np.float32) for name in ("classifier", "anomaly")},
    )  # fmt: skip
    return PartVerdict(verdict, label, "", "a", [view])


def test_only_views_with_a_fold_are_shown_in_the_order_of_parts() -> None:
    manifest = pd.DataFrame(
        {"view_id": ["a", "b", "c"], "part_id": ["2", "1", "3"], "path": ["x", "y", "z"]}
    )
    folds = pd.DataFrame({"view_id": ["a", "b"], "fold": ["val", "test"]})
    views = views_of(manifest, folds)
    assert list(views["view_id"]) == ["b", "a"]
    assert list(views["fold"]) == ["test", "val"]


def test_a_manifest_without_folds_is_refused() -> None:
    manifest = pd.DataFrame({"view_id": ["a"], "part_id": ["2"], "path": ["x"]})
    with pytest.raises(InspectionError, match="no view of the manifest has a fold"):
        views_of(manifest, pd.DataFrame({"view_id": ["b"], "fold": ["val"]}))


def test_views_are_chosen_by_fold_and_label() -> None:
    views = pd.DataFrame({"fold": ["val", "val", "test"], "label": ["dent", "normal", "dent"]})
    assert len(selected(views, fold="val", label="all")) == 2
    assert list(selected(views, fold="val", label="dent").index) == [0]


def test_labels_stand_in_the_order_of_the_card_and_unknown_ones_last(card: Card) -> None:
    views = pd.DataFrame({"label": ["scratch", "slide", "dent", "normal"]})
    assert labels_in(views, card) == ["all", "normal", "dent", "slide", "scratch"]


def test_scores_stand_beside_their_thresholds(card: Card) -> None:
    table = score_table(part_verdict("reject", "dent", 0.95, anomaly=0.5).views[0], card)
    table = table.astype(object).where(table.notna(), None)
    assert table.to_dict("records") == [
        {"score of": "fused", "score": 0.95, "passes below": 0.3, "rejected above": 0.9,
         "verdict": "reject"},
        {"score of": "classifier", "score": 0.8, "passes below": None, "rejected above": None,
         "verdict": "-"},
        {"score of": "anomaly", "score": 0.5, "passes below": UNUSUAL, "rejected above": None,
         "verdict": "pass"},
    ]  # fmt: skip


def test_escapes_come_first_and_the_worst_of_each_kind_leads(card: Card) -> None:
    parts = [
        ("fine", "normal", part_verdict("pass", "normal", 0.1)),
        ("caught", "dent", part_verdict("reject", "dent", 0.95)),
        ("in review", "normal", part_verdict("review", "dent", 0.5)),
        ("misnamed", "slide", part_verdict("reject", "dent", 0.95)),
        ("overkill", "normal", part_verdict("reject", "dent", 0.92)),
        ("worse overkill", "normal", part_verdict("reject", "dent", 0.99)),
        ("escape", "dent", part_verdict("pass", "normal", 0.2)),
        ("worse escape", "dent", part_verdict("pass", "normal", 0.01)),
    ]
    found = mistakes(parts, card)
    assert [(mistake.part_id, mistake.kind) for mistake in found] == [
        ("worse escape", "escape"),
        ("escape", "escape"),
        ("worse overkill", "overkill"),
        ("overkill", "overkill"),
        ("misnamed", "wrong defect"),
    ]
    assert [str(mistake) for mistake in found[1:3]] == [
        "escape: dent, passed", "worse overkill: normal, rejected as dent",
    ]  # fmt: skip
    assert str(found[4]) == "misnamed: slide, said dent"


@pytest.mark.parametrize(
    ("x_px", "elsewhere"),
    [(100, False), (62, False), (60, True), (20, True)],
)
def test_a_verdict_is_right_for_the_wrong_reason_where_the_heat_peaks_off_the_box(
    card: Card, x_px: int, elsewhere: bool
) -> None:
    """The crop lies in the frame from (50, 40) on; the heat's cell of 8 px peaks at 68 of it."""
    heat = np.zeros((10, 20), np.float32)
    heat[5, 8] = 1  # pixels 64 to 72 and 40 to 48 of the crop: 118 and 84 of the frame
    window = CropWindow(50, 40, 160, 80, (160, 80), turned=False)
    view = replace(
        part_verdict("reject", "dent", 1.0).views[0],
        windows={"rod": window},
        heat={"classifier": heat},
    )
    verdict = PartVerdict("reject", "dent", "", "a", [view])
    box = LabelledBox("dent", Box(x_px, 70, 52, 30), "drawn")
    assert looks_elsewhere(verdict, card, {"a": boxes_cell([box])}) is elsewhere
    parts = [("1", "dent", verdict)]
    kinds = [one.kind for one in mistakes(parts, card, {"a": boxes_cell([box])})]
    assert kinds == (["wrong reason"] if elsewhere else [])


@pytest.mark.parametrize(
    ("row", "column", "label", "elsewhere"),
    [(0, 8, "dent", True), (5, 19, "dent", True), (5, 8, "dent", False),
     (0, 8, "under_press", False)],
)  # fmt: skip
def test_without_a_labelled_box_the_reason_is_wrong_on_the_edge_of_the_crop(
    card: Card, row: int, column: int, label: str, elsewhere: bool
) -> None:
    """The edge is 6 % of the crop; a defect that shows in another region says nothing of it."""
    heat = np.zeros((10, 20), np.float32)
    heat[row, column] = 1
    view = replace(
        part_verdict("reject", label, 1.0).views[0],
        windows={"rod": CropWindow(50, 40, 160, 80, (160, 80), turned=False)},
        heat={"classifier": heat},
    )
    verdict = PartVerdict("reject", label, "", "a", [view])
    assert looks_elsewhere(verdict, card, {}) is elsewhere


@pytest.mark.parametrize(("column", "elsewhere"), [(4, True), (8, True), (9, False), (10, False)])
def test_without_a_labelled_box_the_reason_is_wrong_off_the_outline_of_the_part(
    card: Card, column: int, elsewhere: bool
) -> None:
    """The part is the right half of the crop, from pixel 80 on; heat may miss it by 4 pixels."""
    right_half = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
    rod = card.line.regions["rod"].model_copy(update={"outline": right_half})
    line = card.line.model_copy(update={"regions": {**card.line.regions, "rod": rod}})
    heat = np.zeros((10, 20), np.float32)
    heat[5, column] = 1  # the middle of its cell: 8 pixels a column, and 4
    view = replace(
        part_verdict("reject", "dent", 1.0).views[0],
        windows={"rod": CropWindow(50, 40, 160, 80, (160, 80), turned=False)},
        heat={"classifier": heat},
    )
    verdict = PartVerdict("reject", "dent", "", "a", [view])
    assert looks_elsewhere(verdict, card.model_copy(update={"line": line}), {}) is elsewhere
    assert not looks_elsewhere(verdict, card, {})
    # a labelled box says where the defect is, wherever the outline ends
    box = boxes_cell([LabelledBox("dent", Box(50 + 8 * column, 70, 8, 30), "drawn")])
    assert not looks_elsewhere(verdict, card.model_copy(update={"line": line}), {"a": box})


def test_a_good_part_that_is_held_back_is_right_for_no_reason(card: Card) -> None:
    heat = np.zeros((10, 20), np.float32)
    heat[0, 8] = 1
    view = replace(
        part_verdict("review", "dent", 0.5).views[0],
        windows={"rod": CropWindow(50, 40, 160, 80, (160, 80), turned=False)},
        heat={"classifier": heat},
    )
    verdict = PartVerdict("review", "dent", "", "a", [view])
    assert mistakes([("1", "normal", verdict)], card) == []
    cold = replace(view, heat={"classifier": np.zeros((10, 20), np.float32)})
    assert not looks_elsewhere(replace(verdict, views=[cold]), card, {})


def test_where_the_region_was_not_found_no_reason_is_wrong(card: Card) -> None:
    assert mistakes([("1", "dent", part_verdict("reject", "dent", 1.0))], card) == []
