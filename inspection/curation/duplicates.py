"""Near-duplicates: one shot stored twice, re-encoded, brightened or shifted by some pixels.

All frames of a line look alike, so a hash alone would merge different parts. A coarse correlation
proposes candidates, and the fine texture of the aligned frames decides.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import cv2
import numpy as np

Pair = tuple[int, int, float]

# size at which frames are compared, width and height: grain of the surface still shows, and a
# hundred thousand frames take 5.5 GB of disk
FINE_SIZE_PX = (256, 216)
# size at which candidates are sought: the outline and the lighting, nothing finer
COARSE_SIZE_PX = (20, 16)
# what is wider than this blur is shape or lighting and not texture
TEXTURE_SIGMA_PX = 3.0
# neighbourhood over which the contrast of the texture is evened out: twice its own scale
CONTRAST_SIGMA_PX = 6.0
# grey levels added to the contrast: noise of a camera, which would else count as texture on black
NOISE_LEVELS = 4.0
# border left out of the comparison: a little more than a shift of MAX_SHIFT_PX brings in
MARGIN_PX = 10
# the furthest that a copy may be shifted (3 % of the width): a trigger that fired twice; parts
# that are laid anew lie further off
MAX_SHIFT_PX = 8.0
# the furthest that another part of the same design is sought from this one, an eighth of the width
MAX_APART_PX = 32.0
# the most alike frames of each that are compared in detail: a copy, and its copy, and one to spare
N_CANDIDATES = 3
# parts that show what is common to all: the mean of 16 leaves a quarter of what is their own
N_PEERS = 16
# frames of a camera that peers are drawn from: of a design that makes up a fifth of the parts, 16
# are among them in 99 of 100 draws. Of one part's shots there are as many only where these make up
# an eighth of all frames; filed as parts of their own they look like a design, and are not joined
N_DRAWN = 128
# below that half of what looks common may be the texture of one part
MIN_PEERS = 8
# correlation from which a peer has something in common with a frame, and the share of the peers
# that must: unlike parts correlate at 0 +- 0.05, those of one design at 0.3 and more
SHARED_CORRELATION = 0.25
SHARED_BY = 0.4
# exponent of a peer's correlation in the mean: one that lies well over the frame counts most
PEER_WEIGHT = 4
# correlation at the coarse size below which frames are no candidates: copies stay above 0.98 even
# when brightened
MIN_COARSE_CORRELATION = 0.95
# frames of a camera from which their mean shows what stands still, and hardly the parts
MIN_FRAMES = 20
# length below which values have no direction: rounding of float32
MIN_LENGTH = (
    1e-6  # no outcome: constant values have length 0, textures one of 10 and more
)
BLOCK_VALUES = 2**24  # no outcome: correlations held at a time, of 4 bytes each
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
) -> list[Pair]:
    """Pairs (i, j, correlation) with i < j of thumbnails (N, H, W) that show the same shot.

    Two views with equal `apart` (their part, say) are not compared: they belong together anyway.
    What says nothing of the single part is taken off first: what stands still before one of the
    `cameras` (holder, lettering), and what most parts have in common (tracks of a board, turning
    marks), wherever they lie in the frame.
    """
    textures = _Textures(thumbnails, cameras)
    candidates = sorted(_candidates(thumbnails, apart))

    pairs: list[Pair] = []
    for i, group in groupby(candidates, key=lambda pair: pair[0]):
        others = [j for _, j in group]
        found = _copies_of(
            i,
            others,
            textures,
            apart=apart,
            min_correlation=min_correlation,
        )
        pairs += found
    return pairs


def _copies_of(
    i: int,
    others: Sequence[int],
    textures: "_Textures",
    *,
    apart: Sequence[str],
    min_correlation: float,
) -> list[Pair]:
    """Those of `others` that show the same shot as frame `i`."""
    one = textures.of(i)
    alike: dict[int, np.ndarray] = {}
    for j in others:
        moved = _moved(one, textures.of(j), MAX_SHIFT_PX)
        if _correlation(one, moved) >= min_correlation:
            alike[j] = moved
    if not alike:
        return []

    # what is common takes many comparisons, so it is measured for the few that are alike only
    common = _common_with(i, textures, apart)

    pairs = []
    for j, moved in alike.items():
        correlation = _correlation(one, moved, without=common)
        if correlation >= min_correlation:
            pairs.append((i, j, correlation))
    return pairs


def _candidates(thumbnails: np.ndarray, apart: Sequence[str]) -> set[tuple[int, int]]:
    """The N_CANDIDATES most alike of each frame at a coarse scale, as pairs (low, high).

    Frames with equal `apart` are passed over: the many views of a part are most like each other.
    """
    owners = np.unique(np.asarray(apart), return_inverse=True)[1]
    coarse = np.stack([_coarse(one) for one in thumbnails])
    n_each = min(N_CANDIDATES, len(coarse) - 1)
    if n_each < 1:
        return set()

    pairs: set[tuple[int, int]] = set()
    n_rows = max(1, BLOCK_VALUES // len(coarse))
    for start in range(0, len(coarse), n_rows):
        rows = slice(start, start + n_rows)
        alike = coarse[rows] @ coarse.T
        alike[owners[rows, None] == owners] = -1.0
        best = np.argpartition(alike, -n_each, axis=1)[:, -n_each:]
        for row, columns in enumerate(best):
            near = columns[alike[row, columns] >= MIN_COARSE_CORRELATION]
            pairs |= {_in_order(start + row, int(column)) for column in near}
    return pairs


def _in_order(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


def _coarse(thumbnail: np.ndarray) -> np.ndarray:
    small = cv2.resize(thumbnail, COARSE_SIZE_PX, interpolation=cv2.INTER_AREA)
    return _unit(small.astype(np.float32).ravel())


class _Textures:
    """The fine texture of each frame, without what stands still before its camera.

    `drawn` holds by camera the numbers of some of its frames, drawn at random.
    """

    def __init__(
        self,
        thumbnails: np.ndarray,
        cameras: Sequence[str],
    ) -> None:
        self.thumbnails = thumbnails
        self.cameras = cameras
        self.still: dict[str, np.ndarray] = {}
        self.drawn: dict[str, np.ndarray] = {}

        # a fixed seed: which frames are drawn is to be the same in every run
        draw = np.random.default_rng(0).permutation
        for camera in sorted(set(cameras)):
            rows = np.flatnonzero(np.asarray(cameras) == camera)
            self.still[camera] = self._still(rows)
            self.drawn[camera] = draw(rows)[:N_DRAWN]

        self._asked_often = {int(i) for some in self.drawn.values() for i in some}
        self._kept: dict[int, np.ndarray] = {}

    def of(self, i: int) -> np.ndarray:
        """Texture (H, W) of frame `i`; of those drawn it is kept once it was asked for."""
        if i not in self._asked_often:
            return self._of(i)
        if i not in self._kept:
            self._kept[i] = self._of(i)
        return self._kept[i]

    def _of(self, i: int) -> np.ndarray:
        still = self.still[self.cameras[i]]
        return np.asarray(_texture(self.thumbnails[i]) - still)

    def _still(self, rows: np.ndarray) -> np.ndarray:
        """Mean texture (H, W); nothing where there are too few frames for a mean."""
        still = np.zeros(self.thumbnails.shape[1:], np.float32)
        if len(rows) >= MIN_FRAMES:
            for i in rows:
                still += _texture(self.thumbnails[i]) / len(rows)
        return still


class _Peer(NamedTuple):
    """The texture (H, W) of another part, shifted onto a frame, and how it correlates with it."""

    moved: np.ndarray
    correlation: float


def _common_with(
    i: int, textures: _Textures, apart: Sequence[str]
) -> np.ndarray | None:
    """What other parts have in common with frame `i`, shifted onto it (H, W); None without that."""
    one = textures.of(i)
    drawn = textures.drawn[textures.cameras[i]]
    others = [int(k) for k in drawn if apart[k] != apart[i]]

    peers = [_peer(one, textures.of(k)) for k in others[:N_PEERS]]
    common = _common(peers)
    if common is not None or len(others) <= N_PEERS:
        return common

    # of several designs: what the sixteen most alike parts have in common is their design's
    peers += [_peer(one, textures.of(k)) for k in others[N_PEERS:]]
    most_alike = np.argsort([peer.correlation for peer in peers])[-N_PEERS:]
    return _common([peers[k] for k in most_alike], shared_by=1.0)


def _peer(one: np.ndarray, other: np.ndarray) -> _Peer:
    moved = _moved(one, other, MAX_APART_PX)
    return _Peer(moved, _correlation(one, moved))


def _common(
    peers: Sequence[_Peer], *, shared_by: float = SHARED_BY
) -> np.ndarray | None:
    """What parts have in common with the frame that they are shifted onto: (H, W).

    None where there are too few of them, or less than the share `shared_by` has something in common
    with it: then a frame that is like it is no other part of the same design.
    """
    if len(peers) < MIN_PEERS:
        return None

    alike = np.array([peer.correlation for peer in peers])
    if np.quantile(alike, 1 - shared_by) < SHARED_CORRELATION:
        return None

    weights = np.clip(alike, 0, None) ** PEER_WEIGHT
    moved = [peer.moved for peer in peers]
    return np.asarray(np.average(moved, axis=0, weights=weights))


def _texture(thumbnail: np.ndarray) -> np.ndarray:
    """Fine structure in units of its local contrast: an outline counts no more than a grain."""
    grey = thumbnail.astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), TEXTURE_SIGMA_PX)
    contrast = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), CONTRAST_SIGMA_PX))
    return fine / (contrast + NOISE_LEVELS)


def _moved(
    one: np.ndarray,
    other: np.ndarray,
    max_px: float,
) -> np.ndarray:
    """Texture `other` (H, W) shifted onto `one`; all zero where it lies further off."""
    # copies, for OpenCV 5 lays the window over what it is given
    (dx, dy), _ = cv2.phaseCorrelate(one.copy(), other.copy(), WINDOW)
    if max(abs(dx), abs(dy)) > max_px:
        return np.zeros_like(other)

    back = np.array([[1, 0, -dx], [0, 1, -dy]], np.float32)
    moved = cv2.warpAffine(
        other,
        back,
        FINE_SIZE_PX,
        flags=cv2.INTER_LINEAR,
    )
    return np.asarray(moved)


def _correlation(
    one: np.ndarray,
    other: np.ndarray,
    without: np.ndarray | None = None,
) -> float:
    """Correlation -1..1 of two textures (H, W), `without` what both have of a third."""
    first = _inner(one)
    second = _inner(other)
    if without is not None:
        common = _inner(without)
        first = _unit(first - (first @ common) * common)
        second = _unit(second - (second @ common) * common)
    return float(first @ second)


def _inner(texture: np.ndarray) -> np.ndarray:
    """The texture without its border, as values of length one."""
    return _unit(texture[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX].ravel())


def _unit(values: np.ndarray) -> np.ndarray:
    """Values without their mean, of length one; all zero where they are constant."""
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > MIN_LENGTH else np.zeros_like(centred)
