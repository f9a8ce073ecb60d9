from pathlib import Path

import numpy as np
import pytest

from dashboard.evidence import Evidence
from dashboard.operating.points import (
    at_rate,
    by_class,
    cost_table,
    limit_of,
    operation,
    reliability,
    score_rows,
    threshold_table,
)
from inspection.evaluation.costs import Costs
from inspection.evaluation.rates import rate
from inspection.runtime.views import DetectorOutput, ViewOutputs
from tests.bundles import make_bundle, sample_line, sample_settings

NO_HEAT = np.zeros((1, 1, 1), np.float32)


def view(name: str, dent: float, anomaly: float) -> ViewOutputs:
    """A view whose dent has these log-odds against normal."""
    values = {"classifier": [0.0, dent, -20.0], "anomaly": [anomaly]}
    detectors = {
        key: DetectorOutput(np.array(some, np.float32), NO_HEAT) for key, some in values.items()
    }
    return ViewOutputs(name, "", (1, 1), {}, {}, detectors)


@pytest.fixture
def evidence() -> Evidence:
    """Forty good and twenty dented parts that the classifier tells apart, but for one of each."""
    generator = np.random.default_rng(0)
    parts, labels = {}, {}
    for number in range(60):
        is_bad = number >= 40
        odds = generator.normal(3 if is_bad else -3, 1)
        if number in (0, 59):
            odds = -odds
        parts[str(number)] = [view(f"{number}.jpg", odds, generator.normal(0, 0.3))]
        labels[str(number)] = "dent" if is_bad else "normal"
    return Evidence(parts, labels, "val")


def test_dearer_escapes_never_pass_more_and_cheaper_reviews_never_review_less(
    evidence: Evidence,
) -> None:
    settings = sample_settings()
    found = [
        operation(evidence, settings, Costs(escape_cost=cost), None) for cost in (1, 100, 10000)
    ]
    passed = [one.verdicts.count("pass") for one in found]
    assert passed == sorted(passed, reverse=True)
    dear, cheap = (
        operation(evidence, settings, Costs(review_cost=cost), None) for cost in (1.0, 0.01)
    )
    assert cheap.verdicts.count("review") >= dear.verdicts.count("review")


def test_a_limit_that_the_parts_cannot_show_passes_no_known_defect(evidence: Evidence) -> None:
    found = operation(evidence, sample_settings(), Costs(escape_cost=0.1), 0.01)
    defective = [verdict for verdict, label in zip(found.verdicts, evidence.labels.values(),
                 strict=True) if label == "dent"]  # fmt: skip
    assert "pass" not in defective
    assert found.point.limit.applied == "no_known_escape"
    assert found.point.limit.unseen_escapes is not None


def test_errors_by_class_carry_their_bound() -> None:
    labels = ["normal"] * 4 + ["dent"] * 3
    verdicts = ["pass", "pass", "reject", "review", "pass", "reject", "reject"]
    table = by_class(labels, verdicts, sample_line()).set_index("class")
    assert table.loc["normal", ["parts", "pass", "review", "reject"]].tolist() == [4, 2, 1, 1]
    assert table.loc["dent", "error"] == "1 (33.3 %)"
    bound = rate(1, 3).upper_bound
    assert table.loc["dent", "at most"] == f"{100 * bound:.1f} %"
    assert "slide" not in table.index


def test_costs_stand_beside_review_all(evidence: Evidence) -> None:
    found = operation(evidence, sample_settings(), Costs(), None)
    table = cost_table(found.report).set_index("way")
    assert table.loc["review all", "cost a part"] == 0.3
    assert table.loc["pass all", "cost a part"] == 5.0
    assert table.loc["this line", "cost a part"] == found.report.line.value


def test_reliability_counts_the_defective_in_each_bin(evidence: Evidence) -> None:
    settings = sample_settings()
    rows = score_rows(evidence, settings)
    table = reliability(rows, settings.line.normal)
    assert table["n"].sum() == 60
    share = at_rate(rows["score"].to_numpy(), 0.5, 20 / 60)
    top = rows[(rows["by"] == "fused") & (share >= 0.8)]
    last = table.iloc[-1]
    assert (last["bin"], last["n"]) == ("0.8 to 1.0", len(top))
    assert last["share"] == (top["label"] == "dent").mean()
    assert ((table["low"] <= table["share"]) & (table["share"] <= table["high"])).all()


def test_a_probability_follows_the_share_of_defective_parts() -> None:
    """Bayes: of 1000 parts 50 are defective; at even odds a test that says 0.5 says 0.05 there."""
    assert at_rate(np.array([0.05]), 0.05, 0.5) == pytest.approx(0.5)
    assert at_rate(np.array([0.5]), 0.5, 0.05) == pytest.approx(0.05)
    assert at_rate(np.array([0.3]), 0.05, 1.0) == pytest.approx(0.3)


def test_the_cards_own_costs_and_limit_are_where_the_sliders_begin(tmp_path: Path) -> None:
    card = make_bundle(tmp_path)
    assert Costs.of_card(card) == Costs()
    assert limit_of(card) is None
    costs = {"escape_cost": 7.0, "expected_cost_on_val": 0.1}
    other = card.model_copy(update={"costs": costs, "metrics": {"limit": {"asked": 0.02}}})
    assert Costs.of_card(other).escape_cost == 7.0
    assert limit_of(other) == 0.02
    table = threshold_table(card, card)
    assert table["score of"].tolist() == ["fused", "anomaly"]
    assert (table["passes below"] == table["on the card"]).all()
