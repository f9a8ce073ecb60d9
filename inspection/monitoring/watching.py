"""From the verdict log to alarms: streams of measures, per release and camera, and lots."""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inspection.monitoring.drift import (
    first_change,
    threshold_for,
    unlike_before,
    unlike_usual,
)
from inspection.monitoring.measures import NO_CAMERA, Seen, seen_of
from inspection.monitoring.reference import Reference, bands, outside
from inspection.runtime.verdict_log import LoggedPart

# Fewer parts of a lot tell nothing at the levels that are asked for.
MIN_LOT_PARTS = 8
# Of the false alarms that are allowed half go to the streams, a quarter to the lots, and an eighth
# each to what the card and the test parts say: a stream has thirty tests, and notices the most.
OF_STREAMS, OF_LOTS, OF_CARD, OF_USUAL = 0.5, 0.25, 0.125, 0.125
# So many parts of a stream are held against the test parts. With more of them the ranks are among
# the stream's own parts, whose changes are told by another test.
N_HELD = 200


@dataclass(frozen=True)
class Alarm:
    """What changed where: `since` and `noticed` are the answers' times of parts of the stream."""

    release: str
    camera: str
    lot: str
    measure: str
    before: float
    after: float
    since: str
    noticed: str
    n_parts: int

    @property
    def text(self) -> str:
        """The alarm in a line."""
        where = f"lot {self.lot}" if self.lot else f"since {self.since}"
        return (
            f"camera {self.camera}: {self.measure} {self.before:.4g} -> {self.after:.4g}, {where} "
            f"(noticed {self.noticed}, {self.n_parts} parts of release {self.release})"
        )


def alarms(
    parts: Iterable[LoggedPart],
    *,
    false_alarms_a_day: float,
    parts_a_day: int,
    reference: Reference | None = None,
) -> list[Alarm]:
    """What changed, in parts in the order of time, and what does not fit the reference, if any.

    A release and a camera have a stream each: another model gives other scores. In a day of
    `parts_a_day` parts of each stream, all streams together raise a false alarm with a probability
    of at most half of `false_alarms_a_day`; all lots together, ever, and all that is held against
    the reference, ever, with a quarter each.
    """
    streams: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for part in parts:
        key = (part.release, part.camera or NO_CAMERA)
        streams[key].append(seen_of(part))

    names = {
        key: sorted({m for one in seen for m in one.measures})
        for key, seen in streams.items()
    }
    n_tests = sum(map(len, names.values()))
    allowed = OF_STREAMS * false_alarms_a_day

    found: list[Alarm] = []
    if reference is not None:
        found += _by_card(streams, reference, OF_CARD * false_alarms_a_day)
        found += _by_usual(streams, reference, OF_USUAL * false_alarms_a_day)
    for key, seen in streams.items():
        for name in names[key]:
            found += _of_stream(key, name, seen, allowed, parts_a_day, n_tests)
    return found + _of_lots(streams, names, OF_LOTS * false_alarms_a_day)


def _of_stream(
    key: tuple[str, str],
    name: str,
    seen: Sequence[Seen],
    allowed: float,
    parts_a_day: int,
    n_tests: int,
) -> list[Alarm]:
    having = [one for one in seen if name in one.measures]
    threshold = threshold_for(
        false_alarms=allowed, n_parts=parts_a_day, n_tests=n_tests
    )
    change = first_change(
        [one.measures[name] for one in having],
        threshold=threshold,
        seed=_seed(key, name),
    )
    if change is None:
        return []
    return [
        Alarm(
            release=key[0],
            camera=key[1],
            lot="",
            measure=name,
            before=change.before,
            after=change.after,
            since=having[change.began_at].at,
            noticed=having[change.noticed_at].at,
            n_parts=len(having),
        )
    ]


def _seed(key: tuple[str, str], name: str) -> int:
    """What breaks ties of a measure: the same at every look."""
    return zlib.crc32("|".join([*key, name]).encode("utf-8"))


def _by_card(
    streams: Mapping[tuple[str, str], Sequence[Seen]],
    reference: Reference,
    allowed: float,
) -> list[Alarm]:
    """Rates of verdicts that the card does not explain, of the cameras of its release."""
    mine = _of_release(streams, reference.release)
    n_rates = len(bands(reference, confidence=0.5))
    if not mine or not n_rates:
        return []

    # two sides of each rate of each camera; half of the risk is that of the band itself
    alpha = allowed / (2 * n_rates * len(mine)) / 2
    found = []
    for key, seen in mine.items():
        for name, band in bands(reference, confidence=1 - alpha).items():
            excess = outside([one.measures[name] for one in seen], band, alpha=alpha)
            if excess is not None:
                side = "at most" if excess.rate > excess.bound else "at least"
                found.append(
                    Alarm(
                        *key,
                        lot="",
                        measure=f"{name}, by the card {side}",
                        before=excess.bound,
                        after=excess.rate,
                        since=seen[0].at,
                        noticed=seen[excess.noticed_at].at,
                        n_parts=len(seen),
                    )
                )
    return found


def _of_release(
    streams: Mapping[tuple[str, str], Sequence[Seen]], release: str
) -> dict[tuple[str, str], Sequence[Seen]]:
    return {key: seen for key, seen in streams.items() if key[0] == release}


def _by_usual(
    streams: Mapping[tuple[str, str], Sequence[Seen]],
    reference: Reference,
    allowed: float,
) -> list[Alarm]:
    """Measures of the first parts of a stream that are unlike those of the normal test parts."""
    usual, mine = reference.usual, _of_release(streams, reference.release)
    tests = [(key, name) for key in mine for name in usual.get(key[1], {})]
    threshold = threshold_for(
        false_alarms=allowed, n_parts=N_HELD, n_tests=max(1, len(tests))
    )
    found = []
    for key, name in tests:
        having = [one for one in mine[key][:N_HELD] if name in one.measures]
        values = [one.measures[name] for one in having]
        before = usual[key[1]][name]
        noticed = unlike_usual(
            values, before, threshold=threshold, seed=_seed(key, name)
        )
        if noticed is not None:
            found.append(
                Alarm(
                    *key,
                    lot="",
                    measure=f"{name}, by the test parts",
                    before=float(np.mean(before)),
                    after=float(np.mean(values[: noticed + 1])),
                    since=having[0].at,
                    noticed=having[noticed].at,
                    n_parts=len(having),
                )
            )
    return found


def _of_lots(
    streams: Mapping[tuple[str, str], Sequence[Seen]],
    names: Mapping[tuple[str, str], Sequence[str]],
    allowed: float,
) -> list[Alarm]:
    """The lots that are unlike all parts before them, by a test each, with Bonferroni's limit."""
    tried: list[tuple[float, Alarm]] = []
    for key, seen in streams.items():
        for lot, first, last in _lots(seen):
            for name in names[key]:
                before = _values(seen[:first], name)
                values = _values(seen[first:last], name)
                if min(len(before), len(values)) < MIN_LOT_PARTS:
                    continue
                alarm = Alarm(
                    *key,
                    lot=lot,
                    measure=name,
                    before=float(np.mean(before)),
                    after=float(np.mean(values)),
                    since=seen[first].at,
                    noticed=seen[last - 1].at,
                    n_parts=len(values),
                )
                tried.append((unlike_before(values, before), alarm))
    return [alarm for p, alarm in tried if p <= allowed / len(tried)]


def _values(seen: Sequence[Seen], name: str) -> list[float]:
    """A measure of those parts that have it."""
    return [one.measures[name] for one in seen if name in one.measures]


def _lots(seen: Sequence[Seen]) -> list[tuple[str, int, int]]:
    """Each lot with the first of its parts and the one after its last."""
    places: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(seen):
        if one.lot:
            places[one.lot].append(number)
    return [(lot, numbers[0], numbers[-1] + 1) for lot, numbers in places.items()]
