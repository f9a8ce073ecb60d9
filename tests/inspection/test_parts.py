import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from inspection.parts import by_part, confusion, f1_by_class, labels_of_parts, macro_f1, part_label

CLASSES = ("normal", "dent", "slide")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["normal", "normal"], "normal"),
        (["normal", "normal", "dent"], "dent"),
        (["slide", "dent", "slide"], "slide"),
        ([], "normal"),
    ],
)
def test_a_part_is_called_by_its_most_frequent_defect(labels: list[str], expected: str) -> None:
    assert part_label(labels, "normal") == expected


def test_a_part_is_as_bad_as_its_worst_view() -> None:
    index = pd.DataFrame(
        {"part_id": ["a", "b", "a", "b"], "label": ["normal", "normal", "dent", "normal"]}
    )
    probabilities = np.array([[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.6, 0.1, 0.3]])
    parts = by_part(index, probabilities, CLASSES).set_index("part_id")
    assert parts.loc["a", ["label", "predicted", "row"]].tolist() == ["dent", "dent", 2]
    assert parts.loc["b", ["label", "predicted", "row"]].tolist() == ["normal", "normal", 3]
    assert parts["score"].tolist() == pytest.approx([0.8, 0.4])


def test_parts_are_counted_whatever_the_index_of_the_table() -> None:
    index = pd.DataFrame({"part_id": ["a", "a"], "label": ["dent", "dent"]}, index=[7, 7])
    parts = by_part(index, np.array([[0.9, 0.1, 0.0], [0.1, 0.0, 0.9]]), CLASSES)
    assert parts[["predicted", "row"]].to_numpy().tolist() == [["slide", 1]]


@pytest.mark.parametrize("seed", range(4))
def test_f1_and_confusion_are_those_of_scikit_learn(seed: int) -> None:
    labels, predicted = np.random.default_rng(seed).choice(CLASSES, (2, 50))
    table = confusion(list(labels), list(predicted), CLASSES)
    np.testing.assert_array_equal(table, confusion_matrix(labels, predicted, labels=CLASSES))
    expected = f1_score(labels, predicted, labels=CLASSES, average=None)
    np.testing.assert_allclose(f1_by_class(table), expected)
    assert macro_f1(list(labels), list(predicted), CLASSES) == pytest.approx(expected.mean())


def test_a_class_that_neither_is_nor_is_predicted_does_not_count() -> None:
    labels, predicted = ["normal", "dent", "dent"], ["normal", "dent", "normal"]
    expected = f1_score(labels, predicted, average="macro")
    assert macro_f1(labels, predicted, CLASSES) == pytest.approx(expected)
    assert np.isnan(f1_by_class(confusion(labels, predicted, CLASSES))[2])


def test_a_part_has_the_label_of_its_defect() -> None:
    views = pd.DataFrame({"part_id": ["a", "a", "b"], "label": ["normal", "dent", "normal"]})
    assert labels_of_parts(views, "normal") == {"a": "dent", "b": "normal"}
