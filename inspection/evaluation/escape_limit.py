"""How few parts may escape: the accept threshold comes down until the limit asked for is shown.

It descends one path, whatever the limit: at each step down to the score of the most suspicious part
that escapes. A limit only says where on the path to stop, so a stricter one never passes more
parts.
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
    than asked. `held_by` is the row of the part that the threshold was lowered to.
    """

    asked: float | None
    confidence: float
    supported: bool
    applied: str
    n_defective: int
    escapes: int
    upper_bound: float
    n_parts_needed: int
    held_by: int | None = None
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
        return asdict(self) | {"sentence": self.sentence}


@dataclass(frozen=True)
class Step:
    """An accept threshold, the rows of the defective parts that pass it, and the row of the part
    that it was lowered to."""

    accept: float
    escaping: Any
    held_by: int | None


def descent(accept: float, scores: Scores, defective: Any) -> Iterator[Step]:
    """The path of the accept threshold from the one given to where no defective part passes.

    Scores (parts,) are higher where more suspicious; a part passes below the threshold, so one
    with a NaN never does.
    """
    bad = np.asarray(defective, bool)
    held_by = None
    while True:
        escaping = np.flatnonzero(bad & (scores < accept))
        yield Step(accept, escaping, held_by)
        if not len(escaping):
            return

        held_by = int(escaping[np.argmax(scores[escaping])])
        accept = float(scores[held_by])


def lowered(
    accept: float,
    scores: Scores,
    defective: Any,
    asked: float | None,
    confidence: float = CONFIDENCE,
) -> tuple[float, EscapeLimit]:
    """The accept threshold, lowered until `asked` is shown, and the record of it.

    Where even no escape shows too little, the descent ends when no defective part passes.

    A threshold that rests on the parts it is judged by is too kind to them; one at an order
    statistic is exact all the same (Learn then Test, Angelopoulos et al. 2021).
    """
    n_defective = int(np.sum(defective))
    for step in descent(accept, scores, defective):
        bound = upper_bound(len(step.escaping), n_defective, confidence)
        if asked is None or bound <= asked:
            break

    supported = asked is not None and bound <= asked
    applied = "off" if asked is None else "limit" if supported else "no_known_escape"
    record = EscapeLimit(
        asked=asked,
        confidence=confidence,
        supported=supported,
        applied=applied,
        n_defective=n_defective,
        escapes=len(step.escaping),
        upper_bound=bound,
        n_parts_needed=0 if asked is None else parts_needed(asked, confidence),
        held_by=step.held_by,
    )
    return step.accept, record
