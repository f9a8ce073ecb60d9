import pytest
from sklearn.metrics import roc_auc_score

from inspection.evaluation.auroc import anomaly_measures, class_auroc, fused_measures
from tests.bundles import settings_of_two_anomaly_regions
from tests.inspection.evaluation.test_metrics import SETTINGS, TABLE


def test_auroc_of_a_class_is_that_of_scikit_learn_by_the_fused_score() -> None:
    expected = roc_auc_score([0, 0, 0, 0, 1, 1, 1], TABLE["fused"][:7])
    assert class_auroc(TABLE, "dent", SETTINGS) == pytest.approx(expected)
    by_anomaly = roc_auc_score([0, 0, 0, 0, 1], [0.0, 1.0, 0.5, 3.0, 2.0])
    found = fused_measures(TABLE, SETTINGS)
    everything = roc_auc_score([0] * 4 + [1] * 5, TABLE["fused"])
    assert found["fused_auroc"] == pytest.approx(everything)
    assert (found["fused_n_defective"], found["fused_n_normal"]) == (5, 4)
    found = anomaly_measures(TABLE, SETTINGS)
    assert found["anomaly_auroc"] == pytest.approx(by_anomaly)
    assert (found["anomaly_n_defective"], found["anomaly_n_normal"]) == (1, 4)


def test_each_anomaly_detector_is_measured_by_the_defects_of_its_region() -> None:
    settings = settings_of_two_anomaly_regions()
    table = TABLE.rename(columns={"anomaly": "anomaly_rivet"})
    table = table.assign(anomaly_rod=table["classifier"])
    found = anomaly_measures(table, settings)
    single = anomaly_measures(TABLE, SETTINGS)
    assert found["anomaly_rivet_auroc"] == single["anomaly_auroc"]
    is_on_rod = table["label"].isin(["normal", "dent", "slide"])
    rows = table[is_on_rod].dropna(subset=["classifier"])
    expected = roc_auc_score(rows["label"] != "normal", rows["classifier"])
    assert found["anomaly_rod_auroc"] == pytest.approx(expected)


def test_there_is_no_auroc_without_parts_of_either_kind() -> None:
    assert class_auroc(TABLE[TABLE["label"] != "normal"], "dent", SETTINGS) is None
    for table in (TABLE[TABLE["label"] == "normal"], TABLE[:0]):
        found = anomaly_measures(table, SETTINGS)
        assert (found["anomaly_auroc"], found["anomaly_auroc_lower_bound"]) == (None, None)
