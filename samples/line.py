"""The plan of a drawn line: which parts come down it, in which order, and who photographs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from samples.parts import CLASSES
from samples.pose import CAMERAS

# how many of each class the real line has: 2453 in all; parts are drawn in these proportions
IMAGES_ON_THE_REAL_LINE = {
    "normal": 1173,
    "dent": 263,
    "slide": 300,
    "double_line": 361,
    "under_press": 356,
}


@dataclass(frozen=True)
class Shot:
    """One photograph to take.

    `index` counts the shots of the line and `part_index` its parts, from 0 on; `number` counts the
    shots of this part, from 1 on. `drift` is how far down the line (0..1) its part came.
    """

    index: int
    part_index: int
    label: str
    camera: str
    number: int
    drift: float


def plan_line(rng: Generator, n_parts: int) -> list[Shot]:
    """Shots of `n_parts` parts in the order of the line.

    The parts of each class are spread evenly over the line, and the patterns of cameras and shots
    are dealt evenly to each class, so that neither lamp, nor framing, nor camera tells the class.
    """
    if n_parts < len(CLASSES):
        raise ValueError(
            f"plan_line: {n_parts} parts; use at least {len(CLASSES)}, one a class"
        )

    counts = share_out(IMAGES_ON_THE_REAL_LINE, n_parts)
    parts: list[tuple[float, str, tuple[str, ...]]] = []
    for label, count in counts.items():
        # one in each stretch of the line, anywhere in it
        within = rng.uniform(0, 1, count)
        places = (np.arange(count) + within) / count
        patterns = _deal_cameras(rng, count)
        for place, cameras in zip(places.tolist(), patterns, strict=True):
            parts.append((place, label, cameras))

    # by their places on the line
    parts.sort()

    shots: list[Shot] = []
    for part_index, (_, label, cameras) in enumerate(parts):
        for number, camera in enumerate(cameras, start=1):
            shot = Shot(
                index=len(shots),
                part_index=part_index,
                label=label,
                camera=camera,
                number=number,
                drift=part_index / n_parts,
            )
            shots.append(shot)
    return shots


def share_out(weights: dict[str, int], total: int) -> dict[str, int]:
    """`total` in proportion to `weights`, whole numbers, none zero (largest remainders).

    >>> share_out({"a": 3, "b": 1}, 8)
    {'a': 6, 'b': 2}
    """
    of_all = sum(weights.values())
    exact = {name: total * weight / of_all for name, weight in weights.items()}
    counts = {name: max(1, int(share)) for name, share in exact.items()}

    remainders = {name: share - int(share) for name, share in exact.items()}
    by_remainder = sorted(weights, key=remainders.__getitem__, reverse=True)
    n_missing = max(0, total - sum(counts.values()))
    for name in by_remainder[:n_missing]:
        counts[name] += 1

    # those that got one for none have it from the largest
    surplus = max(0, sum(counts.values()) - total)
    largest = max(counts, key=counts.__getitem__)
    counts[largest] -= surplus
    return counts


def _deal_cameras(rng: Generator, count: int) -> list[tuple[str, ...]]:
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
    n_patterns = len(patterns)
    start = int(rng.integers(n_patterns))

    # by threes, which have no factor in common with eight: few parts get unlike patterns
    dealt = []
    for i in range(count):
        place = (start + 3 * i) % n_patterns
        dealt.append(patterns[place])

    order = rng.permutation(count)
    return [dealt[i] for i in order]
