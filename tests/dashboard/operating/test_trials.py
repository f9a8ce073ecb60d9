from typing import Any

from dashboard.operating.trials import drill_table, evidence_sentence, evidence_table
from tests.bundles import sample_line


def evidence() -> dict[str, Any]:
    """What metrics/evidence.json holds of ten parts."""
    one = {"n_parts": 2, "pass": 1, "review": 0, "reject": 1, "rate": 0.5, "upper_bound": 0.975}
    good = {"n_parts": 8, "pass": 7, "review": 1, "reject": 0, "rate": 0.0, "upper_bound": 0.312}
    return {
        "n_folds": 5,
        "by_fold": {"fused_auroc": [0.8, None, 1.0]},
        "fused_auroc": 0.9,
        "verdicts": {"normal": good | {"auroc": None}, "dent": one | {"auroc": 0.9}},
        "totals": {
            "escapes": 1, "n_defective": 2, "escape_upper_bound": 0.975, "overkill": 0,
            "n_normal": 8, "overkill_upper_bound": 0.312, "reviewed": 1, "n_parts": 10,
        },
        "classifier": {"macro_f1": 0.75},
        "cost": {"sentence": "this line does not beat sending every part to review"},
    }  # fmt: skip


def drill() -> dict[str, Any]:
    """What metrics/drill.json holds of one class, tried beside an older bundle."""
    one = {"n_parts": 4, "pass": 1, "review": 3, "reject": 0, "escape_upper_bound": 0.751}
    auroc = {"fused": 0.8, "anomaly": None}
    return {"beside": "older", "classes": {"dent": one | {"auroc": auroc}}}


def test_the_errors_of_each_class_stand_with_their_bounds() -> None:
    table = evidence_table(evidence(), "normal").set_index("class")
    assert list(table["error"]) == ["overkill", "escapes"]
    assert list(table.loc["dent", ["parts", "pass", "reject"]]) == [2, 1, 1]
    assert table.loc["dent", "at most"] == "97.5 %"


def test_the_sentence_says_how_far_the_folds_lie_apart() -> None:
    said = evidence_sentence(evidence())
    assert "in 5 folds: escapes 1 of 2, at most 97.5 %" in said
    assert "AUROC 0.900 (0.800 to 1.000 by fold), macro-F1 0.750." in said
    assert said.endswith("This line does not beat sending every part to review.")


def test_a_class_that_was_never_shown_has_a_row_with_its_scores() -> None:
    row = drill_table(drill(), sample_line()).iloc[0]
    assert (row["never shown"], row["pass"], row["review"]) == ("dent", 1, 3)
    assert (row["escapes at most"], row["AUROC fused"]) == ("75.1 %", 0.8)


def test_classes_and_scores_stand_in_the_order_of_the_line_and_those_of_before_last() -> None:
    line = sample_line()
    auroc = {"anomaly": 0.7, "classifier": 0.9, "fused": 0.8, "of before": 0.5}
    one = {"n_parts": 4, "pass": 1, "review": 3, "reject": 0, "escape_upper_bound": 0.751}
    classes = {name: one | {"auroc": auroc} for name in sorted(["scratch", *line.defects])}

    table = drill_table({"classes": classes}, line)

    assert table["never shown"].tolist() == [*line.defects, "scratch"]
    names = ["fused", "classifier", "anomaly", "of before"]
    assert [name for name in table if name.startswith("AUROC")] == [f"AUROC {n}" for n in names]
