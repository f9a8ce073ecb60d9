import numpy as np
import pytest

from inspection.errors import InspectionError
from inspection.evaluation.classification import (
    classification,
    confusion_rows,
    macro_f1_bound,
)
from inspection.parts import f1_by_class
from tests.inspection.evaluation.test_metrics import LINE, TABLE


def test_the_classifier_is_judged_on_what_its_region_can_show() -> None:
    found = classification(TABLE, LINE)
    assert found["classes"] == ["normal", "dent", "slide"]
    assert found["confusion"] == [[3, 2, 0], [1, 1, 1], [0, 0, 1]]
    assert found["macro_f1"] == pytest.approx((6 / 9 + 2 / 6 + 2 / 3) / 3)


def test_the_confusion_is_of_labels_as_they_show_in_the_classifiers_region() -> None:
    rows = confusion_rows(TABLE, LINE)
    assert list(rows["actual"]) == [*["normal"] * 4, *["dent"] * 3, "slide", "normal"]
    assert list(rows["predicted"]) == list(TABLE["classified"])


def test_a_part_that_was_not_found_is_not_counted_as_rightly_classified() -> None:
    blind = TABLE.assign(classified=["not_found", *TABLE["classified"][1:]])
    found = classification(blind, LINE)
    assert (found["n_parts"], found["n_not_found"]) == (8, 1)
    assert found["confusion"][0] == [2, 2, 0]
    assert found["macro_f1"] < classification(TABLE, LINE)["macro_f1"]


def test_without_a_hit_no_bound_lies_above_what_was_found() -> None:
    swapped = {"normal": "dent", "dent": "slide", "slide": "normal"}
    shown = confusion_rows(TABLE, LINE)["actual"]
    wrong = TABLE.assign(classified=[swapped[label] for label in shown])
    found = classification(wrong, LINE)
    assert found["macro_f1"] == found["macro_f1_lower_bound"] == 0


def test_a_macro_f1_bound_is_seldom_above_the_truth() -> None:
    sizes = np.array([40, 12, 12])
    shares = np.array([[0.95, 0.05, 0.0], [0.1, 0.85, 0.05], [0.0, 0.1, 0.9]])
    truth = f1_by_class(sizes[:, None] * shares).mean()
    draws = np.random.default_rng(0)
    tables = (
        np.stack([draws.multinomial(n, row) for n, row in zip(sizes, shares, strict=True)])
        for _ in range(200)
    )
    bounds = np.array([macro_f1_bound(table) for table in tables])
    assert np.mean(bounds > truth) <= 0.05
    assert np.median(bounds) > truth - 0.15


def test_a_perfect_macro_f1_is_bounded_the_closer_the_more_parts_there_are() -> None:
    bounds = [macro_f1_bound(np.diag([4 * n, n, n])) for n in (1, 5, 25)]
    assert 0 < bounds[0] < bounds[1] < bounds[2] < 1


def test_a_class_without_parts_and_predictions_leaves_the_bound_as_it_is() -> None:
    table = np.array([[20, 1, 0], [2, 8, 0], [0, 0, 0]])
    assert macro_f1_bound(table) == macro_f1_bound(table[:2, :2])


def test_a_classifier_that_got_no_test_part_is_no_classifier_of_nan() -> None:
    with pytest.raises(InspectionError, match="found in none of 9 test parts"):
        classification(TABLE.assign(classified="not_found"), LINE)
