"""Which labels a cheap classifier would not have given: suspects for a person to look at.

Out-of-sample by part, so that a view's siblings do not vouch for it. What can be seen is measured
in cells of texture; what was boxed counts as well, for a box that is there or missing tells what
the person who drew it believed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd

from inspection.boxes import parse_boxes
from inspection.curation.label_rules import Conflict
from inspection.line import Line

CELL_PX = 8
CELLS_A_PLACE = 4
LONG_SIDE_PX = 320
RANKS = (0.0, 0.01, 0.1, 0.25, 0.75, 0.9, 0.97, 0.985, 1.0)
MARGIN_FRACTION = 0.08
MAX_FOLDS = 5
MIN_PROBABILITY = 1e-4
MIN_VOTE = 0.02
MIN_RECALL = 0.5
DOUBT = 0.5
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
    not tell the label. Every camera has as many windows, also one whose boxes are of some regions
    only: there the whole frame is looked at. A window is (left, top, right, bottom) in frame px.
    """
    boxes: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for camera, cell in zip(table["camera"], table["boxes"], strict=True):
        for one in parse_boxes(cell):
            if one.category in line.regions:
                box = one.box
                edges = (box.x_px, box.y_px, box.width_px, box.height_px)
                boxes.setdefault((str(camera), one.category), []).append(edges)
    boxed = [
        name for name in line.regions if any(region == name for _, region in boxes)
    ]
    found: dict[str, list[Window]] = {}
    for camera, frames in table.groupby("camera"):
        size = (int(frames["width_px"].median()), int(frames["height_px"].median()))
        of_regions = [boxes.get((str(camera), name)) for name in boxed] or [None]
        found[str(camera)] = [
            _window(e, size) if e else (0, 0, *size) for e in of_regions
        ]
    return found


def fitted_sizes(windows: Mapping[str, Sequence[Window]]) -> list[tuple[int, int]]:
    """The size (width, height) in pixels that each window is looked at, the same for all cameras:
    its long side LONG_SIDE_PX, its shape the median of theirs, in whole places."""
    edges = np.array(list(windows.values()), float)
    sides = np.median(edges[..., 2:] - edges[..., :2], axis=0)
    return [_fitted(width, height) for width, height in sides]


def texture_features(
    pixels: np.ndarray, looked_at: Sequence[Window], sizes_px: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Features (D,) of the windows of a grey frame (H, W): texture in place, and its extremes."""
    pairs = zip(looked_at, sizes_px, strict=True)
    return np.concatenate(
        [_window_features(pixels, window, size) for window, size in pairs]
    )


def box_features(table: pd.DataFrame, line: Line) -> np.ndarray:
    """(N, classes + regions): 1 where a box of the category is there."""
    categories = [*line.classes, *line.regions]
    told = [{box.category for box in parse_boxes(cell)} for cell in table["boxes"]]
    return np.array(
        [[float(name in one) for name in categories] for one in told], np.float64
    )


def probabilities(
    table: pd.DataFrame, texture: np.ndarray, *, line: Line, seed: int
) -> pd.DataFrame:
    """Probability (N, classes) that each label of a manifest with `group_id` is the right one.

    `texture` (N, D) is what can be seen. Two classifiers, on texture and on boxes, are weighed by
    a third, each out of sample by group; the evidence of the views of one part is pooled.
    """
    labels, groups = list(table["label"]), list(table["group_id"])
    seen = out_of_sample(texture, labels, groups, kind="discriminant", seed=seed)
    boxed = out_of_sample(
        box_features(table, line), labels, groups, kind="logistic", seed=seed
    )
    told = np.log(np.maximum(np.hstack([seen, boxed]), MIN_PROBABILITY))
    weighed = out_of_sample(told, labels, groups, kind="logistic", seed=seed)
    return pooled(weighed, labels, list(table["part_id"]))


def out_of_sample(
    features: np.ndarray,
    labels: Sequence[str],
    groups: Sequence[str],
    *,
    kind: str,
    seed: int,
) -> pd.DataFrame:
    """Probability of each class (N, classes) by models that saw no view of the same group.

    `kind` is `discriminant` (many features; covariance shrunk after Ledoit and Wolf 2004) or
    `logistic`. With fewer than two groups of some class the labels' shares are returned.
    """
    from sklearn.model_selection import StratifiedGroupKFold
    from threadpoolctl import threadpool_limits

    truth, owners = np.asarray(labels), np.asarray(groups)
    classes = sorted(set(labels))
    n_folds = min(MAX_FOLDS, *(len(set(owners[truth == name])) for name in classes))
    shares = [float((truth == name).mean()) for name in classes]
    result = pd.DataFrame([shares] * len(truth), columns=classes)
    if n_folds < 2 or len(classes) < 2:
        return result
    result[:] = 0.0
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    with threadpool_limits(
        1
    ):  # matrices this small are ten times slower on several threads
        for train, test in folds.split(features, truth, owners):
            model = _classifier(kind).fit(features[train], truth[train])
            result.loc[test, list(model.classes_)] = model.predict_proba(features[test])
    return result


def pooled(
    weighed: pd.DataFrame, labels: Sequence[str], parts: Sequence[str]
) -> pd.DataFrame:
    """Probability (N, classes) given all views of a view's part, which show one and the same.

    Log probabilities are summed over the views and divided by the root of their number, for views
    of one part are not independent. Where the labels of a part disagree they vote as well.
    """
    evidence = weighed.clip(lower=MIN_PROBABILITY).apply(np.log)
    by_part = evidence.groupby(np.asarray(parts))
    n_views = by_part.transform("size").to_numpy()[:, None]
    joint = by_part.transform("sum").to_numpy() / np.sqrt(n_views)
    told = np.asarray(labels)[:, None] == np.asarray(weighed.columns)[None, :]
    votes = (
        pd.DataFrame(told.astype(float))
        .groupby(np.asarray(parts))
        .transform("sum")
        .to_numpy()
    )
    disagree = (votes > 0).sum(axis=1, keepdims=True) > 1
    joint += np.where(disagree, 2 * np.log(np.maximum(votes / n_views, MIN_VOTE)), 0.0)
    likely = np.exp(joint - joint.max(axis=1, keepdims=True))
    return pd.DataFrame(
        likely / likely.sum(axis=1, keepdims=True), columns=weighed.columns
    )


def label_quality(likely: pd.DataFrame, labels: Sequence[str]) -> np.ndarray:
    """How well each label fits, 0..1: cleanlab's self-confidence (Northcutt et al. 2021)."""
    from cleanlab.rank import get_label_quality_scores

    codes = likely.columns.get_indexer(pd.Index(labels))
    return np.asarray(
        get_label_quality_scores(codes, likely.to_numpy(), method="self_confidence")
    )


def ranked(
    table: pd.DataFrame,
    likely: pd.DataFrame,
    conflicts: Sequence[Conflict],
    *,
    n_issues: int,
) -> pd.DataFrame:
    """Suspects, the likeliest wrong label first: all in conflict, and `n_issues` that look wrong.

    The score 0..1 is 1 - quality of the label, and higher where a rule is sure by itself. Reviewed
    views are settled and do not appear. Of a class that is not recognised nobody is doubted
    without a conflict: there the model is at fault more often than the label.
    """
    of_view: dict[str, list[Conflict]] = {}
    for conflict in conflicts:
        of_view.setdefault(conflict.view_id, []).append(conflict)
    told = [of_view.get(view_id, []) for view_id in table["view_id"]]
    sure = np.array(
        [max((one.confidence for one in some), default=0.0) for some in told]
    )
    score = 1 - (1 - sure) * label_quality(likely, list(table["label"]))
    best, chance = likely.idxmax(axis=1), likely.max(axis=1)
    reasons = [
        "; ".join(
            [
                *(f"{one.rule}: {one.reason}" for one in some),
                f"looks like {name} ({p:.2f})",
            ]
        )
        for some, name, p in zip(told, best, chance, strict=True)
    ]
    suggested = [
        next((one.suggested for one in some if one.confidence > 0), name)
        for some, name in zip(told, best, strict=True)
    ]
    issues = table[["view_id", "path", "part_id", "label", "label_source"]].assign(
        suggested=suggested,
        score=score.round(4),
        reason=reasons,
        in_conflict=[bool(x) for x in told],
    )
    issues = issues[issues["label_source"] != "review"]
    issues = issues.sort_values(
        ["score", "view_id"], ascending=[False, True], kind="stable"
    )
    doubted = ~issues["in_conflict"] & (issues["score"] > DOUBT)
    doubted &= issues["suggested"] != issues["label"]
    doubted &= issues["label"].isin(_recognised(likely, list(table["label"])))
    listed = issues["in_conflict"] | (doubted & (doubted.cumsum() <= n_issues))
    issues = issues[listed].reset_index(drop=True)
    return issues.assign(rank=issues.index + 1)[list(ISSUE_COLUMNS)]


def _recognised(likely: pd.DataFrame, labels: Sequence[str]) -> set[str]:
    """The classes of which at least half of the views look like what they are called."""
    told = pd.Series(list(labels), index=likely.index)
    hits = (likely.idxmax(axis=1) == told).groupby(told).mean()
    return set(hits.index[hits >= MIN_RECALL])


def _classifier(kind: str) -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind == "discriminant":
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    else:
        model = LogisticRegression(C=0.05, max_iter=500)
    return make_pipeline(StandardScaler(), model)


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


def _window_features(
    pixels: np.ndarray, window: Window, size_px: tuple[int, int]
) -> np.ndarray:
    left, top, right, bottom = window
    part = pixels[top:bottom, left:right]
    cells = np.log1p(_cells(part if part.size else pixels, size_px))
    size = (cells.shape[1] // CELLS_A_PLACE, cells.shape[0] // CELLS_A_PLACE)
    places = cv2.resize(cells, size, interpolation=cv2.INTER_AREA)
    odd = cells - np.median(cells, axis=1, keepdims=True)
    extremes = np.quantile(odd.reshape(-1, cells.shape[2]), RANKS, axis=0)
    return np.concatenate(
        [places.ravel(), np.median(cells, axis=(0, 1)), extremes.ravel()]
    )


def _fitted(width_px: float, height_px: float) -> tuple[int, int]:
    """Width and height in pixels with the long side LONG_SIDE_PX, in whole places."""
    scale, step = LONG_SIDE_PX / max(width_px, height_px, 1), CELL_PX * CELLS_A_PLACE
    width, height = (
        max(step, round(s * scale / step) * step) for s in (width_px, height_px)
    )
    return width, height


def _cells(part: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Mean of each texture channel per cell (rows, columns, channels).

    Brightness, the strength of edges in four directions, and how grainy it is.
    """
    fitted = cv2.resize(part, size_px, interpolation=cv2.INTER_AREA).astype(np.float32)
    across = cv2.Sobel(fitted, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(fitted, cv2.CV_32F, 0, 1, scale=0.125)
    signed = (
        across,
        down,
        across + down,
        across - down,
        cv2.Laplacian(fitted, cv2.CV_32F),
    )
    n_cells = (size_px[0] // CELL_PX, size_px[1] // CELL_PX)
    small = [
        cv2.resize(one, n_cells, interpolation=cv2.INTER_AREA)
        for one in (fitted, *(np.abs(one) for one in signed))
    ]
    return np.stack(small, axis=-1)
