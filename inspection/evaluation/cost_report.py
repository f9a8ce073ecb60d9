"""What a line costs beside what it costs without one: every part reviewed, passed or rejected."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from inspection.evaluation.costs import Costs
from inspection.evaluation.rates import CONFIDENCE, upper_bound

# Times the parts at hand that are tried for what would show a gain: beyond a hundred times as many
# nobody would label them.
MAX_TIMES = 100


@dataclass(frozen=True)
class Counts:
    """How many parts of one kind got each verdict."""

    passed: int
    reviewed: int
    rejected: int

    @property
    def n(self) -> int:
        """All parts of the kind."""
        return self.passed + self.reviewed + self.rejected

    @classmethod
    def of(cls, verdicts: Sequence[str]) -> "Counts":
        """Count the verdicts on parts."""
        return cls(
            verdicts.count("pass"), verdicts.count("review"), verdicts.count("reject")
        )

    def times(self, factor: int) -> "Counts":
        """As if so many times the parts had come out alike."""
        return Counts(
            factor * self.passed, factor * self.reviewed, factor * self.rejected
        )


@dataclass(frozen=True)
class Interval:
    """An expected cost per part of the line, and the ends between which the true one lies.

    In units of one good part thrown away. `value` is None where a kind of part is missing. Each
    end holds with the confidence of the report, one-sided.
    """

    value: float | None
    low: float
    high: float


@dataclass(frozen=True)
class CostReport:
    """The expected cost of a line beside that of reviewing, passing or rejecting every part.

    `beats_review_all` compares the expected cost, `surely_beats_review_all` the upper end of its
    interval. `shares` is what each kind of outcome contributes to the expected cost. `advice` says
    what would help, the most costly first, where the line does not surely beat review-all.
    """

    line: Interval
    review_all: float
    pass_all: float
    reject_all: float
    champion: Interval | None
    confidence: float
    n_defective: int
    n_normal: int
    beats_review_all: bool
    surely_beats_review_all: bool
    shares: dict[str, float]
    sentence: str
    advice: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self) | {"advice": list(self.advice)}


def cost_report(
    verdicts: Sequence[str],
    labels: Sequence[str],
    normal: str,
    costs: Costs,
    *,
    champion: Interval | None = None,
    confidence: float = CONFIDENCE,
) -> CostReport:
    """The report on verdicts of parts with their labels; any label but `normal` is a defect."""
    by_class: dict[str, list[str]] = {}
    for verdict, label in zip(verdicts, labels, strict=True):
        by_class.setdefault(label, []).append(verdict)
    good = Counts.of(by_class.pop(normal, []))
    defects = {name: Counts.of(found) for name, found in sorted(by_class.items())}
    bad = Counts.of(
        [one for one, label in zip(verdicts, labels, strict=True) if label != normal]
    )

    line = expected_cost(bad, good, costs, confidence)
    review_all = costs.review_cost
    beats = line.value is not None and line.value < review_all
    surely = beats and line.high < review_all
    shares = _shares(bad, good, costs)
    advice = () if surely else tuple(_advice(defects, bad, good, costs, confidence))
    return CostReport(
        line=line,
        review_all=review_all,
        pass_all=costs.defect_rate * costs.escape_cost,
        reject_all=(1 - costs.defect_rate) * costs.overkill_cost,
        champion=champion,
        confidence=confidence,
        n_defective=bad.n,
        n_normal=good.n,
        beats_review_all=beats,
        surely_beats_review_all=surely,
        shares=shares,
        sentence=_sentence(line, review_all, confidence),
        advice=advice,
    )


def expected_cost(
    bad: Counts, good: Counts, costs: Costs, confidence: float = CONFIDENCE
) -> Interval:
    """The expected cost per part of the line from the verdicts on defective and on good parts.

    The ends add up the exact bounds of each share (Clopper and Pearson 1934) by the method of
    variance estimates recovery (Zou and Donner 2008): the squares of how far each bound lies from
    its share. A bootstrap would say that what was never seen to escape never will.
    """
    terms = [
        (bad.passed, bad.n, costs.defect_rate * costs.escape_cost),
        (bad.reviewed, bad.n, costs.defect_rate * costs.review_cost),
        (good.rejected, good.n, (1 - costs.defect_rate) * costs.overkill_cost),
        (good.reviewed, good.n, (1 - costs.defect_rate) * costs.review_cost),
    ]
    value = below = above = 0.0
    for count, n, price in terms:
        share = count / n if n else 0.0
        value += price * share
        above += (price * (upper_bound(count, n, confidence) - share)) ** 2
        below += (price * (share - _lower_bound(count, n, confidence))) ** 2
    has_both = bad.n > 0 and good.n > 0
    return Interval(
        value=value if has_both else None,
        low=max(0.0, value - math.sqrt(below)),
        high=value + math.sqrt(above),
    )


def _lower_bound(count: int, n: int, confidence: float) -> float:
    """The rate that would show `count` or more of `n` with probability 1 - confidence."""
    return 1 - upper_bound(n - count, n, confidence) if n else 0.0


def _shares(bad: Counts, good: Counts, costs: Costs) -> dict[str, float]:
    """What escapes, overkill and reviews contribute to the expected cost."""
    defect_rate, good_rate = costs.defect_rate, 1 - costs.defect_rate
    reviews = defect_rate * bad.reviewed / max(1, bad.n)
    reviews += good_rate * good.reviewed / max(1, good.n)
    return {
        "escapes": defect_rate * costs.escape_cost * bad.passed / max(1, bad.n),
        "overkill": good_rate * costs.overkill_cost * good.rejected / max(1, good.n),
        "reviews": costs.review_cost * reviews,
    }


def _sentence(line: Interval, review_all: float, confidence: float) -> str:
    """The comparison with reviewing every part, in words."""
    if line.value is None:
        return (
            "a part's expected cost is unknown, since a kind of part is missing; "
            f"reviewing every part costs {review_all:.3f}"
        )

    figures = (
        f"{line.value:.3f} a part ({line.low:.3f} to {line.high:.3f}, each end with "
        f"{100 * confidence:.0f} % confidence), reviewing every part {review_all:.3f}"
    )
    if line.value >= review_all:
        return (
            f"this line does not beat sending every part to review: it costs {figures}"
        )
    if line.high >= review_all:
        return (
            f"this line may not beat sending every part to review: it costs {figures}"
        )
    return f"this line beats sending every part to review: it costs {figures}"


def _advice(
    defects: Mapping[str, Counts],
    bad: Counts,
    good: Counts,
    costs: Costs,
    confidence: float,
) -> list[str]:
    """What would help, from what the verdicts show."""
    if not bad.n or not good.n:
        kind = "defective" if not bad.n else "good"
        return [f"measure {kind} parts: there are none"]

    value = expected_cost(bad, good, costs, confidence).value or 0.0
    found = [_about_classes(defects, costs, bad.n)]
    if value < costs.review_cost:
        found.append(_about_parts(bad, good, costs, confidence))
    else:
        found.append(_about_costliest(bad, good, costs))
        found.append(_about_costs(bad, good, costs))
    return [one for one in found if one]


def _about_classes(
    defects: Mapping[str, Counts], costs: Costs, n_defective: int
) -> str:
    """The class whose escapes cost most, or where none escape the one with the fewest parts.

    Nothing where none escapes and all have as many, a single one among them: none has the fewest.
    """

    def costs_most(name: str) -> tuple[int, int]:
        return defects[name].passed, -defects[name].n

    name = max(defects, key=costs_most)
    counts = defects[name]
    most = max(one.n for one in defects.values())
    if not counts.passed and counts.n == most:
        return ""
    if not counts.passed:
        return (
            f"more parts of {name}: {counts.n} of {n_defective} defective parts are of this "
            "class, the fewest"
        )
    escape_rate = counts.passed / n_defective
    cost = costs.defect_rate * costs.escape_cost * escape_rate
    return (
        f"more parts or better features for {name}: {counts.passed} of its {counts.n} parts "
        f"pass, which costs {cost:.3f} a part"
    )


def _about_parts(bad: Counts, good: Counts, costs: Costs, confidence: float) -> str:
    """How many parts that come out alike would show that the line beats review-all."""
    for factor in range(2, MAX_TIMES + 1):
        more = expected_cost(bad.times(factor), good.times(factor), costs, confidence)
        if more.high < costs.review_cost:
            return (
                f"more parts to measure on: {factor * bad.n} defective and {factor * good.n} good "
                f"ones that come out as these {bad.n} and {good.n} would show the gain"
            )
    return ""


def _about_costliest(bad: Counts, good: Counts, costs: Costs) -> str:
    """Of escapes, overkill and reviews what costs most, where it is not all that costs."""
    shares = _shares(bad, good, costs)
    name = max(shares, key=lambda kind: shares[kind])
    total = sum(shares.values())
    if shares[name] == total:  # where all parts are reviewed, that is no news
        return ""

    return f"fewer {name}: they make {shares[name]:.3f} of {total:.3f}"


def _about_costs(bad: Counts, good: Counts, costs: Costs) -> str:
    """The cost of a review from which on the line pays, at the same verdicts."""
    shares = _shares(bad, good, costs)
    reviewed = shares["reviews"] / costs.review_cost
    if reviewed >= 1:
        return ""
    of_errors = shares["escapes"] + shares["overkill"]
    break_even = of_errors / (1 - reviewed)
    return f"it pays where a review costs more than {break_even:.2f}, now {costs.review_cost:g}"
