from __future__ import annotations

import doctest

import numpy as np
import pandas as pd
import pytest

import inspection.evaluation.matched
from inspection.evaluation.matched import N_SHARES, alike, matched_auroc, matched_measures


def outcomes(labels: list[str], fused: list[float]) -> pd.DataFrame:
    views = [f"{number}.png" for number in range(len(labels))]
    return pd.DataFrame({"label": labels, "fused": fused, "worst_view": views})


def seen(**columns: list[float] | list[str]) -> pd.DataFrame:
    n_rows = len(next(iter(columns.values())))
    return pd.DataFrame({"path": [f"{number}.png" for number in range(n_rows)], **columns})


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(inspection.evaluation.matched).failed == 0


def test_a_score_that_reads_the_camera_is_worth_nothing_once_cameras_are_matched() -> None:
    # the score is the camera, which is right about six of eight
    cameras = ["a", "a", "a", "b", "a", "b", "b", "b"]
    labels = ["normal"] * 4 + ["dent"] * 4
    table = outcomes(labels, [float(camera == "b") for camera in cameras])
    found = matched_measures(table, seen(camera=cameras), "normal")
    assert found["camera"] == {"auroc": 0.5, "unmatched_auroc": 0.75, "n_parts": 8}


def test_a_score_that_reads_the_defect_stays_what_it_is() -> None:
    labels = ["normal", "dent"] * 4
    table = outcomes(labels, [float(label == "dent") for label in labels])
    found = matched_measures(table, seen(camera=["a", "b", "b", "a"] * 2), "normal")
    assert found["camera"]["auroc"] == found["camera"]["unmatched_auroc"] == 1.0


def test_parts_that_nobody_looked_at_are_left_out_and_a_column_without_pairs_is() -> None:
    table = outcomes(["normal", "dent", "dent"], [0.0, 1.0, 1.0])
    circumstances = seen(camera=["a", "b", "b"], light_x=[0.5, 0.5, 0.5])[:2]
    found = matched_measures(table, circumstances, "normal")
    assert list(found) == ["light_x"]
    assert found["light_x"]["n_parts"] == 2


def test_numbers_are_alike_within_quarters_and_few_numbers_are_what_they_are() -> None:
    assert N_SHARES == 4
    assert alike(pd.Series(np.arange(8.0))).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert alike(pd.Series([640, 480, 640])).tolist() == [0, 1, 0]
    assert alike(pd.Series(["a", "b", "a"])).tolist() == [0, 1, 0]


def test_within_groups_it_is_the_auroc_and_ties_count_half() -> None:
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(0)
    is_defective = generator.uniform(size=60) < 0.4
    scores = np.round(generator.normal(is_defective, 1), 1)
    one_group = matched_auroc(scores, is_defective, np.zeros(60))
    assert one_group == pytest.approx(roc_auc_score(is_defective, scores))
