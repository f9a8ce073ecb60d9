import pytest
from sklearn.metrics import roc_auc_score

from inspection.evaluation.auroc import anomaly_measures, class_auroc
from tests.inspection.evaluation.test_metrics import SETTINGS, TABLE


def test_auroc_is_that_of_scikit_learn_by_the_detector_that_sees_the_defect() -> None:
    expected = roc_auc_score([0, 0, 0, 0, 1, 1, 1], TABLE["classifier"][:7])
    assert class_auroc(TABLE, "dent", SETTINGS) == pytest.approx(expected)
    by_anomaly = roc_auc_score([0, 0, 0, 0, 1], [0.0, 1.0, 0.5, 3.0, 2.0])
    assert class_auroc(TABLE, "under_press", SETTINGS) == pytest.approx(by_anomaly)
    found = anomaly_measures(TABLE, SETTINGS)
    assert found["anomaly_auroc"] == pytest.approx(by_anomaly)
    assert (found["anomaly_n_defective"], found["anomaly_n_normal"]) == (1, 4)


def test_there_is_no_auroc_without_parts_of_either_kind() -> None:
    assert class_auroc(TABLE[TABLE["label"] != "normal"], "dent", SETTINGS) is None
    for table in (TABLE[TABLE["label"] == "normal"], TABLE[:0]):
        found = anomaly_measures(table, SETTINGS)
        assert (found["anomaly_auroc"], found["anomaly_auroc_lower_bound"]) == (None, None)
