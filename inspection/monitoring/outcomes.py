"""What the verdicts turned out to be worth: escapes and overkill, from what people found."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inspection.evaluation.rates import CONFIDENCE, upper_bound
from inspection.runtime.verdict import VERDICTS
from inspection.runtime.verdict_log import Feedback, LoggedPart

PASS, REVIEW, REJECT = VERDICTS


@dataclass(frozen=True)
class Checked:
    """Parts of one verdict: how many, how many of them a person checked, and found defective."""

    n_parts: int
    n_checked: int
    n_defective: int


@dataclass(frozen=True)
class Running:
    """A rate as it runs: the estimate, None without the parts for one, and its upper bound."""

    estimate: float | None
    upper_bound: float


def checked_parts(
    parts: Iterable[LoggedPart], feedback: Iterable[Feedback], *, normal: str
) -> dict[str, Checked]:
    """Counts by verdict: of a part the last verdict, and the last that was said of it, count."""
    last: dict[str, LoggedPart] = {}
    by_request: dict[str, str] = {}
    for part in parts:
        key = _key(part.part_id, part.request_id)
        last[key] = part
        by_request[part.request_id] = key

    labels: dict[str, str] = {}
    for said in feedback:
        key = by_request.get(said.request_id or "", _key(said.part_id, ""))
        labels[key] = said.label

    n_parts, n_checked, n_defective = Counter[str](), Counter[str](), Counter[str]()
    for key, part in last.items():
        n_parts[part.verdict] += 1
        if key in labels:
            n_checked[part.verdict] += 1
            n_defective[part.verdict] += labels[key] != normal
    return {
        verdict: Checked(n_parts[verdict], n_checked[verdict], n_defective[verdict])
        for verdict in VERDICTS
    }


def escape_rate(checked: Mapping[str, Checked]) -> Running:
    """Of the defective parts, how many were passed.

    Holds where the checked parts of a verdict were drawn without looking: each verdict's share of
    defective parts is measured on them, and counts for all parts of that verdict. The bound takes
    the worst of each verdict, at a third of the risk each (Bonferroni).
    """
    shares = {verdict: _share(found) for verdict, found in checked.items()}
    highest = {verdict: _highest(found) for verdict, found in checked.items()}
    lowest = {
        verdict: 1 - _highest(_flipped(found)) for verdict, found in checked.items()
    }
    worst = {PASS: highest[PASS], REVIEW: lowest[REVIEW], REJECT: lowest[REJECT]}

    bound = _part_of(PASS, checked, worst)
    return Running(_estimate(PASS, checked, shares), 1.0 if bound is None else bound)


def overkill_rate(checked: Mapping[str, Checked]) -> Running:
    """Of the good parts, how many were rejected; as `escape_rate`, with good for defective."""
    flipped = {verdict: _flipped(found) for verdict, found in checked.items()}
    shares = {verdict: _share(found) for verdict, found in flipped.items()}
    highest = {verdict: _highest(found) for verdict, found in flipped.items()}
    lowest = {verdict: 1 - _highest(found) for verdict, found in checked.items()}
    worst = {PASS: lowest[PASS], REVIEW: lowest[REVIEW], REJECT: highest[REJECT]}

    bound = _part_of(REJECT, flipped, worst)
    return Running(_estimate(REJECT, flipped, shares), 1.0 if bound is None else bound)


def _key(part_id: str | None, request_id: str) -> str:
    return f"part {part_id}" if part_id is not None else f"request {request_id}"


def _flipped(found: Checked) -> Checked:
    """The same with good parts counted in place of defective ones."""
    return Checked(found.n_parts, found.n_checked, found.n_checked - found.n_defective)


def _share(found: Checked) -> float | None:
    if found.n_parts == 0:
        return 0.0
    return found.n_defective / found.n_checked if found.n_checked else None


def _highest(found: Checked) -> float:
    confidence = 1 - (1 - CONFIDENCE) / len(VERDICTS)
    return upper_bound(found.n_defective, found.n_checked, confidence)


def _estimate(
    verdict: str,
    checked: Mapping[str, Checked],
    shares: Mapping[str, float | None],
) -> float | None:
    known = {name: share for name, share in shares.items() if share is not None}
    return _part_of(verdict, checked, known) if len(known) == len(shares) else None


def _part_of(
    verdict: str, checked: Mapping[str, Checked], shares: Mapping[str, float]
) -> float | None:
    """The parts of one verdict among all that the shares count; None where they count none."""
    counts = {name: checked[name].n_parts * share for name, share in shares.items()}
    total = sum(counts.values())
    return counts[verdict] / total if total else None
