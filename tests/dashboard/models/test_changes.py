import pandas as pd
import pytest

from dashboard.models.changes import changed_verdicts, compared, differing, headlines
from inspection.runtime.bundle import Card
from inspection.runtime.verdict import PartVerdict
from tests.bundles import changed_thresholds, make_bundle

DATA_DVC = "outs:\n- md5: {md5}\n  nfiles: {n}\n  path: data\n"


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    made = make_bundle(tmp_path_factory.mktemp("bundle"))
    lineage = {
        "git_revision": "abc" * 10, "data": DATA_DVC.format(md5="aaaa", n=3), "mlflow_run": "r1",
        "params": "train:\n  epochs: 3\n  weights: none\n",
    }  # fmt: skip
    metrics = {"totals": {"escapes": 1, "n_defective": 50}, "cost": {"line": {"value": 0.2}}}
    return made.model_copy(update={"lineage": lineage, "metrics": metrics})


def part(verdict: str, label: str) -> PartVerdict:
    return PartVerdict(verdict, label, "", f"{verdict}.jpg", [])


def test_what_was_not_measured_is_none(card: Card) -> None:
    found = headlines(card)
    assert (found["escapes"], found["expected cost a part"]) == (1.0, 0.2)
    assert found["macro-F1"] is None


def test_numbers_stand_side_by_side_with_their_change(card: Card) -> None:
    worse = card.model_copy(update={"metrics": {"totals": {"escapes": 3, "n_defective": 50}}})
    table = compared(card, worse).set_index("measured")
    assert table.loc["escapes"].tolist() == [1, 3, 2]
    assert pd.isna(table.loc["expected cost a part", "change"])


def test_only_what_differs_is_listed(card: Card) -> None:
    assert differing(card, card).empty
    lineage = card.lineage | {
        "data": DATA_DVC.format(md5="bbbb", n=3),
        "params": "train:\n  epochs: 5\n  weights: none\n  seed: 1\n",
    }
    other = card.model_copy(update={"lineage": lineage})
    other = changed_thresholds(other, 0.2, 0.9)
    rows = differing(card, other).to_dict("records")
    assert {(row["what"], row["before"], row["after"]) for row in rows} == {
        ("data (data.dvc)", "aaaa", "bbbb"),
        ("fused: passes below", "0.3", "0.2"),
        ("params: train.epochs", "3", "5"),
        ("params: train.seed", "-", "1"),
    }


def test_params_that_cannot_be_read_are_none(card: Card) -> None:
    broken = card.model_copy(update={"lineage": card.lineage | {"params": "a: [", "data": ""}})
    found = set(differing(card, broken)["what"])
    assert {"params: train.epochs", "data (data.dvc)"} <= found


def test_changed_parts_are_better_or_worse_by_what_the_label_wants() -> None:
    views = pd.DataFrame(
        {"part_id": list("12345"), "label": ["normal", "dent", "dent", "normal", "dent"]}
    )
    before = {
        "1": part("reject", "dent"), "2": part("reject", "dent"), "3": part("reject", "dent"),
        "4": part("pass", "normal"), "5": part("reject", "slide"),
    }  # fmt: skip
    after = {
        "1": part("pass", "normal"), "2": part("review", "dent"), "3": part("reject", "dent"),
        "4": part("review", "dent"), "5": part("reject", "dent"),
    }  # fmt: skip
    table = changed_verdicts(views, before, after, "normal")
    assert dict(zip(table["part"], table["became"], strict=True)) == {
        "2": "worse", "4": "worse", "5": "other", "1": "better",
    }  # fmt: skip
    assert list(table["became"]) == ["worse", "worse", "other", "better"]
    assert table.set_index("part").loc["1", "view"] == "reject.jpg"
