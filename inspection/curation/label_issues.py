"""Which labels a baseline classifier would not have given: suspects for a person to look at.

Out-of-sample by part, so that a view's siblings do not vouch for it. What can be seen is measured
in cells of texture; what was boxed counts as well, for a box that is there or missing shows what
the person who drew it believed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd

from inspection.boxes import parse_boxes
from inspection.curation.label_rules import Conflict
from inspection.geometry import Box
from inspection.line import Line

# side of a cell of texture: small defects fill some cells, grain averages out within one
CELL_PX = 8
# side, in cells, of the places whose mean texture is kept: few enough features for some hundred
# views
CELLS_A_PLACE = 4
# long side at which a window is measured: a defect of 2 % of it fills a cell
LONG_SIDE_PX = 320
# quantiles over the cells of a window, dense at the bright end where a defect of few cells stands
RANKS = (0.0, 0.01, 0.1, 0.25, 0.75, 0.9, 0.97, 0.985, 1.0)
# margin around a region's median box, as a fraction of it: parts do not lie to the pixel
MARGIN_FRACTION = 0.08
# folds of the cross-validation; more cost time, and gain little once 80 % are trained on
MAX_FOLDS = 5
# probabilities are cut off here, so that one view that is sure and wrong does not settle a part
MIN_PROBABILITY = 1e-4
# a class that no view of a part votes for keeps this much of a vote
MIN_VOTE = 0.02
# weight of the votes of a part whose labels disagree, next to what its views look like
VOTE_WEIGHT = 2
# share of a class's views that must look like it; below, the classifier does not know the class
MIN_RECALL = 0.5
# score above which a label is doubted: the classifier holds another class for likelier
DOUBT = 0.5
# strength of the logistic regressions' penalty (inverse): weak evidence stays near the shares
LOGISTIC_C = 0.05
# iterations of the logistic regressions
MAX_ITERATIONS = 500  # no outcome: they converge within some dozen
# scale of a 3 x 3 Sobel filter that makes its result a slope in grey levels a pixel
SOBEL_SCALE = 0.125
# digits of a score in the list
DECIMALS = 4
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
    """What is measured, by camera: the median box of each boxed region, or the whole frame.

    The median and not the view's own box, which only some classes have: how a crop is framed must
    not tell the label. Every camera has as many windows, also one whose boxes are of some regions
    only: there the whole frame is measured. A window is (left, top, right, bottom) in frame px.
    """
    boxes = _boxes_by_camera(table)
    boxed = [name for name in line.regions if any(name == key[1] for key in boxes)]

    found: dict[str, list[Window]] = {}
    for camera, frames in table.groupby("camera"):
        size_px = (int(frames["width_px"].median()), int(frames["height_px"].median()))
        of_regions = [boxes.get((str(camera), name), []) for name in boxed] or [[]]
        found[str(camera)] = [_window(some, size_px) for some in of_regions]
    return found


def fitted_sizes(windows: Mapping[str, Sequence[Window]]) -> list[tuple[int, int]]:
    """The size (width, height) in pixels at which each window is measured, in all cameras.

    Its long side is LONG_SIDE_PX, its shape the median of theirs, in whole places.
    """
    edges = np.array(list(windows.values()), float)
    sides = np.median(edges[..., 2:] - edges[..., :2], axis=0)
    return [_fitted(width, height) for width, height in sides]


def texture_features(
    pixels: np.ndarray,
    windows: Sequence[Window],
    sizes_px: Sequence[tuple[int, int]],
) -> np.ndarray:
    """Features (D,) of the windows of a grey frame (H, W): texture in place, and its extremes."""
    features = [
        _window_features(pixels, window, size_px)
        for window, size_px in zip(windows, sizes_px, strict=True)
    ]
    return np.concatenate(features)


def box_features(table: pd.DataFrame, line: Line) -> np.ndarray:
    """(N, classes + regions): 1 where a box of the category is there."""
    categories = [*line.classes, *line.regions]
    features = np.zeros((len(table), len(categories)), np.float64)
    for row, cell in enumerate(table["boxes"]):
        boxed = {box.category for box in parse_boxes(cell)}
        features[row] = [name in boxed for name in categories]
    return features


def probabilities(
    table: pd.DataFrame,
    texture: np.ndarray,
    *,
    line: Line,
    seed: int,
) -> pd.DataFrame:
    """Probability (N, classes) that each label of a manifest with `group_id` is the right one.

    `texture` (N, D) is what can be seen. Two classifiers, on texture and on boxes, are weighed by
    a third, each out of sample by group; the evidence of the views of one part is pooled.
    """
    labels = list(table["label"])
    groups = list(table["group_id"])
    by_texture = out_of_sample(
        texture,
        labels,
        groups,
        kind="discriminant",
        seed=seed,
    )

    boxes = box_features(table, line)
    by_boxes = out_of_sample(
        boxes,
        labels,
        groups,
        kind="logistic",
        seed=seed,
    )

    both = np.hstack([by_texture, by_boxes])
    evidence = np.log(np.maximum(both, MIN_PROBABILITY))
    weighed = out_of_sample(
        evidence,
        labels,
        groups,
        kind="logistic",
        seed=seed,
    )
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

    truth = np.asarray(labels)
    owners = np.asarray(groups)
    classes = sorted(set(labels))
    n_groups = [len(set(owners[truth == name])) for name in classes]
    n_folds = min(MAX_FOLDS, *n_groups)
    if n_folds < 2 or len(classes) < 2:
        shares = [float((truth == name).mean()) for name in classes]
        return pd.DataFrame([shares] * len(truth), columns=classes)

    result = pd.DataFrame(
        0.0,
        index=range(len(truth)),
        columns=classes,
    )
    folds = StratifiedGroupKFold(
        n_folds,
        shuffle=True,
        random_state=seed,
    )
    # one thread: matrices this small are ten times slower on several
    with threadpool_limits(1):
        for train, test in folds.split(features, truth, owners):
            model = _classifier(kind).fit(features[train], truth[train])
            result.loc[test, list(model.classes_)] = model.predict_proba(features[test])
    return result


def pooled(
    weighed: pd.DataFrame,
    labels: Sequence[str],
    parts: Sequence[str],
) -> pd.DataFrame:
    """Probability (N, classes) given all views of a view's part, which show one and the same.

    Log probabilities are summed over the views and divided by the root of their number, for views
    of one part are not independent. Where the labels of a part disagree they vote as well.
    """
    owners = np.asarray(parts)
    evidence = weighed.clip(lower=MIN_PROBABILITY).apply(np.log)
    by_part = evidence.groupby(owners)
    n_views = by_part.transform("size").to_numpy()[:, None]
    joint = by_part.transform("sum").to_numpy() / np.sqrt(n_views)

    labelled = np.asarray(labels)[:, None] == np.asarray(weighed.columns)[None, :]
    by_owner = pd.DataFrame(labelled.astype(float)).groupby(owners)
    votes = by_owner.transform("sum").to_numpy()
    disagree = (votes > 0).sum(
        axis=1,
        keepdims=True,
    ) > 1
    shares = np.maximum(votes / n_views, MIN_VOTE)
    joint += np.where(disagree, VOTE_WEIGHT * np.log(shares), 0.0)

    likely = np.exp(
        joint
        - joint.max(
            axis=1,
            keepdims=True,
        )
    )
    likely /= likely.sum(
        axis=1,
        keepdims=True,
    )
    return pd.DataFrame(likely, columns=weighed.columns)


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
    issues = _scored(table, likely, conflicts)
    issues = issues[issues["label_source"] != "review"]
    issues = issues.sort_values(
        ["score", "view_id"],
        ascending=[False, True],
        kind="stable",
    )

    recognised = _recognised(likely, list(table["label"]))
    doubted = ~issues["in_conflict"] & (issues["score"] > DOUBT)
    doubted &= issues["suggested"] != issues["label"]
    doubted &= issues["label"].isin(recognised)
    first = doubted & (doubted.cumsum() <= n_issues)

    listed = issues[issues["in_conflict"] | first].reset_index(drop=True)
    return listed.assign(rank=listed.index + 1)[list(ISSUE_COLUMNS)]


def _scored(
    table: pd.DataFrame,
    likely: pd.DataFrame,
    conflicts: Sequence[Conflict],
) -> pd.DataFrame:
    """Every view with its score, the class that it should have, and why."""
    of_view: dict[str, list[Conflict]] = {}
    for conflict in conflicts:
        of_view.setdefault(conflict.view_id, []).append(conflict)

    best = likely.idxmax(axis=1)
    chance = likely.max(axis=1)
    confidences, suggested, reasons = [], [], []
    for view_id, name, probability in zip(
        table["view_id"],
        best,
        chance,
        strict=True,
    ):
        own = of_view.get(view_id, [])
        confidences.append(max((one.confidence for one in own), default=0.0))
        suggested.append(_suggested(own, str(name)))
        rules = [f"{one.rule}: {one.reason}" for one in own]
        reasons.append("; ".join([*rules, f"looks like {name} ({probability:.2f})"]))

    quality = label_quality(likely, list(table["label"]))
    score = 1 - (1 - np.array(confidences)) * quality
    columns = ["view_id", "path", "part_id", "label", "label_source"]
    return table[columns].assign(
        suggested=suggested,
        score=score.round(DECIMALS),
        reason=reasons,
        in_conflict=[view_id in of_view for view_id in table["view_id"]],
    )


def _suggested(conflicts: Sequence[Conflict], best: str) -> str:
    """What the first rule that is sure suggests, else what the view looks like."""
    for one in conflicts:
        if one.confidence > 0:
            return one.suggested
    return best


def _recognised(likely: pd.DataFrame, labels: Sequence[str]) -> set[str]:
    """The classes of which at least half of the views look like what they are called."""
    labelled = pd.Series(list(labels), index=likely.index)
    hits = (likely.idxmax(axis=1) == labelled).groupby(labelled).mean()
    return set(hits.index[hits >= MIN_RECALL])


def _classifier(kind: str) -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind == "discriminant":
        model = LinearDiscriminantAnalysis(
            solver="lsqr",
            shrinkage="auto",
        )
    else:
        model = LogisticRegression(
            C=LOGISTIC_C,
            max_iter=MAX_ITERATIONS,
        )
    return make_pipeline(StandardScaler(), model)


def _boxes_by_camera(table: pd.DataFrame) -> dict[tuple[str, str], list[Box]]:
    """All boxes of a table by camera and category."""
    boxes: dict[tuple[str, str], list[Box]] = {}
    for camera, cell in zip(table["camera"], table["boxes"], strict=True):
        for one in parse_boxes(cell):
            boxes.setdefault((str(camera), one.category), []).append(one.box)
    return boxes


def _window(boxes: Sequence[Box], size_px: tuple[int, int]) -> Window:
    """The median of boxes with a margin, within the frame; the whole frame without boxes."""
    if not boxes:
        return (0, 0, *size_px)

    numbers = [(box.x_px, box.y_px, box.width_px, box.height_px) for box in boxes]
    median = Box(*(float(value) for value in np.median(numbers, axis=0)))
    within = median.grown(MARGIN_FRACTION)
    return (
        max(0, round(within.x_px)),
        max(0, round(within.y_px)),
        min(size_px[0], round(within.right_px)),
        min(size_px[1], round(within.bottom_px)),
    )


def _window_features(
    pixels: np.ndarray,
    window: Window,
    size_px: tuple[int, int],
) -> np.ndarray:
    left, top, right, bottom = window
    part = pixels[top:bottom, left:right]
    cells = np.log1p(_cells(part if part.size else pixels, size_px))

    n_places = (cells.shape[1] // CELLS_A_PLACE, cells.shape[0] // CELLS_A_PLACE)
    places = cv2.resize(cells, n_places, interpolation=cv2.INTER_AREA)

    # against the median of its row: a turned part is the same along a row but for a defect
    odd = cells - np.median(
        cells,
        axis=1,
        keepdims=True,
    )
    extremes = np.quantile(odd.reshape(-1, cells.shape[2]), RANKS, axis=0)
    usual = np.median(cells, axis=(0, 1))
    return np.concatenate([places.ravel(), usual, extremes.ravel()])


def _fitted(width_px: float, height_px: float) -> tuple[int, int]:
    """Width and height in pixels with the long side LONG_SIDE_PX, in whole places."""
    scale = LONG_SIDE_PX / max(width_px, height_px, 1)
    return _whole_places(width_px * scale), _whole_places(height_px * scale)


def _whole_places(length_px: float) -> int:
    step = CELL_PX * CELLS_A_PLACE
    return max(step, round(length_px / step) * step)


def _cells(part: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Mean of each texture channel per cell (rows, columns, channels).

    Brightness, the strength of edges in four directions, and how grainy it is.
    """
    fitted = cv2.resize(part, size_px, interpolation=cv2.INTER_AREA).astype(np.float32)
    across = cv2.Sobel(
        fitted,
        cv2.CV_32F,
        1,
        0,
        scale=SOBEL_SCALE,
    )
    down = cv2.Sobel(
        fitted,
        cv2.CV_32F,
        0,
        1,
        scale=SOBEL_SCALE,
    )
    grain = cv2.Laplacian(fitted, cv2.CV_32F)
    edges = (across, down, across + down, across - down)
    channels = [fitted, *(np.abs(one) for one in (*edges, grain))]

    n_cells = (size_px[0] // CELL_PX, size_px[1] // CELL_PX)
    small = [cv2.resize(one, n_cells, interpolation=cv2.INTER_AREA) for one in channels]
    return np.stack(small, axis=-1)
