from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from inspection.evaluation.costs import Costs
from inspection.evaluation.metrics import (
    outcomes,
    totals,
    verdict_table,
)
from inspection.evaluation.metrics import test_metrics as fold_metrics
from inspection.geometry import CropWindow
from inspection.runtime.bundle import Card
from inspection.runtime.views import DetectorOutput, ViewOutputs
from tests.bundles import make_bundle, sample_settings

SETTINGS = sample_settings()
LINE = SETTINGS.line
WINDOWS = {
    "rod": CropWindow(0, 0, 160, 80, size_px=(160, 80)),
    "rivet": CropWindow(0, 0, 80, 80, size_px=(80, 80)),
}
NORMAL, DENT, MAYBE = (0.9, 0.05, 0.05), (0.02, 0.9, 0.08), (0.5, 0.1, 0.4)
TABLE = pd.DataFrame(
    {
        "label": [*["normal"] * 4, *["dent"] * 3, "slide", "under_press"],
        "verdict": [
            *["pass", "pass", "review", "reject"],
            *["reject", "pass", "review"],
            "pass",
            "reject",
        ],
        "classified": [*["normal", "normal", "dent", "normal"], "dent", "normal", "slide",
                       "slide", "dent"],
        "fused": [0.01, 0.04, 0.05, 0.3, 0.9, 0.02, 0.5, 0.03, 0.6],
        "classifier": [0.1, 0.2, 0.5, 0.3, 0.9, 0.1, 0.6, 0.2, 0.4],
        "anomaly": [0.0, 1.0, 0.5, 3.0, np.nan, 0.2, 0.4, 0.1, 2.0],
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    folder: Path = tmp_path_factory.mktemp("bundle")
    return make_bundle(folder)


def measured(
    name: str, probabilities: Sequence[float] | None = NORMAL, anomaly: float | None = 0.0
) -> ViewOutputs:
    """A view with these class probabilities and this anomaly score; None where not located."""
    cold = np.full((2, 20, 40), -9, np.float32)
    windows, detectors = {}, {}
    if probabilities is not None:
        windows["rod"] = WINDOWS["rod"]
        detectors["classifier"] = DetectorOutput(np.log(probabilities), cold)
    if anomaly is not None:
        windows["rivet"] = WINDOWS["rivet"]
        detectors["anomaly"] = DetectorOutput(np.array([anomaly]), cold[:1])
    return ViewOutputs(name, "", (320, 256), windows, {}, detectors)


def test_outcomes_have_one_row_per_part(card: Card) -> None:
    parts = {
        "good": [measured("1"), measured("2")],
        "bad": [measured("3"), measured("4", DENT)],
        "unsure": [measured("5", MAYBE)],
        "pressed": [measured("6", NORMAL, 9.0)],
        "hidden": [measured("7", None)],
    }
    labels = {"good": "normal", "bad": "dent", "unsure": "slide", "pressed": "under_press",
              "hidden": "normal"}  # fmt: skip
    table = outcomes(parts, labels, card).set_index("part_id")
    assert table["verdict"].tolist() == ["pass", "reject", "review", "reject", "review"]
    assert table["named"].tolist() == ["normal", "dent", "slide", "under_press", "not_found"]
    assert table["classified"].tolist() == ["normal", "dent", "normal", "normal", "not_found"]
    assert table["worst_view"].tolist()[1:] == ["4", "5", "6", "7"]
    assert table["n_views"].tolist() == [2, 2, 1, 1, 1]
    assert table["label"].to_dict() == labels


def test_verdicts_by_class_counted_by_hand() -> None:
    found = verdict_table(TABLE, SETTINGS)
    dent = found["dent"]
    assert [dent[key] for key in ("n_parts", "pass", "review", "reject", "escapes")] == [
        3, 1, 1, 1, 1
    ]  # fmt: skip
    assert dent["rate"] == pytest.approx(1 / 3)
    assert dent["upper_bound"] == pytest.approx(0.8647, abs=1e-4)  # 1 of 3, Clopper-Pearson
    normal = found["normal"]
    assert (normal["overkill"], normal["rate"], normal["auroc"]) == (1, 0.25, None)
    assert "escapes" not in normal


def test_totals_counted_by_hand() -> None:
    found = totals(TABLE, LINE)
    assert (found["n_defective"], found["escapes"], found["escape_rate"]) == (5, 2, 0.4)
    assert (found["n_normal"], found["overkill"], found["overkill_rate"]) == (4, 1, 0.25)
    assert (found["n_parts"], found["reviewed"]) == (9, 2)
    assert found["review_rate"] == pytest.approx(2 / 9)


def test_a_class_without_parts_has_no_rate_rather_than_a_good_one() -> None:
    found = verdict_table(TABLE[TABLE["label"] == "normal"], SETTINGS)["dent"]
    assert (found["n_parts"], found["rate"], found["upper_bound"], found["auroc"]) == (
        0, None, None, None
    )  # fmt: skip


def test_the_cost_stands_beside_that_of_reviewing_all_and_is_counted_by_hand() -> None:
    costs = Costs(escape_cost=100, overkill_cost=1, review_cost=0.3, defect_rate=0.1)
    on_bad, on_good = (2 * 100 + 0.3) / 5, (0.3 + 1) / 4
    cost = fold_metrics(TABLE, SETTINGS, costs)["cost"]
    assert cost["line"]["value"] == pytest.approx(0.1 * on_bad + 0.9 * on_good)
    assert cost["review_all"] == 0.3
    assert not cost["beats_review_all"]
