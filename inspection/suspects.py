"""Which labels a cheap classifier would not have given: suspects for a person to look at.

Out-of-sample by part, so that a view's siblings do not vouch for it. What can be seen is measured
in cells of texture; what was boxed counts as well, for a box that is there or missing tells what
the person who drew it believed.
"""

import json
from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd

from inspection.labels import Conflict
from inspection.line import Line

CELL_PX = 16
LONG_SIDE_PX = 320
N_ORIENTATIONS = 8
RANKS = (0.0, 0.01, 0.1, 0.25, 0.75, 0.9, 0.97, 0.985, 1.0)
N_COMPONENTS = 60
MARGIN_FRACTION = 0.08
N_FOLDS = 5
ISSUE_COLUMNS = (
    "rank",
    "view_id",
    "path",
    "part_id",
    "label",
    "suggested",
    "score",
    "reason",
)
Window = tuple[int, int, int, int]


def windows(table: pd.DataFrame, line: Line) -> dict[str, list[Window]]:
    """Where to look, by camera: the median box of each boxed region, or the whole frame.

    The median and not the view's own box, which only some classes have: how a crop is framed must
    not tell the label. A window is (left, top, right, bottom) in frame pixels.
    """
    corners: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for camera, cell in zip(table["camera"], table["boxes"], strict=True):
        for box in json.loads(cell):
            if box["category"] in line.regions:
                edges = (box["x_px"], box["y_px"], box["width_px"], box["height_px"])
                corners.setdefault((camera, box["category"]), []).append(edges)
    found: dict[str, list[Window]] = {}
    for camera, frames in table.groupby("camera"):
        size = (int(frames["width_px"].median()), int(frames["height_px"].median()))
        boxed = [corners[camera, name] for name in line.regions if (camera, name) in corners]
        found[str(camera)] = [_window(edges, size) for edges in boxed] or [(0, 0, *size)]
    return found


def texture_features(pixels: np.ndarray, looked_at: Sequence[Window]) -> np.ndarray:
    """Features (D,) of the windows of a grey frame (H, W): cells in place, and their extremes."""
    return np.concatenate([_window_features(pixels, window) for window in looked_at])


def box_features(table: pd.DataFrame, line: Line) -> np.ndarray:
    """(N, classes + regions): 1 where a box of the category is there."""
    categories = [*line.classes, *line.regions]
    told = [{box["category"] for box in json.loads(cell)} for cell in table["boxes"]]
    return np.array([[float(c in one) for c in categories] for one in told], np.float64)


def out_of_sample(
    features: np.ndarray, labels: Sequence[str], groups: Sequence[str], *, seed: int
) -> pd.DataFrame:
    """Probability of each class (N, classes) by models that saw no view of the same group."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    truth, owners = np.asarray(labels), np.asarray(groups)
    classes = sorted(set(labels))
    result = pd.DataFrame(0.0, index=range(len(truth)), columns=classes)
    folds = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(features, truth, owners):
        n_components = min(N_COMPONENTS, features.shape[1], len(train) - 1)
        model = make_pipeline(
            StandardScaler(),
            PCA(n_components, svd_solver="randomized", random_state=seed),
            LogisticRegression(C=0.05, max_iter=500),
        ).fit(features[train], truth[train])
        result.loc[test, list(model.classes_)] = model.predict_proba(features[test])
    return result


def label_quality(probabilities: pd.DataFrame, labels: Sequence[str]) -> np.ndarray:
    """How well each label fits, 0..1, by cleanlab's normalised margin (Northcutt et al. 2021)."""
    from cleanlab.rank import get_label_quality_scores

    codes = np.array([probabilities.columns.get_loc(label) for label in labels])
    return np.asarray(
        get_label_quality_scores(codes, probabilities.to_numpy(), method="normalized_margin")
    )


def issues(
    table: pd.DataFrame,
    features: np.ndarray,
    *,
    line: Line,
    conflicts: Sequence[Conflict],
    n_issues: int,
    seed: int,
) -> pd.DataFrame:
    """The ranked suspects of a manifest with `group_id`; `features` (N, D) is what can be seen."""
    told = list(table["label"])
    groups = list(table["group_id"])
    seen = out_of_sample(features, told, groups, seed=seed)
    boxed = out_of_sample(box_features(table, line), told, groups, seed=seed)
    joint = np.sqrt(seen * boxed)
    probabilities = joint.div(joint.sum(axis=1), axis=0)
    quality = label_quality(probabilities, told)
    return ranked(
        table,
        probabilities=probabilities,
        quality=quality,
        conflicts=conflicts,
        n_issues=n_issues,
    )


def ranked(
    table: pd.DataFrame,
    *,
    probabilities: pd.DataFrame,
    quality: np.ndarray,
    conflicts: Sequence[Conflict],
    n_issues: int,
) -> pd.DataFrame:
    """Suspects, the likeliest wrong label first: all views in conflict, then the worst others.

    The score 0..1 joins what a rule says and what the classifier says as independent evidence:
    1 - (1 - rule)(1 - classifier). Reviewed views are settled and do not appear.
    """
    of_view: dict[str, list[Conflict]] = {}
    for conflict in conflicts:
        of_view.setdefault(conflict.view_id, []).append(conflict)
    rows = []
    for i, view in enumerate(table.to_dict("records")):
        told = of_view.get(view["view_id"], [])
        rule = max((conflict.weight for conflict in told), default=0.0)
        seen = 1.0 - float(quality[i])
        likeliest = str(probabilities.iloc[i].idxmax())
        reasons = [f"{one.rule}: {one.reason}" for one in told]
        reasons.append(f"looks like {likeliest} ({probabilities.iloc[i].max():.2f})")
        best = max(told, key=lambda one: one.weight, default=None)
        rows.append(
            {
                **{key: view[key] for key in ("view_id", "path", "part_id", "label")},
                "suggested": best.suggested if best else likeliest,
                "score": round(1 - (1 - rule) * (1 - seen), 4),
                "reason": "; ".join(reasons),
                "in_conflict": bool(told),
            }
        )
    issues = pd.DataFrame(rows)[(table["label_source"] != "review").to_numpy()]
    issues = issues.sort_values(["score", "view_id"], ascending=[False, True], kind="stable")
    listed = issues["in_conflict"] | (np.arange(len(issues)) < n_issues)
    issues = issues[listed].reset_index(drop=True)
    return issues.assign(rank=issues.index + 1)[list(ISSUE_COLUMNS)]


def _window(boxes: Sequence[tuple[float, ...]], size_px: tuple[int, int]) -> Window:
    """The median of boxes (x, y, width, height) with a margin, within the frame."""
    x, y, width, height = np.median(np.array(boxes), axis=0)
    wide, high = MARGIN_FRACTION * width, MARGIN_FRACTION * height
    return (
        max(0, round(x - wide)),
        max(0, round(y - high)),
        min(size_px[0], round(x + width + wide)),
        min(size_px[1], round(y + height + high)),
    )


def _window_features(pixels: np.ndarray, window: Window) -> np.ndarray:
    left, top, right, bottom = window
    part = pixels[top : max(bottom, top + 1), left : max(right, left + 1)]
    cells = np.log1p(_cells(part if part.size else pixels, _fitted(right - left, bottom - top)))
    places = cv2.resize(cells, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    flat = cells.reshape(-1, cells.shape[2])
    middle = np.median(flat, axis=0)
    extremes = np.quantile(flat - middle, RANKS, axis=0)
    return np.concatenate([places.ravel(), middle, extremes.ravel()])


def _fitted(width_px: int, height_px: int) -> tuple[int, int]:
    """Width and height in pixels with the long side LONG_SIDE_PX, in whole pairs of cells."""
    scale, step = LONG_SIDE_PX / max(width_px, height_px, 1), 2 * CELL_PX
    width, height = (max(step, round(s * scale / step) * step) for s in (width_px, height_px))
    return width, height


def _cells(part: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Mean of each texture channel per cell (rows, columns, channels)."""
    fitted = cv2.resize(part, size_px, interpolation=cv2.INTER_AREA).astype(np.float32)
    across = cv2.Sobel(fitted, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(fitted, cv2.CV_32F, 0, 1, scale=0.125)
    strength, angle = cv2.cartToPolar(across, down)
    turn = angle * (N_ORIENTATIONS / np.pi) % N_ORIENTATIONS
    channels = [fitted, np.abs(cv2.Laplacian(fitted, cv2.CV_32F))]
    for k in range(N_ORIENTATIONS):
        away = np.abs(turn - k)
        away = np.minimum(away, N_ORIENTATIONS - away)
        channels.append(strength * np.maximum(0, 1 - away))
    n_cells = (size_px[0] // CELL_PX, size_px[1] // CELL_PX)
    small = [cv2.resize(one, n_cells, interpolation=cv2.INTER_AREA) for one in channels]
    return np.stack(small, axis=-1)
