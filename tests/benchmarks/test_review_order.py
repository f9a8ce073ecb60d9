import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from benchmarks.review_order import Bench, looks_for, main, report, share_of_gain
from inspection.curation.label_issues import ISSUE_COLUMNS
from inspection.evaluation.costs import Costs
from inspection.evaluation.part_scores import OUT_OF_FOLD
from inspection.storage import write_table
from tests.bundles import make_bundle
from tests.labelled_views import LINE, views
from tests.pictures import SIZE_PX, part, put

N_PARTS = 90
WRONG = {f"sha{number}" for number in range(8)}


@pytest.fixture(scope="module")
def bench() -> Bench:
    """Parts that two numbers tell apart; eight dented ones are called normal."""
    truth = ["dent" if number < 40 else "normal" for number in range(N_PARTS)]
    called = ["normal" if number < len(WRONG) else label for number, label in enumerate(truth)]
    table = views(*((f"p{number}", label, [], "") for number, label in enumerate(called)))
    centres = np.array([[3.0 * (label == "dent"), 0.0] for label in truth])
    noise = np.random.default_rng(0).normal(0, 1, centres.shape)
    groups = table[["view_id", "near_duplicate_group"]].assign(group_id=table["part_id"])
    return Bench(
        raw=table.drop(columns="near_duplicate_group"),
        groups=groups,
        features=centres + noise,
        truth=dict(zip(table["image_sha256"], truth, strict=True)),
        line=LINE,
        costs=Costs(),
        seeds=[0, 1],
    )


def test_correcting_wrong_labels_lowers_loss_and_cost_and_right_ones_change_nothing(
    bench: Bench,
) -> None:
    before, after = bench.measured([]), bench.measured(WRONG)
    assert bench.measured(["sha20", "sha60"]) == before
    assert after.loss < before.loss
    assert after.cost < before.cost


def test_the_report_counts_what_each_order_finds_and_gains(bench: Bench) -> None:
    desk = [*sorted(WRONG), *(f"sha{number}" for number in range(8, N_PARTS))]
    said = report(bench, WRONG, desk, n_draws=2).splitlines()
    nothing, everything, by_desk, at_random, as_many = said[1:]
    assert "0 of   8" in nothing
    assert nothing.split()[-4:] == ["0", "%", "0", "%"]
    assert "8 of   8" in everything
    assert everything.split()[-4:] == ["100", "%", "100", "%"]
    # four looks by the desk's order find four; chance finds as many among half of the views
    assert by_desk.split()[6:10] == ["4", "of", "8", "4"]
    assert "4 of   8" in at_random
    assert int(at_random.split()[9]) > 20
    assert int(as_many.split()[8]) == 4


def test_looks_are_counted_until_enough_wrong_labels_were_met() -> None:
    assert looks_for(["a", "b", "c", "d"], {"b", "d"}, 1) == 2
    assert looks_for(["a", "b", "c", "d"], {"b", "d"}, 2) == 4
    assert looks_for(["a", "b"], {"b"}, 0) == 0


def test_the_share_of_the_gain_is_none_where_there_is_nothing_to_gain() -> None:
    assert share_of_gain(0.3, before=0.4, after=0.2) == pytest.approx(0.5)
    assert share_of_gain(0.3, before=0.3, after=0.3) == 0


def test_the_command_reads_a_line_its_suspects_and_its_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty parts, the first ten dented; two of these are called normal, and one is suspected."""
    monkeypatch.chdir(tmp_path)
    called = ["normal" if n < 2 or n >= 10 else "dent" for n in range(20)]
    raw = views(*((f"p{n}", label, [], "") for n, label in enumerate(called))).assign(
        camera="C0", width_px=SIZE_PX[0], height_px=SIZE_PX[1]
    )
    clean = raw.assign(group_id=raw["part_id"], held=False, held_reason="")
    raw = raw.drop(columns=["near_duplicate_group", "label_source"])
    truth = {}
    for number, path in enumerate(raw["path"]):
        put(tmp_path / "data" / path, part(number, defect=number < 10))
        shown = "dent" if number < 10 else "normal"
        how = "view" if called[number] != shown else ""
        truth[path] = {
            "true_class": shown, "spoiled": how, "broken": "", "boxes_follow": "truth"
        }  # fmt: skip
    suspect = {"rank": 1, "view_id": "v0", "path": "0.png", "part_id": "p0", "label": "normal",
               "suggested": "dent", "score": 0.9, "reason": "looks like dent"}  # fmt: skip
    write_table(Path("artifacts/manifest/manifest.parquet"), raw)
    write_table(Path("artifacts/labels/manifest.parquet"), clean)
    issues = pd.DataFrame([suspect], columns=list(ISSUE_COLUMNS))
    write_table(Path("artifacts/labels/issues.csv"), issues)
    Path("truth.json").write_text(json.dumps({"views": truth}))
    with Path("params.yaml").open("w") as file:
        YAML().dump({"line": LINE.model_dump(mode="json")}, file)

    words = ["--truth", "truth.json", "--draws", "1", "--splits", "1"]
    monkeypatch.setattr(sys, "argv", ["review_order", *words])
    main()
    by_desk = capsys.readouterr().out.splitlines()[3]
    # the suspect is the first look, and one of the two wrong labels
    assert by_desk.split()[6:10] == ["1", "of", "2", "1"]

    train(clean)
    monkeypatch.setattr(sys, "argv", ["review_order", *words, "--trained"])
    main()
    by_desk = capsys.readouterr().out.splitlines()[3]
    # the ten good parts that are rejected for certain come before the two that are misnamed
    assert by_desk.split()[6:10] == ["1", "of", "2", "11"]


def train(clean: pd.DataFrame) -> None:
    """A bundle and scores out of fold: every part is a slide, the first two a little less so."""
    make_bundle(Path("models/bundle"))
    rows = clean[["view_id", "path", "part_id"]]
    write_table(Path("artifacts/folds/folds.parquet"), rows[["view_id"]].assign(fold="train"))
    is_first = rows["part_id"].isin(["p0", "p1"])
    # log-odds against normal that the fused score tells apart: it ends at one in a million
    slide = np.where(is_first, 4.0, 6.0)
    values = {"value_0": 0.0, "value_1": -9.0, "value_2": slide}
    write_table(Path("artifacts/classifier") / OUT_OF_FOLD, rows.assign(**values))
    write_table(Path("artifacts/anomaly/rivet") / OUT_OF_FOLD, rows.assign(value_0=-9.0))
