"""The stage on the files that earlier stages leave behind."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from inspection.evaluation.metrics import outcomes
from inspection.evaluation.worst_views import pictures, save_pictures
from inspection.models.crops import Crops, save_crops
from inspection.runtime.bundle import read_card, write_card
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View
from inspection.storage import write_json, write_table
from stages import report
from tests.bundles import draw_jpeg, make_bundle, sample_line
from tests.lines import run_stage, squares_line
from tests.report_page import ReportPage
from tests.stages.test_report_page import SPLIT, finished, save


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReportPage:
    """The page of a dent that was caught and a normal part, called NA, that was rejected."""
    make_bundle(tmp_path / "bundle")
    inspector = Inspector(tmp_path / "bundle")
    parts = {
        name: [inspector.measure(View(f"{name}.jpg", draw_jpeg("dent")))] for name in ("1", "NA")
    }
    table = outcomes(parts, {"1": "dent", "NA": "normal"}, inspector.card)
    write_table(tmp_path / "test_fold/parts.csv", table)
    save_pictures(tmp_path / "test_fold/pictures.npz", pictures(table, parts, inspector.card))
    write_card(tmp_path / "bundle", finished(read_card(tmp_path / "bundle"), table))
    write_json(tmp_path / "split.json", SPLIT)
    save(tmp_path)
    for region, size in (("rod", (80, 160)), ("rivet", (80, 80))):
        images = np.full((2, *size, 1), 9, np.uint8)
        ids = {"view_id": ["6", "7"], "path": ["a/6.jpg", "a/7.jpg"]}
        index = pd.DataFrame(ids).assign(boxes="")
        save_crops(tmp_path / "crops", region, Crops(images, images[:, ::4, ::4, 0], index))
    ranked = pd.DataFrame({"view_id": ["7", "6"], "path": "a", "part_id": "7", "score": [3.0, 1]})
    write_table(tmp_path / "anomaly/rivet/suspects.csv", ranked)
    evidence = {"threshold": 2.5, "false_rejects": 1, "n_val_normals": 20}
    write_json(tmp_path / "anomaly/rivet/calibration.json", {"evidence": evidence})
    names = {"bundle": "bundle", "test-fold": "test_fold", "quarantine": "quarantine.csv",
             "issues": "issues.csv", "split-metrics": "split.json", "classifier": "classifier",
             "cam": "cam", "anomaly": "anomaly", "crops": "crops", "out": "reports"}  # fmt: skip
    run_stage(report, tmp_path, monkeypatch, params={}, **names)
    return ReportPage((tmp_path / "reports/index.html").read_text(encoding="utf-8"))


def test_the_page_shows_what_the_bundle_did_to_the_test_fold(page: ReportPage) -> None:
    assert page.images["Worst errors"] == ["overkill", "overkill"]
    assert "part NA: normal, verdict reject" in page.text("Worst errors")


def test_the_crops_of_a_suspect_come_from_the_stage_that_cut_them(page: ReportPage) -> None:
    assert page.images["Data"][:2] == ["escape", "escape"]


def test_a_normal_that_looks_least_normal_is_shown_as_it_was_cut(page: ReportPage) -> None:
    assert page.images["Data"][2:] == ["least normal, rivet"]
    assert "rivet: 1 of 2 views whose score lies beyond 2.50" in page.text("Data")


def test_the_crops_shown_are_those_of_the_first_normals_listed_in_their_order(
    tmp_path: Path,
) -> None:
    images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    index = pd.DataFrame({"view_id": ["a", "b", "c", "d"]})
    save_crops(tmp_path / "crops", "rivet", Crops(images, images[..., 0], index))
    table = {"view_id": ["d", "b", "a"], "path": "", "part_id": "", "score": [4.0, 3.0, 1.0]}
    write_table(tmp_path / "anomaly/rivet/suspects.csv", pd.DataFrame(table))
    evidence = {"threshold": 2.5, "false_rejects": 1, "n_val_normals": 20}
    write_json(tmp_path / "anomaly/rivet/calibration.json", {"evidence": evidence})
    line = sample_line(detect_anomalies=["rod", "rivet"])
    (found,) = report.normals_of_regions(line, tmp_path / "anomaly", tmp_path / "crops")
    assert found.region == "rivet"
    assert [int(crop.item()) for crop in found.crops] == [3, 1]


def test_a_score_that_is_missing_stays_missing(tmp_path: Path) -> None:
    table = pd.DataFrame({"part_id": ["007"], "label": ["NA"], "classifier": [0.5]})
    write_table(tmp_path / "parts.csv", table.assign(anomaly=float("nan")))
    (row,) = report.read_parts(tmp_path / "parts.csv", squares_line()).to_dict("records")
    assert (row["part_id"], row["label"], row["classifier"]) == ("007", "NA", 0.5)
    assert pd.isna(row["anomaly"])
