"""The plan of a drawn line: which parts come down it, in which order, and who photographs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samples.parts import CLASSES
from samples.scene import CAMERAS

IMAGES_ON_THE_REAL_LINE = {
    "normal": 1173,
    "dent": 263,
    "slide": 300,
    "double_line": 361,
    "under_press": 356,
}


@dataclass(frozen=True)
class Shot:
    """One photograph to take. `drift` is how far down the line (0..1) its part came."""

    index: int
    part_index: int
    label: str
    camera: str
    number: int
    drift: float


def plan_line(rng: np.random.Generator, n_parts: int) -> list[Shot]:
    """Shots of `n_parts` parts in the order of the line.

    The parts of each class are spread evenly over the line, and the patterns of cameras and shots
    are dealt evenly to each class, so that neither lamp, nor framing, nor camera tells the class.
    """
    if n_parts < len(CLASSES):
        raise ValueError(
            f"plan_line: {n_parts} parts; use at least {len(CLASSES)}, one a class"
        )
    parts: list[tuple[float, str, tuple[str, ...]]] = []
    for label, count in share_out(IMAGES_ON_THE_REAL_LINE, n_parts).items():
        places = (np.arange(count) + rng.uniform(0, 1, count)) / count
        patterns = _deal_cameras(rng, count)
        parts += [(float(p), label, c) for p, c in zip(places, patterns, strict=True)]
    parts.sort()
    shots: list[Shot] = []
    for i, (_, label, cameras) in enumerate(parts):
        for number, camera in enumerate(cameras, start=1):
            shots.append(Shot(len(shots), i, label, camera, number, i / n_parts))
    return shots


def share_out(weights: dict[str, int], total: int) -> dict[str, int]:
    """`total` in proportion to `weights`, whole numbers, none zero (largest remainders).

    >>> share_out({"a": 3, "b": 1}, 8)
    {'a': 6, 'b': 2}
    """
    exact = {k: total * w / sum(weights.values()) for k, w in weights.items()}
    counts = {k: max(1, int(x)) for k, x in exact.items()}
    order = sorted(weights, key=lambda k: exact[k] - int(exact[k]), reverse=True)
    for k in order[: max(0, total - sum(counts.values()))]:
        counts[k] += 1
    surplus = sum(counts.values()) - total
    counts[max(counts, key=lambda k: counts[k])] -= max(0, surplus)
    return counts


def _deal_cameras(rng: np.random.Generator, count: int) -> list[tuple[str, ...]]:
    """For each part the cameras of its two or three shots; all patterns equally often."""
    a, b = CAMERAS
    patterns = [
        (a, a),
        (b, b),
        (a, b),
        (b, a),
        (a, a, b),
        (b, b, a),
        (a, b, a),
        (b, a, b),
    ]
    start = int(rng.integers(len(patterns)))
    dealt = [patterns[(start + 3 * i) % len(patterns)] for i in range(count)]
    return [dealt[i] for i in rng.permutation(count)]
