"""Near-duplicates: one shot stored twice, re-encoded, brightened or shifted by some pixels.

All frames of a line look alike, so a hash alone would merge different parts. A coarse correlation
proposes candidates, and the fine texture of the aligned frames decides.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby

import cv2
import numpy as np
import pandas as pd

from inspection.errors import InspectionError

FINE_SIZE_PX = (256, 216)
COARSE_SIZE_PX = (20, 16)
TEXTURE_SIGMA_PX = 3.0
CONTRAST_SIGMA_PX = 6.0
NOISE_LEVELS = 4.0
MARGIN_PX = 10
MAX_SHIFT_PX = 8.0
N_CANDIDATES = 3
MIN_COARSE_CORRELATION = 0.95
LEAST_FRAMES = 20
LARGEST_GROUP = 10
LARGEST_SHARE = 0.3
BLOCK = 2048


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """A grey frame (H, W) uint8 at FINE_SIZE_PX, its shape not kept."""
    return cv2.resize(pixels, FINE_SIZE_PX, interpolation=cv2.INTER_AREA)


def near_duplicates(
    thumbnails: np.ndarray, *, min_correlation: float, apart: Sequence[str], cameras: Sequence[str]
) -> list[tuple[int, int, float]]:
    """Pairs (i, j, correlation) with i < j of thumbnails (N, H, W) that show the same shot.

    Two views with equal `apart` (their part, say) are not compared: they belong together anyway.
    What stands still before one of the `cameras` (holder, lettering) is taken off first.
    """
    still = _still(thumbnails, cameras)
    window = cv2.createHanningWindow(FINE_SIZE_PX, cv2.CV_32F)
    pairs = []
    for i, group in groupby(sorted(_candidates(thumbnails)), key=lambda pair: pair[0]):
        one = _texture(thumbnails[i]) - still[cameras[i]]
        for j in (other for _, other in group if apart[other] != apart[i]):
            other = _texture(thumbnails[j]) - still[cameras[j]]
            correlation = _aligned_correlation(one, other, window)
            if correlation >= min_correlation:
                pairs.append((i, j, correlation))
    return pairs


def check_spread(table: pd.DataFrame) -> None:
    """Raise InspectionError where near-duplicates join so many parts that no split is left."""
    sizes = table.groupby("group_id")["part_id"].nunique()
    largest, n_parts = int(sizes.max()), int(table["part_id"].nunique())
    if largest > max(LARGEST_GROUP, LARGEST_SHARE * n_parts):
        raise InspectionError(
            f"data: duplicates join {largest} of {n_parts} parts (group {sizes.idxmax()!r}), so "
            "they cannot be split; exclude frames that show no part in reviews/labels.csv, raise "
            "clean_labels.min_correlation, or mend validate.part_from"
        )


def components(n: int, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    """For each of `n` items the number of its connected component, counted by first item."""
    root = list(range(n))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for i, j in pairs:
        low, high = sorted((find(i), find(j)))
        root[high] = low
    return np.array([find(i) for i in range(n)], dtype=np.int64)


def with_groups(table: pd.DataFrame, pairs: Sequence[tuple[int, int, float]]) -> pd.DataFrame:
    """Columns `near_duplicate_group` ('' if alone) and `group_id`, the unit of splitting.

    A group of near-duplicates is named by its first view; a `group_id` joins parts that share
    near-duplicates or, by the column `copies`, a file of the same bytes. It is named by the first
    of them.
    """
    roots = components(len(table), [(i, j) for i, j, _ in pairs])
    shared = np.bincount(roots, minlength=len(table))[roots] > 1
    names = table["view_id"].to_numpy()[roots]
    groups = np.where(shared, names, "")
    of_copies = [[copy["part_id"] for copy in json.loads(cell)] for cell in table["copies"]]
    joined = _joined_parts(list(table["part_id"]), of_copies, list(groups))
    return table.assign(near_duplicate_group=groups, group_id=joined)


def as_table(table: pd.DataFrame, pairs: Sequence[tuple[int, int, float]]) -> pd.DataFrame:
    """One row per view that has a near-duplicate, with its highest correlation."""
    best = np.zeros(len(table))
    for i, j, correlation in pairs:
        best[i], best[j] = max(best[i], correlation), max(best[j], correlation)
    columns = ["near_duplicate_group", "view_id", "path", "part_id", "label"]
    listed = table.assign(correlation=best.round(4))[table["near_duplicate_group"] != ""]
    ordered = listed.sort_values(["near_duplicate_group", "path"], kind="stable")
    return ordered[[*columns, "correlation"]].reset_index(drop=True)


def _joined_parts(
    part_ids: Sequence[str], of_copies: Sequence[Sequence[str]], groups: Sequence[str]
) -> list[str]:
    first_of: dict[tuple[str, str], int] = {}
    pairs = []
    for i, (part, others, group) in enumerate(zip(part_ids, of_copies, groups, strict=True)):
        keys = [("part", one) for one in (part, *others)]
        keys += [("group", group)] if group else []
        pairs += [(first_of.setdefault(key, i), i) for key in keys]
    roots = components(len(part_ids), pairs)
    first_part: dict[int, str] = {}
    for root, part in zip(roots, part_ids, strict=True):
        first_part[root] = min(first_part.get(root, part), part)
    return [first_part[root] for root in roots]


def _candidates(thumbnails: np.ndarray) -> set[tuple[int, int]]:
    """The N_CANDIDATES most alike of each frame at a coarse scale, as pairs (low, high)."""
    coarse = np.stack([_coarse(one) for one in thumbnails])
    n, pairs = len(coarse), set()
    take = min(N_CANDIDATES, n - 1)
    for start in range(0, n, BLOCK) if take > 0 else ():
        alike = coarse[start : start + BLOCK] @ coarse.T
        rows = np.arange(len(alike))
        alike[rows, start + rows] = -1.0
        best = np.argpartition(alike, -take, axis=1)[:, -take:]
        for row, column in zip(np.repeat(rows, take), best.ravel(), strict=True):
            if alike[row, column] >= MIN_COARSE_CORRELATION:
                low, high = sorted((start + int(row), int(column)))
                pairs.add((low, high))
    return pairs


def _coarse(thumbnail: np.ndarray) -> np.ndarray:
    small = cv2.resize(thumbnail, COARSE_SIZE_PX, interpolation=cv2.INTER_AREA)
    return _unit(small.astype(np.float32).ravel())


def _still(thumbnails: np.ndarray, cameras: Sequence[str]) -> dict[str, np.ndarray]:
    """Mean texture (H, W) by camera; nothing where there are too few frames to tell it."""
    owners = np.asarray(cameras)
    still = {}
    for camera in sorted(set(cameras)):
        mine = np.flatnonzero(owners == camera)
        still[camera] = np.zeros(thumbnails.shape[1:], np.float32)
        if len(mine) >= LEAST_FRAMES:
            for i in mine:
                still[camera] += _texture(thumbnails[i]) / len(mine)
    return still


def _texture(thumbnail: np.ndarray) -> np.ndarray:
    """Fine structure in units of its local contrast: an outline counts no more than a grain."""
    grey = thumbnail.astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), TEXTURE_SIGMA_PX)
    contrast = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), CONTRAST_SIGMA_PX))
    return fine / (contrast + NOISE_LEVELS)


def _aligned_correlation(one: np.ndarray, other: np.ndarray, window: np.ndarray) -> float:
    """Correlation -1..1 of two textures (H, W) once the other is shifted onto the one."""
    # copies, for OpenCV 5 lays the window over what it is given
    (dx, dy), _ = cv2.phaseCorrelate(one.copy(), other.copy(), window)
    if max(abs(dx), abs(dy)) > MAX_SHIFT_PX:
        return 0.0
    back = np.array([[1, 0, -dx], [0, 1, -dy]], np.float32)
    moved = cv2.warpAffine(other, back, FINE_SIZE_PX, flags=cv2.INTER_LINEAR)
    inner = (slice(MARGIN_PX, -MARGIN_PX), slice(MARGIN_PX, -MARGIN_PX))
    return float(_unit(one[inner].ravel()) @ _unit(moved[inner].ravel()))


def _unit(values: np.ndarray) -> np.ndarray:
    """Values without their mean, of length one; all zero where they are constant."""
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 1e-6 else np.zeros_like(centred)
