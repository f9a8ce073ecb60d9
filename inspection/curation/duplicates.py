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
MAX_APART_PX = 32.0
N_CANDIDATES = 3
N_PEERS = 16
MIN_PEERS = 8
SHARED_CORRELATION = 0.25
SHARED_BY = 0.4
MIN_COARSE_CORRELATION = 0.95
MIN_FRAMES = 20
LARGEST_GROUP = 10
LARGEST_SHARE = 0.3
BLOCK = 2048
WINDOW = cv2.createHanningWindow(FINE_SIZE_PX, cv2.CV_32F)


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """A grey frame (H, W) uint8 at FINE_SIZE_PX, its shape not kept."""
    return cv2.resize(pixels, FINE_SIZE_PX, interpolation=cv2.INTER_AREA)


def near_duplicates(
    thumbnails: np.ndarray,
    *,
    min_correlation: float,
    apart: Sequence[str],
    cameras: Sequence[str],
) -> list[tuple[int, int, float]]:
    """Pairs (i, j, correlation) with i < j of thumbnails (N, H, W) that show the same shot.

    Two views with equal `apart` (their part, say) are not compared: they belong together anyway.
    What says nothing of the single part is taken off first: what stands still before one of the
    `cameras` (holder, lettering), and what most parts have in common (tracks of a board, turning
    marks), wherever they lie in the frame.
    """
    textures = _Textures(thumbnails, cameras)

    pairs = []
    for i, group in groupby(
        sorted(_candidates(thumbnails, apart)), key=lambda pair: pair[0]
    ):
        one = textures.of(i)
        others = [j for _, j in group]
        moved = {j: _moved(one, textures.of(j), MAX_SHIFT_PX) for j in others}
        hits = [j for j in others if _correlation(one, moved[j]) >= min_correlation]
        if hits:
            peers = [
                textures.of(k)
                for k in textures.drawn[cameras[i]]
                if apart[k] != apart[i]
            ]
            common = _common(one, peers[:N_PEERS])
            alike = {j: _correlation(one, moved[j], without=common) for j in hits}
            pairs += [(i, j, alike[j]) for j in hits if alike[j] >= min_correlation]
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


def with_groups(
    table: pd.DataFrame, pairs: Sequence[tuple[int, int, float]]
) -> pd.DataFrame:
    """Columns `near_duplicate_group` ('' if alone) and `group_id`, the unit of splitting.

    A group of near-duplicates is named by its first view; a `group_id` joins parts that share
    near-duplicates or, by the column `copies`, a file of the same bytes. It is named by the first
    of them.
    """
    roots = components(len(table), [(i, j) for i, j, _ in pairs])
    shared = np.bincount(roots, minlength=len(table))[roots] > 1
    names = table["view_id"].to_numpy()[roots]
    groups = np.where(shared, names, "")
    of_copies = [
        [copy["part_id"] for copy in json.loads(cell)] for cell in table["copies"]
    ]
    joined = _joined_parts(list(table["part_id"]), of_copies, list(groups))
    return table.assign(near_duplicate_group=groups, group_id=joined)


def as_table(
    table: pd.DataFrame, pairs: Sequence[tuple[int, int, float]]
) -> pd.DataFrame:
    """One row per view that has a near-duplicate, with its highest correlation."""
    best = np.zeros(len(table))
    for i, j, correlation in pairs:
        best[i], best[j] = max(best[i], correlation), max(best[j], correlation)
    columns = ["near_duplicate_group", "view_id", "path", "part_id", "label"]
    listed = table.assign(correlation=best.round(4))[
        table["near_duplicate_group"] != ""
    ]
    ordered = listed.sort_values(["near_duplicate_group", "path"], kind="stable")
    return ordered[[*columns, "correlation"]].reset_index(drop=True)


def _joined_parts(
    part_ids: Sequence[str], of_copies: Sequence[Sequence[str]], groups: Sequence[str]
) -> list[str]:
    first_of: dict[tuple[str, str], int] = {}
    pairs = []
    for i, (part, others, group) in enumerate(
        zip(part_ids, of_copies, groups, strict=True)
    ):
        keys = [("part", one) for one in (part, *others)]
        keys += [("group", group)] if group else []
        pairs += [(first_of.setdefault(key, i), i) for key in keys]
    roots = components(len(part_ids), pairs)
    first_part: dict[int, str] = {}
    for root, part in zip(roots, part_ids, strict=True):
        first_part[root] = min(first_part.get(root, part), part)
    return [first_part[root] for root in roots]


def _candidates(thumbnails: np.ndarray, apart: Sequence[str]) -> set[tuple[int, int]]:
    """The N_CANDIDATES most alike of each frame at a coarse scale, as pairs (low, high).

    Frames with equal `apart` are passed over: the many views of a part are most like each other.
    """
    owners = np.unique(np.asarray(apart), return_inverse=True)[1]
    coarse = np.stack([_coarse(one) for one in thumbnails])
    n, pairs = len(coarse), set()
    take = min(N_CANDIDATES, n - 1)
    for start in range(0, n, BLOCK) if take > 0 else ():
        alike = coarse[start : start + BLOCK] @ coarse.T
        alike[owners[start : start + BLOCK, None] == owners] = -1.0
        best = np.argpartition(alike, -take, axis=1)[:, -take:]
        for row, column in zip(
            np.repeat(np.arange(len(alike)), take), best.ravel(), strict=True
        ):
            if alike[row, column] >= MIN_COARSE_CORRELATION:
                low, high = sorted((start + int(row), int(column)))
                pairs.add((low, high))
    return pairs


def _coarse(thumbnail: np.ndarray) -> np.ndarray:
    small = cv2.resize(thumbnail, COARSE_SIZE_PX, interpolation=cv2.INTER_AREA)
    return _unit(small.astype(np.float32).ravel())


class _Textures:
    """The fine texture of each frame, without what stands still before its camera.

    `drawn` holds by camera the numbers of some of its frames, drawn at random.
    """

    def __init__(self, thumbnails: np.ndarray, cameras: Sequence[str]) -> None:
        self.thumbnails = thumbnails
        self.cameras = cameras
        rows = {
            one: np.flatnonzero(np.asarray(cameras) == one)
            for one in sorted(set(cameras))
        }
        self.still = {camera: self._still(mine) for camera, mine in rows.items()}
        draw = np.random.default_rng(0).permutation
        self.drawn = {
            camera: draw(mine)[: 2 * N_PEERS] for camera, mine in rows.items()
        }
        self._kept = {i: self._of(i) for some in self.drawn.values() for i in some}

    def of(self, i: int) -> np.ndarray:
        """Texture (H, W) of frame `i`."""
        return self._kept[i] if i in self._kept else self._of(i)

    def _of(self, i: int) -> np.ndarray:
        return np.asarray(_texture(self.thumbnails[i]) - self.still[self.cameras[i]])

    def _still(self, rows: np.ndarray) -> np.ndarray:
        """Mean texture (H, W); nothing where there are too few frames to tell it."""
        still = np.zeros(self.thumbnails.shape[1:], np.float32)
        if len(rows) >= MIN_FRAMES:
            for i in rows:
                still += _texture(self.thumbnails[i]) / len(rows)
        return still


def _common(one: np.ndarray, peers: Sequence[np.ndarray]) -> np.ndarray | None:
    """What `peers`, textures of other parts, have in common with `one`, shifted onto it: (H, W).

    None where there are too few of them, or too few that have something in common with it: then a
    frame that is like it is no other part of the same design.
    """
    if len(peers) < MIN_PEERS:
        return None
    moved = [_moved(one, peer, MAX_APART_PX) for peer in peers]
    alike = np.array([_correlation(one, other) for other in moved])
    if np.quantile(alike, 1 - SHARED_BY) < SHARED_CORRELATION:
        return None
    return np.asarray(np.average(moved, axis=0, weights=np.clip(alike, 0, None) ** 4))


def _texture(thumbnail: np.ndarray) -> np.ndarray:
    """Fine structure in units of its local contrast: an outline counts no more than a grain."""
    grey = thumbnail.astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), TEXTURE_SIGMA_PX)
    contrast = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), CONTRAST_SIGMA_PX))
    return fine / (contrast + NOISE_LEVELS)


def _moved(one: np.ndarray, other: np.ndarray, most_px: float) -> np.ndarray:
    """Texture `other` (H, W) shifted onto `one`; all zero where it lies further off."""
    # copies, for OpenCV 5 lays the window over what it is given
    (dx, dy), _ = cv2.phaseCorrelate(one.copy(), other.copy(), WINDOW)
    if max(abs(dx), abs(dy)) > most_px:
        return np.zeros_like(other)
    back = np.array([[1, 0, -dx], [0, 1, -dy]], np.float32)
    return np.asarray(cv2.warpAffine(other, back, FINE_SIZE_PX, flags=cv2.INTER_LINEAR))


def _correlation(
    one: np.ndarray, other: np.ndarray, without: np.ndarray | None = None
) -> float:
    """Correlation -1..1 of two textures (H, W), `without` what both have of a third."""
    inner = (slice(MARGIN_PX, -MARGIN_PX), slice(MARGIN_PX, -MARGIN_PX))
    first, second = (_unit(texture[inner].ravel()) for texture in (one, other))
    if without is None:
        return float(first @ second)
    common = _unit(without[inner].ravel())
    first, second = (_unit(own - (own @ common) * common) for own in (first, second))
    return float(first @ second)


def _unit(values: np.ndarray) -> np.ndarray:
    """Values without their mean, of length one; all zero where they are constant."""
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 1e-6 else np.zeros_like(centred)
