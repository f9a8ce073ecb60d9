"""What decides a part: the fused score, its thresholds, and what is too unlike a normal part."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from inspection.evaluation.calibration import Truth, fit_weighting
from inspection.evaluation.costs import Costs
from inspection.evaluation.escape_limit import EscapeLimit
from inspection.evaluation.part_scores import Parts, view_scores
from inspection.evaluation.thresholds import (
    Choice,
    below_scores,
    choose_thresholds,
)
from inspection.runtime.bundle import ModelSet
from inspection.runtime.detectors import (
    BEYOND,
    Calibration,
    Scores,
    StandardScore,
    TemperatureScaling,
    Thresholds,
)
from inspection.runtime.fusion import (
    Fusion,
    Weighting,
    as_probability,
    threshold_on_probability,
)
from inspection.runtime.verdict import decide
from inspection.runtime.views import ViewOutputs

# Thresholds keep this many tolerances from a score: two runtimes may be off by one each, apart.
MARGIN_PER_TOLERANCE = 2.0
# Log-odds change by this much for each unit of probability at 0.5, and by more elsewhere, where a
# runtime's rounding, which is one of logits, shows less in the probability.
ODDS_PER_PROBABILITY = 4.0
N_FOLDS = 5  # for verdicts on parts unseen: four fifths of the parts set the thresholds
# Share of normal parts beyond whose anomaly scores a part is reviewed, whatever the fused score
# says: that has learned from known defects, and may not know the next one. Anomaly detectors of
# several regions share it evenly, so that together they do not send more parts to review.
UNUSUAL_RATE = 0.01
# Defective parts that are named as the hardest: so many a person looks at in a minute.
N_HARDEST = 3


@dataclass(frozen=True)
class Hardest:
    """A defective part that looks most like a normal one.

    `row` is its place among the parts, `score` its fused score, 0..1. Without it, and without those
    that look even more normal, `good_passed` of the normal parts would pass, 0..1.
    """

    row: int
    score: float
    good_passed: float


@dataclass(frozen=True)
class OperatingPoint:
    """How scores are fused, what else calls for a review by detector, the expected cost by
    smoothed scores, and what the thresholds can show of the limit on escapes.

    `unseen_verdicts` are the verdicts on the parts by what was decided without each.
    `good_passed` of the normal parts pass, 0..1; `hardest` are the defective parts that look most
    like them, the most alike first, where they were asked for.
    """

    fusion: Fusion
    thresholds: dict[str, Thresholds]
    expected_cost: float
    limit: EscapeLimit
    unseen_verdicts: tuple[str, ...] = ()
    good_passed: float = 0.0
    hardest: tuple[Hardest, ...] = ()


def operating_point(
    parts: Parts,
    truth: Truth,
    calibrations: Mapping[str, Calibration],
    costs: Costs,
    max_escape_rate: float | None,
    *,
    unusual_rate: float = UNUSUAL_RATE,
    tolerance: float = 0.0,
    also_measured: Parts | None = None,
    names_hardest: bool = False,
) -> OperatingPoint:
    """The fusion and thresholds of least expected cost that keep to `max_escape_rate`, as far as
    parts show.

    Beside them, of normal parts `unusual_rate` may go to review for an anomaly score alone. All
    thresholds stay further from the score of every view, those of `also_measured` included, than
    two runtimes that may each be off by `tolerance`, or in the widest gap nearby. What the parts
    show of the limit is judged by thresholds chosen without the part, too.
    """
    seen = Evidence.of(parts, calibrations)
    besides = Evidence.of(also_measured or {}, calibrations)
    margins = {name: _margin(one, tolerance) for name, one in calibrations.items()}
    anomaly = [
        name for name, one in calibrations.items() if isinstance(one, StandardScore)
    ]
    rule = Rule(costs, max_escape_rate, unusual_rate, margins, tuple(anomaly))

    bad = truth.defective
    decision = rule.decision(seen, truth, besides=besides)
    unseen = judged_unseen(rule, seen, truth)
    limits = decision.choice.thresholds
    fusion = Fusion(
        regions=decision.weighting.regions,
        usual=decision.weighting.usual,
        thresholds=Thresholds(
            accept_below=threshold_on_probability(limits.accept_below),
            reject_above=threshold_on_probability(limits.reject_above),
        ),
        evidence={"n_defective": int(bad.sum()), "n_normal": int((~bad).sum())},
    )
    return OperatingPoint(
        fusion=fusion,
        thresholds=decision.unusual,
        expected_cost=decision.choice.expected_cost,
        limit=decision.choice.limit.judged_unseen(unseen, bad),
        unseen_verdicts=tuple(unseen),
        good_passed=_good_passed(decision, seen, truth),
        hardest=tuple(hardest(rule, seen, truth, decision)) if names_hardest else (),
    )


def truth_of(parts: Parts, view_labels: Mapping[str, str], models: ModelSet) -> Truth:
    """Which parts are defective: those with any defective view, and in which region."""
    labels = [{view_labels[view.name] for view in views} for views in parts.values()]
    return Truth.of(labels, models)


@dataclass(frozen=True)
class Evidence:
    """The summands of views (views,) by detector, and the row (views,) of each view's part."""

    summands: dict[str, Scores]
    part_of: Any
    n_parts: int

    @classmethod
    def of(cls, parts: Parts, calibrations: Mapping[str, Calibration]) -> "Evidence":
        """What was measured in the views of parts."""
        views: list[ViewOutputs] = list(chain(*parts.values()))
        scores = view_scores(views, calibrations)
        return cls(
            summands={
                name: calibration.summands(column)
                for (name, calibration), column in zip(
                    calibrations.items(), scores.T, strict=True
                )
            },
            part_of=np.repeat(
                np.arange(len(parts)), [len(one) for one in parts.values()]
            ),
            n_parts=len(parts),
        )

    def by_part(self, values: Scores) -> Scores:
        """The highest value (parts,) of a part's views; NaN where one of them is."""
        highest = np.full(self.n_parts, -np.inf)
        with np.errstate(invalid="ignore"):  # NaN is meant: it is what a part then has
            np.maximum.at(highest, self.part_of, values)
        return highest

    def of_parts(self) -> dict[str, Scores]:
        """The highest summand (parts,) of each detector."""
        return {name: self.by_part(values) for name, values in self.summands.items()}


@dataclass(frozen=True)
class Decision:
    """What a rule makes of evidence; thresholds of `choice` are on log-odds.

    `unusual` are those on the score of each anomaly detector alone.
    """

    weighting: Weighting
    choice: Choice
    unusual: dict[str, Thresholds]

    def verdicts(self, evidence: Evidence) -> list[str]:
        """The verdict on each part."""
        odds = evidence.by_part(self.weighting.odds(evidence.summands))
        alone = [evidence.by_part(evidence.summands[name]) for name in self.unusual]
        limits = [self.choice.thresholds, *self.unusual.values()]
        return decide(np.column_stack([odds, *alone]), limits)


@dataclass(frozen=True)
class Rule:
    """How evidence becomes a decision. `margins` are by detector, in units of its summand.

    `anomaly` names the detectors that may call for a review on their own.
    """

    costs: Costs
    max_escape_rate: float | None
    unusual_rate: float
    margins: Mapping[str, float]
    anomaly: tuple[str, ...]

    def decision(
        self,
        evidence: Evidence,
        truth: Truth,
        *,
        rows: Any = slice(None),
        besides: Evidence | None = None,
    ) -> Decision:
        """What the parts at some rows decide; thresholds keep away from the scores of all."""
        of_parts = evidence.of_parts()
        bad = truth.defective[rows]
        weighting = fit_weighting(
            {name: values[rows] for name, values in of_parts.items()},
            truth.of_rows(rows),
        )
        margin = sum(
            weighting.weights[name] * one for name, one in self.margins.items()
        )
        choice = choose_thresholds(
            evidence.by_part(weighting.odds(evidence.summands))[rows],
            bad,
            self.costs,
            max_escape_rate=self.max_escape_rate,
            margin=margin,
            measured=np.concatenate(
                [
                    *_odds_of_views(weighting, evidence),
                    *_odds_of_views(weighting, besides),
                ]
            ),
        )
        unusual = {
            name: self._unusual(name, of_parts[name][rows][~bad], evidence, besides)
            for name in self.anomaly
        }
        return Decision(weighting, choice, unusual)

    def _unusual(
        self,
        name: str,
        of_normals: Scores,
        evidence: Evidence,
        besides: Evidence | None,
    ) -> Thresholds:
        """Above what score of one anomaly detector a part is reviewed for it alone.

        Never without normal parts.
        """
        known = of_normals[~np.isnan(of_normals)]
        if not len(known):
            return Thresholds(accept_below=BEYOND, reject_above=BEYOND)

        share = self.unusual_rate / len(self.anomaly)
        limit = np.quantile(known, 1 - share, method="higher")
        margin = self.margins[name]
        seen = [one.summands[name] for one in (evidence, besides) if one]
        scores = np.concatenate(seen)
        # the normal part at the limit itself is not beyond it
        above = -below_scores(
            -(float(limit) + margin), -scores[~np.isnan(scores)], margin
        )
        return Thresholds(accept_below=np.nextafter(above, BEYOND), reject_above=BEYOND)


def judged_unseen(
    rule: Rule, evidence: Evidence, truth: Truth, seed: int = 0
) -> list[str]:
    """The verdict on each part by what was decided without it, in five folds.

    What a decision is worth on the parts that it rests on is too kind to it.
    """
    defective = truth.defective
    fold = np.empty(len(defective), np.int64)
    generator = np.random.default_rng(seed)
    for kind in (defective, ~defective):
        fold[kind] = generator.permutation(np.arange(kind.sum()) % N_FOLDS)

    verdicts = np.full(len(defective), "", dtype=object)
    for number in np.unique(fold):
        held = fold == number
        decision = rule.decision(evidence, truth, rows=~held)
        verdicts[held] = np.array(decision.verdicts(evidence), dtype=object)[held]
    return verdicts.tolist()


def hardest(
    rule: Rule, evidence: Evidence, truth: Truth, decision: Decision
) -> Iterator[Hardest]:
    """The defective parts of the lowest scores, and what each of them keeps from passing.

    A part whose score is NaN counts as none of them.
    """
    odds = evidence.by_part(decision.weighting.odds(evidence.summands))
    lowest = np.argsort(np.where(truth.defective, odds, np.inf), kind="stable")
    n = min(N_HARDEST, int((truth.defective & ~np.isnan(odds)).sum()))
    for place, row in enumerate(lowest[:n]):
        others = np.setdiff1d(np.arange(evidence.n_parts), lowest[: place + 1])
        without = rule.decision(evidence, truth, rows=others)
        yield Hardest(
            row=int(row),
            score=float(as_probability(odds[row])),
            good_passed=_good_passed(without, evidence, truth),
        )


def _good_passed(decision: Decision, evidence: Evidence, truth: Truth) -> float:
    """The share of normal parts that a decision passes; 0 where there are none."""
    verdicts = np.array(decision.verdicts(evidence), dtype=object)[~truth.defective]
    return float((verdicts == "pass").mean()) if len(verdicts) else 0.0


def _margin(calibration: Calibration, tolerance: float) -> float:
    """How far a threshold on a summand keeps from each, for a tolerance of the score."""
    margin = MARGIN_PER_TOLERANCE * tolerance
    is_probability = isinstance(calibration, TemperatureScaling)
    return ODDS_PER_PROBABILITY * margin if is_probability else margin


def _odds_of_views(weighting: Weighting, evidence: Evidence | None) -> Iterator[Scores]:
    """Log-odds (views,) by all detectors, and by each alone, as runtimes are compared."""
    if evidence is None:
        return

    yield weighting.odds(evidence.summands)
    for name, values in evidence.summands.items():
        yield weighting.odds_alone(name, values)
