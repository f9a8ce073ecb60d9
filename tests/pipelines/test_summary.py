from pathlib import Path

import pandas as pd
import pytest

from inspection.evaluation import metrics as outcomes
from inspection.evaluation.cost_report import cost_report
from inspection.evaluation.costs import Costs
from inspection.evaluation.escape_limit import EscapeLimit
from inspection.runtime.bundle import Card, write_card
from inspection.runtime.detectors import score_names
from inspection.runtime.releases import promote, release
from pipelines.summary import a_view, champion_beside, served_beside, summary, where_next
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
    assert fix.startswith("to fix: `python -m pipelines.promote --sync`")


LIMIT = EscapeLimit(
    asked=0.01,
    confidence=0.95,
    supported=False,
    applied="no_known_escape",
    n_defective=33,
    escapes=0,
    upper_bound=0.087,
    n_parts_needed=299,
)


def finished(card: Card) -> Card:
    """The card with the metrics of five test parts: one escape, one overkill."""
    rows = [
        ("normal", "pass", 0.01, 0.1, 0.0),
        ("normal", "reject", 0.9, 0.95, 0.0),
        ("dent", "pass", 0.02, 0.2, 0.0),
        ("slide", "reject", 0.9, 0.95, 0.0),
        ("under_press", "reject", 0.99, 0.1, 9.0),
    ]
    table = pd.DataFrame(rows, columns=["label", "verdict", *score_names(card.line)])
    table["classified"] = ["normal", "dent", "normal", "slide", "normal"]
    metrics = outcomes.test_metrics(table, card, Costs())
    return card.model_copy(update={"metrics": metrics | {"limit": LIMIT.as_json()}})


def test_the_table_has_a_row_per_class_with_its_error_and_the_auroc_of_each_detector(
    tmp_path: Path,
) -> None:
    text = summary(finished(make_bundle(tmp_path)))
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert rows["class"][1:] == [
        "parts", "pass", "review", "reject", "error", "at", "most", "AUROC",
        "by", "classifier", "by", "anomaly",
    ]  # fmt: skip
    assert rows["dent"][1:8] == ["1", "1", "0", "0", "1", "(100.0", "%)"]
    assert rows["normal"][1:8] == ["2", "1", "0", "1", "1", "(50.0", "%)"]
    assert rows["under_press"][-3:] == ["1.000", "-", "1.000"]
    assert rows["dent"][-3:] == ["0.500", "0.500", "-"]


def test_the_legend_says_what_an_error_is_and_what_cannot_be_claimed(tmp_path: Path) -> None:
    text = summary(finished(make_bundle(tmp_path)))
    assert "review: a person decides" in text
    assert "of class normal overkill (rejected)" in text
    assert "escapes 1 of 3 defective parts" in text
    assert "overkill 1 of 2" in text
    assert LIMIT.sentence in text
    assert "299 without an escape" in text


def test_the_parts_that_a_look_is_worth_are_named_where_there_are_some(tmp_path: Path) -> None:
    card = finished(make_bundle(tmp_path))
    assert "would help: look at" not in summary(card)
    for sentence, n_told in (("look at 7 (dent)", 1), (None, 0)):
        limit = card.metrics["limit"] | {"hardest": {"parts": [], "sentence": sentence}}
        told = summary(card.model_copy(update={"metrics": card.metrics | {"limit": limit}}))
        assert told.count("would help: look at 7 (dent)") == n_told


def test_the_claim_is_told_as_it_would_be_if_suspected_labels_are_wrong(tmp_path: Path) -> None:
    card = finished(make_bundle(tmp_path))
    for sentence in ("1 of 33 defective parts pass", None):
        limit = card.metrics["limit"] | {"if_mended": sentence}
        told = summary(card.model_copy(update={"metrics": card.metrics | {"limit": limit}}))
        assert ("1 of 33 defective parts pass" in told.splitlines()) == (sentence is not None)
        assert "None" not in told


@pytest.mark.parametrize(("n_escapes", "beats"), [(0, True), (5, False)])
def test_what_does_not_beat_reviewing_all_is_said_before_the_table(
    tmp_path: Path, n_escapes: int, beats: bool
) -> None:
    verdicts = ["pass"] * 50 + ["pass"] * n_escapes + ["reject"] * (20 - n_escapes)
    labels = ["normal"] * 50 + ["dent"] * 20
    cost = cost_report(verdicts, labels, "normal", Costs())
    card = finished(make_bundle(tmp_path))
    metrics = card.metrics | {"cost": cost.as_json()}
    text = summary(card.model_copy(update={"metrics": metrics}))
    assert (text.index(cost.sentence) < text.index("test fold")) == (not beats)
    assert all(one in text for one in cost.advice)
    assert "to review all costs 0.300" in text
    assert "the unit is one good part thrown away (assemble.costs)" in text


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


def test_the_view_to_send_is_one_of_the_line_quoted_for_a_shell(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.parquet"
    assert a_view(Path("data"), manifest) == "views=@image.jpg"
    pd.DataFrame({"path": ["test/bent wire/0.png", "a.png"]}).to_parquet(manifest)
    assert a_view(Path("data"), manifest) == "'views=@data/test/bent wire/0.png'"


def test_where_to_look_next_is_named_from_the_root_also_for_another_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_bundle(tmp_path / "bundle")
    manifest = tmp_path / "manifest.parquet"
    pd.DataFrame({"path": ["a.png"]}).to_parquet(manifest)
    tiles = tmp_path / "lines/tiles"
    for folder in (tmp_path / ".dvc", tiles):
        folder.mkdir(parents=True)
    asked = (card, Path("reports/index.html"), Path("data"), manifest)

    monkeypatch.chdir(tmp_path)
    said = where_next(*asked)
    assert "registry    make registry    (http" in said
    assert "curl -F views=@data/a.png http://127.0.0.1:3000/inspect\n" in said
    assert said.endswith("your parts  make adopt DATA=<folder>, then dvc repro\n")

    monkeypatch.chdir(tiles)
    said = where_next(*asked)
    assert "report      lines/tiles/reports/index.html\n" in said
    assert "make registry LINE=tiles    (http" in said
    assert "views=@lines/tiles/data/a.png http://127.0.0.1:3000/lines/tiles/inspect\n" in said
    assert "make adopt LINE=tiles DATA=<folder>, then dvc --cd lines/tiles repro\n" in said
