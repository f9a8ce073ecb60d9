"""What a shortcut can and cannot read off the line, with splits by part.

Two classes come with a shortcut, as on real lines: parts that are not pressed home are seen by one
camera, which is aimed at the rivet, and double lines come late. The others come with none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from inspection.curation.baselines import (
    circumstances,
    fit_svm,
    fit_tree,
    hog_features,
    stack,
)
from inspection.curation.folds import leakage_price, shortcut_audit
from samples.draw import draw_line
from samples.line import plan_line
from samples.parts import CLASSES

pytestmark = pytest.mark.slow
CROP = (288, 128)
ON_THE_KNURLING = ("normal", "dent", "slide", "double_line")
WITHOUT_SHORTCUT = ("normal", "dent", "slide")
Array = NDArray[Any]


def grey(path: Path) -> Array:
    frame = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert frame is not None
    return frame


class Views:
    """Sound views of a line of 200 parts: frames, truth, part of each."""

    def __init__(self, folder: Path) -> None:
        data, truth = folder / "data", folder / "truth"
        draw_line(out=data, truth=truth, n_parts=200, workers=2)
        views = json.loads((truth / "truth.json").read_text(encoding="utf-8"))["views"]
        sound = {n: v for n, v in views.items() if not v["broken"] and not v["copy"]}
        self.truth = list(sound.values())
        self.frames = [grey(data / "images" / name) for name in sound]
        self.labels = np.array([CLASSES.index(v["true_class"]) for v in self.truth])
        self.parts = np.array([v["drawn_part"] for v in self.truth])

    def crops(self, region: str) -> list[Array]:
        boxes = [v[f"{region}_box"] for v in self.truth]
        return [f[y : y + h, x : x + w] for f, (x, y, w, h) in zip(self.frames, boxes, strict=True)]

    def predict(
        self, features: Array, labels: Array, model: Callable[[], Any], parts: Array | None = None
    ) -> Array:
        """Out-of-fold predictions, five folds, no part in two of them."""
        from sklearn.model_selection import StratifiedGroupKFold

        found = np.zeros_like(labels)
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
        for fit, test in folds.split(features, labels, self.parts if parts is None else parts):
            found[test] = model().fit(features[fit], labels[fit]).predict(features[test])
        return found


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Views:
    return Views(tmp_path_factory.mktemp("difficulty"))


def logistic() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=500)
    return make_pipeline(StandardScaler(), model)


def forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(100, class_weight="balanced", random_state=0)


def balanced(labels: Array, found: Array) -> float:
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(labels, found))


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_oriented_gradients_and_a_linear_machine_do_not_solve_it(
    views: Views, class_weight: str | None
) -> None:
    from skimage.feature import hog
    from sklearn.metrics import f1_score
    from sklearn.svm import LinearSVC

    crops = [cv2.resize(c, CROP, interpolation=cv2.INTER_AREA) for c in views.crops("knurling")]
    features = np.stack([hog(c, pixels_per_cell=(16, 16), cells_per_block=(2, 2)) for c in crops])
    # a rotation onto as many axes as there are views: the same inner products, sooner solved
    left, scale, _ = np.linalg.svd(features - features.mean(0), full_matrices=False)
    labels = np.where(views.labels == CLASSES.index("under_press"), 0, views.labels)

    def machine() -> Any:
        return LinearSVC(C=0.3, class_weight=class_weight, max_iter=20_000, tol=1e-3)

    found = views.predict(left * scale, labels, machine)
    score = f1_score(labels, found, average="macro")
    assert 1 / len(ON_THE_KNURLING) < score < 0.80


def plain(views: Views) -> Array:
    """Which views are of a class that comes with no shortcut."""
    return np.isin(views.labels, [CLASSES.index(name) for name in WITHOUT_SHORTCUT])


def told(views: Views, features: Array, model: Callable[[], Any]) -> float:
    """Balanced accuracy on the classes that come with no shortcut; chance is a third."""
    rows = plain(views)
    found = views.predict(features[rows], views.labels[rows], model, views.parts[rows])
    return balanced(views.labels[rows], found)


def test_the_background_does_not_tell_the_class(views: Views) -> None:
    pictures = []
    for frame, truth in zip(views.frames, views.truth, strict=True):
        painted = frame.copy()
        for region in ("knurling_box", "rivet_box"):
            x, y, w, h = truth[region]
            painted[y : y + h, x : x + w] = 0
        pictures.append(cv2.resize(painted, (48, 40), interpolation=cv2.INTER_AREA).ravel())
    assert told(views, np.stack(pictures), logistic) <= 1 / 3 + 0.1


@pytest.mark.parametrize("model", [logistic, forest])
def test_mean_brightness_does_not_tell_the_class(views: Views, model: Callable[[], Any]) -> None:
    crops = zip(views.frames, views.crops("knurling"), views.crops("rivet"), strict=True)
    means = np.array([[p.mean() for p in three] for three in crops])
    assert told(views, means, model) <= 1 / 3 + 0.1


def test_neither_framing_nor_camera_nor_part_number_tells_the_class(views: Views) -> None:
    keys = ("knurling_box", "rivet_box")
    rows = [[*v[keys[0]], *v[keys[1]], v["camera"] == "Ch01", v["part_id"]] for v in views.truth]
    assert told(views, np.array(rows, float), forest) <= 1 / 3 + 0.1


def test_the_audit_names_the_shortcuts_that_are_there(views: Views) -> None:
    columns = pd.DataFrame([circumstances(frame) for frame in views.frames])
    columns["camera"] = [v["camera"] for v in views.truth]
    labels = np.array([v["true_class"] for v in views.truth], object)
    found = shortcut_audit(columns, labels, views.parts, fit=fit_tree, n_splits=3, seed=0)
    assert found.classes["camera"] == "under_press"
    assert found.classes["light_x"] == "under_press"


def test_the_audit_names_the_class_that_comes_late() -> None:
    shots = plan_line(np.random.default_rng(0), 400)
    parts = np.array([shot.part_index for shot in shots])
    labels = np.array([shot.label for shot in shots], object)
    columns = pd.DataFrame({"part_order": parts})
    found = shortcut_audit(columns, labels, parts, fit=fit_tree, n_splits=3, seed=0)
    assert found.classes == {"part_order": "double_line"}


def test_a_random_split_claims_a_tenth_more_than_is_there(views: Views) -> None:
    features = stack(hog_features(frame) for frame in views.frames)
    labels = np.array([v["true_class"] for v in views.truth], object)
    found = leakage_price(features, labels, views.parts, fit=fit_svm, n_splits=3, seed=0)
    assert found["price"] > 0.1


def test_the_brightness_of_the_rivet_hardly_tells_whether_it_is_seated(views: Views) -> None:
    from sklearn.metrics import roc_auc_score

    means = np.array([c.mean() for c in views.crops("rivet")])
    area = roc_auc_score(views.labels == CLASSES.index("under_press"), means)
    assert abs(area - 0.5) < 0.2
