"""A cheap classifier on hand-made features: the yardstick that a network has to beat."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from inspection.geometry import Image, locator_input

HOG_SIZE_PX = (128, 128)
HOG_CELL_PX = 16
BORDER_FRACTION = 0.08


def hog_features(
    frame: Image, size_px: tuple[int, int] = HOG_SIZE_PX
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Histogram of oriented gradients of an image (H, W) or (H, W, 3), stretched to `size_px`."""
    from skimage.feature import hog

    return np.asarray(
        hog(
            locator_input(frame, size_px),
            orientations=9,
            pixels_per_cell=(HOG_CELL_PX, HOG_CELL_PX),
            cells_per_block=(2, 2),
        )
    )


def circumstances(frame: Image) -> dict[str, float]:
    """What a frame shows besides the part: brightness, contrast and the border, in grey levels."""
    grey = locator_input(frame, HOG_SIZE_PX).astype(np.float64)
    edge = round(HOG_SIZE_PX[0] * BORDER_FRACTION)
    inner = np.zeros(grey.shape, bool)
    inner[edge:-edge, edge:-edge] = True
    border = grey[~inner]
    return {
        "brightness": float(grey.mean()),
        "contrast": float(grey.std()),
        "border_brightness": float(border.mean()),
        "border_contrast": float(border.std()),
    }


def fit_svm(features: Any, labels: Any) -> Any:
    """A linear SVM with balanced class weights on standardised features."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    machine = LinearSVC(C=0.01, class_weight="balanced", tol=1e-3, random_state=0)
    return make_pipeline(StandardScaler(), machine).fit(features, labels)


def fit_tree(features: Any, labels: Any) -> Any:
    """A small decision tree with balanced class weights: finds any threshold on few columns."""
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(max_depth=4, class_weight="balanced", random_state=0)
    return tree.fit(features, labels)


def stack(rows: Iterable[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Feature rows as one matrix (N, features)."""
    return np.stack(list(rows)).astype(np.float64)
