from pathlib import Path
from typing import Any

import pytest

from inspection.evaluation.cost_report import cost_report
from inspection.evaluation.costs import Costs
from inspection.evaluation.escape_limit import EscapeLimit
from inspection.runtime.bundle import Card, write_card
from inspection.runtime.releases import promote, release
from pipelines.summary import champion_beside, served_beside, summary
from tests.bundles import make_bundle


def test_a_service_of_another_line_is_told_with_the_remedy(tmp_path: Path) -> None:
    card = make_bundle(tmp_path / "bundle")
    releases = tmp_path / "releases"
    assert served_beside(card, releases) == ""
    release(tmp_path / "bundle", releases, "1")
    promote(releases, "1")
    assert served_beside(card, releases) == ""
    other = card.model_copy(update={"line": card.line.model_copy(update={"name": "other"})})
    told = served_beside(other, releases)
    assert "serves line 'test-line', not 'other'" in told
    assert "dvc repro -f -s register" in told


@pytest.mark.parametrize(("n_escapes", "beats"), [(0, True), (5, False)])
def test_what_does_not_beat_reviewing_all_is_said_before_the_table(
    tmp_path: Path, n_escapes: int, beats: bool
) -> None:
    verdicts = ["pass"] * 50 + ["pass"] * n_escapes + ["reject"] * (20 - n_escapes)
    labels = ["normal"] * 50 + ["dent"] * 20
    cost = cost_report(verdicts, labels, "normal", Costs())
    limit = EscapeLimit(
        asked=0.01,
        confidence=0.95,
        supported=False,
        applied="no_known_escape",
        n_defective=33,
        escapes=0,
        upper_bound=0.087,
        n_parts_needed=299,
    )
    text = summary(with_metrics(tmp_path, cost.as_json(), limit.as_json()))
    assert (text.index(cost.sentence) < text.index("test fold")) == (not beats)
    assert limit.sentence in text
    assert all(one in text for one in cost.advice)
    assert "to review all costs 0.300" in text


def test_the_cost_of_a_champion_stands_beside_where_another_bundle_serves(tmp_path: Path) -> None:
    old = make_bundle(tmp_path / "old", version="1")
    cost = cost_report(["pass", "reject"], ["normal", "dent"], "normal", Costs())
    write_card(tmp_path / "old", old.model_copy(update={"metrics": {"cost": cost.as_json()}}))
    releases = tmp_path / "releases"
    assert champion_beside(old, releases) == ""
    release(tmp_path / "old", releases, "1")
    promote(releases, "1")
    assert champion_beside(old, releases) == ""
    new = make_bundle(tmp_path / "new", version="2")
    assert cost.sentence in champion_beside(new, releases)


def with_metrics(folder: Path, cost: dict[str, Any], limit: dict[str, Any]) -> Card:
    """A card with the metrics that the summary prints."""
    counts = ("escapes", "n_defective", "overkill", "n_normal", "reviewed", "n_parts")
    totals = dict.fromkeys(counts, 1) | dict.fromkeys(
        ("escape_upper_bound", "overkill_upper_bound"), 0.5
    )
    classifier = {
        "macro_f1": 0.9, "classes": ["normal"], "n_parts": 1, "macro_f1_lower_bound": 0.8
    }  # fmt: skip
    metrics = {
        "verdicts": {}, "totals": totals, "classifier": classifier, "cost": cost, "limit": limit
    }  # fmt: skip
    return make_bundle(folder).model_copy(update={"metrics": metrics})
