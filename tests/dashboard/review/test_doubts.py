from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard.evidence import Evidence
from dashboard.review.doubts import class_probabilities, from_doubts
from inspection.runtime.views import DetectorOutput, ViewOutputs
from tests.bundles import sample_settings

NO_HEAT = np.zeros((1, 1, 1), np.float32)
SETTINGS = sample_settings()
CLASSES = SETTINGS.classifier.classes


def view(name: str, *logits: float) -> ViewOutputs:
    """A view whose classifier gives these logits; without any its region was not found."""
    detectors = {}
    if logits:
        detectors["classifier"] = DetectorOutput(np.array(logits, np.float32), NO_HEAT)
    return ViewOutputs(name, "", (1, 1), {}, {}, detectors)


def doubted(label: str, *views: ViewOutputs, labels: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """The files that are asked about of one part, and the class that speaks against its label."""
    rows = [
        {"view_id": one.name, "image_sha256": one.name, "path": one.name, "part_id": "7",
         "label": of_view, "boxes": "[]", "held": False}
        for one, of_view in zip(views, labels or [label] * len(views), strict=True)
    ]  # fmt: skip
    evidence = Evidence({"7": list(views)}, {"7": label}, "out_of_fold")
    found = from_doubts(evidence, SETTINGS, pd.DataFrame(rows), Path("data"))
    assert all(one.kind == "suspect" and 0.5 < one.score <= 1 for one in found)
    return [(one.path.name, one.suggested) for one in found]


def test_a_part_that_looks_like_another_class_is_asked_about_with_all_its_views() -> None:
    assert CLASSES[:2] == ("normal", "dent")
    strange = view("a.jpg", -4, -4, 4), view("b.jpg", -4, -3, 4)
    assert doubted("dent", *strange) == [("a.jpg", CLASSES[2]), ("b.jpg", CLASSES[2])]
    assert doubted("normal", *strange) == [("a.jpg", CLASSES[2]), ("b.jpg", CLASSES[2])]
    assert doubted(CLASSES[2], *strange) == []


def test_the_views_of_a_part_speak_together() -> None:
    assert doubted("dent", view("a.jpg", 2, 0, -9)) == [("a.jpg", "normal")]
    assert doubted("dent", view("a.jpg", 2, 0, -9), view("b.jpg", -9, 9, -9)) == []


def test_a_view_of_another_label_than_its_part_is_not_asked_about() -> None:
    views = view("a.jpg", 4, -4, -4), view("b.jpg", 4, -4, -4)
    assert doubted("dent", *views, labels=("dent", "normal")) == [("a.jpg", "normal")]


def test_what_the_classifier_does_not_see_is_not_doubted() -> None:
    assert doubted("under_press", view("a.jpg", 9, -9, -9)) == []
    assert doubted("dent", view("a.jpg")) == []
    assert class_probabilities([view("a.jpg")], SETTINGS) is None


@pytest.mark.parametrize(("odds", "is_doubted"), [(0.01, True), (-0.01, False)])
def test_what_is_likelier_than_not_is_doubted(odds: float, is_doubted: bool) -> None:
    """Of two classes, where the third is as good as impossible."""
    assert bool(doubted("dent", view("a.jpg", odds, 0, -99))) is is_doubted
