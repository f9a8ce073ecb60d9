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
# Below this severity people do not agree whether it is a defect: one defective part in 40.
BORDERLINE_SEVERITY = 0.025
# The traps of a real line. Rivets are looked at by the second camera, which is aimed at them for
# it: so many of the parts that are not pressed home are seen by it alone.
_, RIVET_CAMERA = CAMERAS
RIVET_CAMERA_SHARE = 0.8
# The bearing of the die wears, so double lines come more and more often: the exponent of their
# places on the line, below 1 for more of them towards its end, by when the lamp has aged.
WORN_BEARING = 0.3
# Of parts: so many are shot as a series of exposures, in one pose, as cameras do that do not know
# the right one beforehand.
SERIES_SHARE = 0.4
# Exposures of a series, as factors of the light.
EXPOSURES = (1.0, 0.8, 1.25)
# Of parts that are no series: in so many the last shot shows them from behind, where only what goes
# all around is seen.
TURNED_SHARE = 0.25


@dataclass(frozen=True)
class Shot:
    """One photograph to take.

    `index` counts the shots of the line and `part_index` its parts, from 0 on; `number` counts the
    shots of this part, from 1 on. `drift` is how far down the line (0..1) its part came.
    `severity` is how strong the defect is, 0..1, None for a normal part.
    `exposure` is a factor of the light, and `series` says that all shots of the part are taken in
    one pose. `at_rivet`: the camera is aimed at the rivet. `turned`: the part is seen from behind.
    """

    index: int
    part_index: int
    label: str
    camera: str
    number: int
    drift: float
    severity: float | None = None
    exposure: float = 1.0
    series: bool = False
    at_rivet: bool = False
    turned: bool = False

    @property
    def is_borderline(self) -> bool:
        """Whether people label it either way."""
        return self.severity is not None and self.severity < BORDERLINE_SEVERITY


@dataclass(frozen=True)
class _Visit:
    """One part before the cameras; `place` is where it comes on the line, 0..1."""

    place: float
    label: str
    severity: float | None
    cameras: tuple[str, ...]
    way: str = ""
    """How its shots are taken: 'series', 'turned' (the last one), or '' for neither."""

    def shots(self, part_index: int, n_parts: int, first_index: int) -> list[Shot]:
        """The shots of this part; the first of them is number `first_index` of the line."""
        is_series = self.way == "series"
        shots = []
        for number, camera in enumerate(self.cameras, start=1):
            is_last = number == len(self.cameras)
            shot = Shot(
                index=first_index + number - 1,
                part_index=part_index,
                label=self.label,
                camera=camera,
                number=number,
                drift=part_index / n_parts,
                severity=self.severity,
                exposure=EXPOSURES[number - 1] if is_series else 1.0,
                series=is_series,
                at_rivet=self.label == "under_press" and camera == RIVET_CAMERA,
                turned=self.way == "turned" and is_last,
            )
            shots.append(shot)
        return shots


def plan_line(rng: Generator, n_parts: int) -> list[Shot]:
    """Shots of `n_parts` parts in the order of the line.

    Ways and patterns of shots are dealt evenly to each class. Three circumstances tell classes, as
    on real lines: the camera and its aim tell parts that are not pressed home, and the place on the
    line, with the light that ages, tells double lines.
    """
    if n_parts < len(CLASSES):
        raise ValueError(
            f"plan_line: {n_parts} parts; use at least {len(CLASSES)}, one a class"
        )

    counts = share_out(IMAGES_ON_THE_REAL_LINE, n_parts)
    visits: list[_Visit] = []
    for label, count in counts.items():
        visits += _deal_visits(rng, label, count)

    # by their places on the line
    visits.sort(key=lambda visit: (visit.place, visit.label))

    shots: list[Shot] = []
    for part_index, visit in enumerate(visits):
        shots += visit.shots(part_index, n_parts, first_index=len(shots))
    return shots


def _deal_visits(rng: Generator, label: str, count: int) -> list[_Visit]:
    """The parts of one class, in the order in which they come."""
    # one in each stretch of the line, anywhere in it
    within = rng.uniform(0, 1, count)
    places = (np.arange(count) + within) / count
    if label == "double_line":
        places = places**WORN_BEARING

    patterns = _deal_cameras(rng, count)
    if label == "under_press":
        patterns = _sent_to_rivet_camera(patterns)
    ways = _deal_ways(rng, count)
    severities = _deal_severities(rng, label, count)

    visits = []
    dealt = zip(places.tolist(), severities, patterns, ways, strict=True)
    for place, severity, cameras, way in dealt:
        # one camera stays where it is for a series
        seen_by = (cameras[0],) * len(EXPOSURES) if way == "series" else cameras
        visits.append(_Visit(place, label, severity, seen_by, way))
    return visits


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


def _sent_to_rivet_camera(
    patterns: list[tuple[str, ...]],
) -> list[tuple[str, ...]]:
    """The patterns with so many of them by the rivet's camera alone; the first ones."""
    n_sent = round(RIVET_CAMERA_SHARE * len(patterns))
    sent = [(RIVET_CAMERA,) * len(cameras) for cameras in patterns[:n_sent]]
    return sent + patterns[n_sent:]


def _deal_severities(rng: Generator, label: str, count: int) -> list[float | None]:
    """How strong the defect of each part is: one in each stretch of 0..1, anywhere in it."""
    if label == "normal":
        return [None] * count

    within = rng.uniform(0, 1, count)
    severities = (np.arange(count) + within) / count
    order = rng.permutation(count)
    return [float(severities[i]) for i in order]


def _deal_ways(rng: Generator, count: int) -> list[str]:
    """How the shots of each part are taken, in the shares above."""
    n_series = round(SERIES_SHARE * count)
    n_turned = round(TURNED_SHARE * (count - n_series))
    n_plain = count - n_series - n_turned
    ways = ["series"] * n_series + ["turned"] * n_turned + [""] * n_plain
    order = rng.permutation(count)
    return [ways[i] for i in order]


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
