"""How few parts may escape: accept thresholds come down until the limit asked for is shown.

The thresholds descend one path, whatever the limit: at each step the detector that excludes an
escaping part at the fewest good parts lost comes down to the score of that part. A limit only says
where on the path to stop, so a stricter one never passes more parts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from inspection.evaluation.rates import CONFIDENCE, parts_needed, percent, upper_bound
from inspection.runtime.detectors import Scores


@dataclass(frozen=True)
class EscapeLimit:
    """What was asked of the escape rate, and what the thresholds that were set can show of it.

    `applied` is `limit` where the rate asked for is shown with `confidence`, `no_known_escape`
    where the data cannot show it (the strictest setting that they support: no defective part that
    was seen passes), and `off` where none was asked for. `escapes` passed among the `n_defective`
    parts that the thresholds were set on, which shows at most `upper_bound`. `n_parts_needed`
    defective parts without an escape would show what was asked. `unseen_escapes` passed by
    thresholds that were set without them; `supported` needs both: the bound, and no more of these
    than asked. `held_by` are the rows of the parts that the thresholds were lowered to.
    """

    asked: float | None
    confidence: float
    supported: bool
    applied: str
    n_defective: int
    escapes: int
    upper_bound: float
    n_parts_needed: int
    held_by: tuple[int, ...] = ()
    unseen_escapes: int | None = None
    unseen_upper_bound: float | None = None

    @property
    def sentence(self) -> str:
        """The limit in words, for card, summary and report alike."""
        shown = f"{self.n_defective} defective parts show at most {percent(self.upper_bound)}"
        if self.asked is None:
            return (
                f"no limit on escapes, the thresholds follow the costs alone: {shown}"
            )

        asked = f"at most {percent(self.asked)} escapes"
        if self.supported:
            return f"{asked} is supported: {shown}"
        if self.applied == "limit":
            return (
                f"{asked} is not supported: {self.unseen_escapes} of {self.n_defective} defective "
                "parts pass when judged by thresholds set without them"
            )
        return (
            f"{asked} is not supported: {shown}; applied is the strictest setting they support, "
            f"which passes none of them; it takes {self.n_parts_needed} without an escape"
        )

    def judged_unseen(self, verdicts: Sequence[str], defective: Any) -> "EscapeLimit":
        """The limit with the escapes among parts judged by thresholds that were set without them.

        It stays supported only where their share is no more than what was asked.
        """
        on_bad = [one for one, bad in zip(verdicts, defective, strict=True) if bad]
        escapes = on_bad.count("pass")
        allowed = 1.0 if self.asked is None else self.asked
        return replace(
            self,
            supported=self.supported and escapes <= allowed * len(on_bad),
            unseen_escapes=escapes,
            unseen_upper_bound=upper_bound(escapes, len(on_bad)),
        )

    def as_json(self) -> dict[str, Any]:
        """The record as JSON values, with its sentence."""
        return asdict(self) | {
            "held_by": list(self.held_by),
            "sentence": self.sentence,
        }


@dataclass(frozen=True)
class Step:
    """Accept thresholds (detectors,), the rows of the defective parts that pass them, and by
    detector the row of the part that its threshold was lowered to."""

    accept: Scores
    escaping: Any
    held_by: dict[int, int]


def descent(accept: Sequence[float], scores: Scores, defective: Any) -> Iterator[Step]:
    """The path of accept thresholds from those given down to where no defective part passes.

    Scores (parts, detectors) are higher where more suspicious; a part passes where all of them lie
    below the thresholds, so one with a NaN never does.
    """
    bad = np.asarray(defective, bool)
    limits = np.array(accept, float)
    held_by: dict[int, int] = {}
    while True:
        escaping = np.flatnonzero(bad & _passing(scores, limits))
        yield Step(limits.copy(), escaping, dict(held_by))
        if not len(escaping):
            return

        detector, part = _cheapest_exclusion(scores, bad, limits, escaping)
        limits[detector] = scores[part, detector]
        held_by[detector] = part


def lowered(
    accept: Sequence[float],
    scores: Scores,
    defective: Any,
    asked: float | None,
    confidence: float = CONFIDENCE,
) -> tuple[list[float], EscapeLimit]:
    """Accept thresholds (detectors,), lowered until `asked` is shown, and the record of it.

    Where even no escape shows too little, the descent ends when no defective part passes.

    Thresholds that rest on the parts they are judged by are too kind to them. One threshold at an
    order statistic is exact (Learn then Test, Angelopoulos et al. 2021); each further threshold
    that the descent has lowered counts as one more escape (Campi and Garatti 2011, section 4).
    In simulation (`benchmarks/thresholds.py`, 40 to 300 draws) a limit that was called supported
    was exceeded in 0 to 8 % of draws where an escape costs a hundred good parts, and in up to 10 %
    where it costs two and the limit alone decides.
    """
    n_defective = int(np.sum(defective))
    for step in descent(accept, scores, defective):
        n_fitted = max(0, len(step.held_by) - 1)
        counted = min(len(step.escaping) + n_fitted, n_defective)
        bound = upper_bound(counted, n_defective, confidence)
        if asked is None or bound <= asked:
            break

    supported = asked is not None and bound <= asked
    applied = "off" if asked is None else "limit" if supported else "no_known_escape"
    needed = 0 if asked is None else parts_needed(asked, confidence, n_fitted)
    record = EscapeLimit(
        asked=asked,
        confidence=confidence,
        supported=supported,
        applied=applied,
        n_defective=n_defective,
        escapes=len(step.escaping),
        upper_bound=bound,
        n_parts_needed=needed,
        held_by=tuple(sorted(set(step.held_by.values()))),
    )
    return step.accept.tolist(), record


def _cheapest_exclusion(
    scores: Scores, bad: Any, limits: Scores, escaping: Any
) -> tuple[int, int]:
    """The detector, and the escaping part it comes down to, that lose the fewest good parts.

    Of two that lose as many, the one that excludes more. Not the fewest for each part excluded: a
    detector that scores all parts alike would then exclude everything at once.
    """
    good = scores[~bad & _passing(scores, limits)]
    best = (np.inf, 0)
    found = (0, int(escaping[0]))
    for detector in range(scores.shape[1]):
        column = scores[escaping, detector]
        highest = int(np.argmax(column))
        lost = int(np.sum(good[:, detector] >= column[highest]))
        excluded = int(np.sum(column >= column[highest]))
        if (lost, -excluded) < best:
            best = (lost, -excluded)
            found = (detector, int(escaping[highest]))
    return found


def _passing(scores: Scores, limits: Scores) -> Any:
    return np.all(scores < limits, axis=1)
