from pathlib import Path

import pandas as pd

from inspection.evaluation import metrics as outcomes
from inspection.evaluation.costs import Costs
from inspection.runtime.bundle import Card
from inspection.runtime.releases import promote, release
from pipelines.summary import served_beside, summary
from tests.bundles import make_bundle


def test_a_service_of_another_line_is_named_with_the_remedy(tmp_path: Path) -> None:
    card = make_bundle(tmp_path / "bundle")
    releases = tmp_path / "releases"
    assert served_beside(card, releases) == ""
    release(tmp_path / "bundle", releases, "1")
    promote(releases, "1")
    assert served_beside(card, releases) == ""
    other = card.model_copy(update={"line": card.line.model_copy(update={"name": "other"})})
    warning, fix = served_beside(other, releases).strip().splitlines()
    assert warning == "warning: the service serves line 'test-line', not 'other'"
    assert fix.startswith("to fix: `dvc repro -f -s register`")


def finished(card: Card) -> Card:
    """The card with the metrics of five test parts: one escape, one overkill."""
    rows = [
        ("normal", "pass", 0.1, 0.0),
        ("normal", "reject", 0.95, 0.0),
        ("dent", "pass", 0.2, 0.0),
        ("slide", "reject", 0.95, 0.0),
        ("under_press", "reject", 0.1, 9.0),
    ]
    table = pd.DataFrame(rows, columns=["label", "verdict", "classifier", "anomaly"])
    table["classified"] = ["normal", "dent", "normal", "slide", "normal"]
    metrics = outcomes.test_metrics(table, card, Costs())
    asked = outcomes.claim(table["verdict"], table["label"] != "normal", 0.01)
    return card.model_copy(update={"metrics": metrics | {"claim": asked}})


def test_the_table_has_a_row_per_class_with_its_error_and_the_auroc_of_each_detector(
    tmp_path: Path,
) -> None:
    text = summary(finished(make_bundle(tmp_path)))
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert rows["class"][1:] == [
        "parts", "pass", "review", "reject", "error", "at", "most", "classifier", "anomaly"
    ]  # fmt: skip
    assert rows["dent"][1:8] == ["1", "1", "0", "0", "1", "(100.0", "%)"]
    assert rows["normal"][1:8] == ["2", "1", "0", "1", "1", "(50.0", "%)"]
    assert rows["under_press"][-2:] == ["-", "1.000"]
    assert rows["dent"][-2:] == ["0.500", "-"]


def test_the_legend_says_what_an_error_is_and_what_cannot_be_claimed(tmp_path: Path) -> None:
    text = summary(finished(make_bundle(tmp_path)))
    assert "escapes 1 of 3 defective parts" in text
    assert "overkill 1 of 2" in text
    assert "1.0 % escapes cannot be claimed" in text
    assert "299 without an escape" in text
