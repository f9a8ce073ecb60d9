"""A baseline classifier on hand-made features: the yardstick that a network has to beat."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from inspection.geometry import Image, locator_input

# size of a frame for the features, width and height: as in Dalal and Triggs 2005 for a person
HOG_SIZE_PX = (128, 128)
# side of a cell: 8 x 8 cells of a frame, coarse enough not to depend on where a part lies
HOG_CELL_PX = 16
# orientations of a cell and cells of a block's side (Dalal and Triggs 2005, their best)
HOG_ORIENTATIONS = 9
HOG_BLOCK_CELLS = 2
# width of the border, of a frame's side: the part is not to reach into it
BORDER_FRACTION = 0.08
# strength of the penalty (inverse) with some thousand features on some hundred views
SVM_C = 0.01
# where the solver stops
SVM_TOLERANCE = 1e-3  # no outcome: coarser only costs accuracy in the third digit
# levels of the tree: 16 leaves find any two thresholds on each side, and hardly noise
TREE_DEPTH = 4


def hog_features(
    frame: Image, size_px: tuple[int, int] = HOG_SIZE_PX
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Histogram of oriented gradients of an image (H, W) or (H, W, 3), stretched to `size_px`."""
    from skimage.feature import hog

    features = hog(
        locator_input(frame, size_px),
        orientations=HOG_ORIENTATIONS,
        pixels_per_cell=(HOG_CELL_PX, HOG_CELL_PX),
        cells_per_block=(HOG_BLOCK_CELLS, HOG_BLOCK_CELLS),
    )
    return np.asarray(features)


def circumstances(frame: Image) -> dict[str, float]:
    """What a frame shows besides the part: brightness, contrast and the border, in grey levels,
    and where its light is centred, 0 (left, top) .. 1.
    """
    grey = locator_input(frame, HOG_SIZE_PX).astype(np.float64)
    edge = round(HOG_SIZE_PX[0] * BORDER_FRACTION)
    inner = np.zeros(grey.shape, bool)
    inner[edge:-edge, edge:-edge] = True
    border = grey[~inner]
    light_x, light_y = _centre_of_light(grey)

    return {
        "brightness": float(grey.mean()),
        "contrast": float(grey.std()),
        "border_brightness": float(border.mean()),
        "border_contrast": float(border.std()),
        "light_x": light_x,
        "light_y": light_y,
    }


def _centre_of_light(
    grey: np.ndarray[Any, np.dtype[np.float64]],
) -> tuple[float, float]:
    """Where brightness (H, W) is centred; the middle of a frame that is black all over."""
    total = grey.sum()
    if total == 0:
        return 0.5, 0.5
    height, width = grey.shape
    # pixels have their places in their middles
    x = (np.arange(width) + 0.5) / width
    y = (np.arange(height) + 0.5) / height
    return float(grey.sum(0) @ x / total), float(grey.sum(1) @ y / total)


def fit_svm(features: Any, labels: Any) -> Any:
    """A linear SVM with balanced class weights on standardised features."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    machine = LinearSVC(
        C=SVM_C,
        class_weight="balanced",
        tol=SVM_TOLERANCE,
        random_state=0,
    )
    return make_pipeline(StandardScaler(), machine).fit(features, labels)


def fit_tree(features: Any, labels: Any) -> Any:
    """A small decision tree with balanced class weights: finds any threshold on few columns."""
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        max_depth=TREE_DEPTH,
        class_weight="balanced",
        random_state=0,
    )
    return tree.fit(features, labels)


def stack(rows: Iterable[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Feature rows as one matrix (N, features)."""
    return np.stack(list(rows)).astype(np.float64)
