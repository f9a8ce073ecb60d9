"""The gate: what may be promoted. Outcomes of parts and facts in, a list of rules out.

Champion and challenger have judged the same parts. A rule between them asks whether the challenger
is worse by more than chance explains; the others hold the challenger against a limit. Evidence that
is missing stops a challenger as a bad value does.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from inspection.errors import InspectionError
from inspection.evaluation.costs import Costs
from inspection.line import Frozen

# Draws of the bootstrap: a quantile at 5 % is then exact to 0.35 % of probability.
# no outcome: one draw more or less moves it by less than that.
N_DRAWS = 4000
# Of a cost: sums of prices that cancel come out this close to nothing.
# no outcome: a cent in a million parts, on either side.
MAX_ROUNDING = 1e-9
PASS, REVIEW, REJECT = "pass", "review", "reject"

Values = np.ndarray[Any, np.dtype[np.float64]]


class GateParams(Frozen):
    """Section `gate` of params.yaml: what `python -m pipelines.promote` asks of a challenger."""

    alpha: float = Field(default=0.05, gt=0, le=0.5)
    """The chance, per rule, that a challenger as good as the champion is refused. A smaller one
    needs more parts to see that a challenger is worse."""

    parity_tolerance: float = Field(default=1e-3, gt=0)
    """How far scores and heat of the exported graphs may be off from those of training."""

    max_cam_edge: float | None = Field(default=0.15, gt=0, le=1)
    """Share of the heat that may lie on the crop's edge, where no defect is; an even heatmap has
    0.23 there. null switches the rule off, for a line without labelled places."""

    max_quarantined_fraction: float = Field(default=0.1, ge=0, le=1)
    """Share of the image files that may have been set aside."""

    max_ms_per_part: float | None = Field(default=500.0, gt=0)
    """Median time a part, on the machine that gates, one thread: the takt of the line. null
    switches the rule off, for a line whose takt nobody has stated."""


@dataclass(frozen=True)
class Rule:
    """One rule of the gate: whether it lets the challenger through, what was found, the limit."""

    name: str
    passed: bool
    found: str
    limit: str


@dataclass(frozen=True)
class Facts:
    """What is known of a challenger besides its verdicts; None where nobody measured it.

    `parity` holds the reports of `inspection.evaluation.parity` by graph, `cam_edge` the share of
    heat on the crop's edge, `quarantined_fraction` that of all files of its data, `ms_per_part` the
    median time on this machine.
    """

    parity: Mapping[str, Mapping[str, float]]
    cam_edge: float | None
    quarantined_fraction: float | None
    ms_per_part: float | None


def paired_rules(
    champion: pd.DataFrame,
    challenger: pd.DataFrame,
    *,
    normal: str,
    costs: Costs,
    params: GateParams,
) -> list[Rule]:
    """Is the challenger worse than the champion on the same parts, by more than chance explains?

    Both tables have one row per part: `part_id`, `label`, `verdict`. Raises InspectionError where
    they are not about the same parts.
    """
    pairs = _paired(champion, challenger)
    defective = pairs[pairs["label"] != normal]
    good = pairs[pairs["label"] == normal]

    rules = [_enough(defective, good, params.alpha)]
    for name in sorted(defective["label"].unique()):
        of_class = defective[defective["label"] == name]
        rules.append(_not_more(f"escapes: {name}", of_class, {PASS}, params.alpha))
    rules.append(_not_more("escapes: all classes", defective, {PASS}, params.alpha))
    rules.append(_not_more("overkill", good, {REJECT}, params.alpha))
    rules.append(
        _not_more("good parts held back", good, {REVIEW, REJECT}, params.alpha)
    )
    rules.append(_not_dearer(defective, good, costs, params.alpha))
    return rules


def golden_rule(outcomes: pd.DataFrame, golden: pd.DataFrame) -> Rule:
    """Golden parts never flip: none that must be caught passes, none that must pass is rejected.

    `golden` has `part_id` and `expected`, `caught` or `pass`; `outcomes` a verdict per part.
    """
    verdicts = dict(zip(outcomes["part_id"], outcomes["verdict"], strict=True))
    flipped, unseen = [], []
    for part_id, expected in zip(golden["part_id"], golden["expected"], strict=True):
        verdict = verdicts.get(part_id)
        if verdict is None:
            unseen.append(str(part_id))
        elif verdict == (PASS if expected == "caught" else REJECT):
            flipped.append(f"{part_id} is given {verdict!r}")

    found = f"{len(golden)} golden parts, {len(flipped)} flipped"
    if golden.empty:
        found = "nobody has named a golden part, so none was asked"
    if flipped:
        found += f": {', '.join(flipped[:3])}"
    if unseen:
        found += f"; {len(unseen)} not judged: {', '.join(unseen[:3])}"
    return Rule("golden parts", not flipped and not unseen, found, "none flips")


def standing_rules(facts: Facts, params: GateParams) -> list[Rule]:
    """What a challenger has to keep whether or not there is a champion."""
    return [
        _parity(facts.parity, params.parity_tolerance),
        _cam_edge(facts.cam_edge, params.max_cam_edge),
        _at_most(
            "quarantined files",
            facts.quarantined_fraction,
            params.max_quarantined_fraction,
            "",
        ),
        _latency(facts.ms_per_part, params.max_ms_per_part),
    ]


def sign_test(worse: int, better: int) -> float:
    """How likely chance alone gives `worse` or more of the changed parts, 0..1 (exact McNemar).

    One-sided: small means that the change is for the worse. 1 where no part has changed.

    >>> [sign_test(5, 0), sign_test(4, 0), sign_test(0, 0)]
    [0.03125, 0.0625, 1.0]
    """
    n = worse + better
    as_bad_or_worse = range(worse, n + 1)
    n_ways = sum(math.comb(n, k) for k in as_bad_or_worse)
    return n_ways / 2**n


def min_parts(alpha: float) -> int:
    """The fewest parts of which the sign test can tell that all have become worse.

    >>> [min_parts(0.05), min_parts(0.5)]
    [5, 2]
    """
    n = 1
    while sign_test(n, 0) >= alpha:
        n += 1
    return n


def max_uses(alpha: float) -> int:
    """How often one fold may gate: from then on one equal challenger is expected to pass by luck.

    >>> max_uses(0.05)
    20
    """
    return math.floor(1 / alpha)


def cost_increase(
    defective: pd.DataFrame, good: pd.DataFrame, costs: Costs, alpha: float
) -> tuple[float, float, float]:
    """How much dearer a part becomes: the estimate, and its one-sided lower and upper bound.

    In units of one good part thrown away. Bounds by the paired bootstrap, drawn by part within the
    defective and the good ones, which are weighted by the line's defect rate.
    """
    # a fixed seed: the same parts are judged alike whenever the gate is asked
    generator = np.random.default_rng(0)
    of_defective = _change(defective, costs.on_defective)
    of_good = _change(good, costs.on_good)

    rate = costs.defect_rate
    estimate = rate * float(of_defective.mean()) + (1 - rate) * float(of_good.mean())

    drawn = rate * _bootstrap_means(of_defective, generator)
    drawn += (1 - rate) * _bootstrap_means(of_good, generator)
    lower, upper = np.quantile(drawn, [alpha, 1 - alpha])
    return estimate, float(lower), float(upper)


def _change(pairs: pd.DataFrame, price: Mapping[str, float]) -> Values:
    """What each part costs more with the challenger; a single zero where there are no parts."""
    if pairs.empty:
        return np.zeros(1)

    before = pairs["champion"].map(price)
    now = pairs["challenger"].map(price)
    return np.asarray(now - before, np.float64)


def _bootstrap_means(values: Values, generator: np.random.Generator) -> Values:
    """Means of resamples: to draw parts is to draw how often each of the few values occurs."""
    distinct, counts = np.unique(values, return_counts=True)
    n = len(values)
    drawn = generator.multinomial(n, counts / n, size=N_DRAWS)
    return np.asarray(drawn @ distinct / n)


def _paired(champion: pd.DataFrame, challenger: pd.DataFrame) -> pd.DataFrame:
    columns = ["part_id", "label", "verdict"]
    ours = challenger[columns].rename(columns={"verdict": "challenger"})
    theirs = champion[["part_id", "verdict"]].rename(columns={"verdict": "champion"})
    pairs = ours.merge(theirs, on="part_id", validate="1:1")
    if not len(pairs) == len(ours) == len(theirs):
        raise InspectionError(
            f"gate: the champion judged {len(theirs)} parts, the challenger {len(ours)}, and "
            f"{len(pairs)} of them are the same; judge the same parts with both"
        )
    return pairs


def _enough(defective: pd.DataFrame, good: pd.DataFrame, alpha: float) -> Rule:
    needed = min_parts(alpha)
    return Rule(
        "parts compared",
        len(defective) >= needed and len(good) >= needed,
        f"{len(defective)} defective, {len(good)} good, unseen by both models",
        f"{needed} of each: with fewer, nothing can be said",
    )


def _not_more(name: str, pairs: pd.DataFrame, bad: set[str], alpha: float) -> Rule:
    """No more parts get a bad verdict than with the champion, beyond chance."""
    before = pairs["champion"].isin(bad)
    now = pairs["challenger"].isin(bad)
    worse = int((now & ~before).sum())
    better = int((before & ~now).sum())
    chance = sign_test(worse, better)

    found = (
        f"{before.sum()} -> {now.sum()} of {len(pairs)} parts "
        f"(worse {worse}, better {better}, p {chance:.3f})"
    )
    return Rule(name, chance >= alpha, found, f"p >= {alpha:g}")


def _not_dearer(
    defective: pd.DataFrame, good: pd.DataFrame, costs: Costs, alpha: float
) -> Rule:
    estimate, lower, upper = cost_increase(defective, good, costs, alpha)
    confidence = 100 * (1 - alpha)
    found = f"{estimate:+.4f} a part ({lower:+.4f} to {upper:+.4f}, each {confidence:g} % sure)"
    return Rule(
        "expected cost",
        lower <= MAX_ROUNDING,
        found,
        "its lower bound is no increase (<= 0)",
    )


def _parity(reports: Mapping[str, Mapping[str, float]], tolerance: float) -> Rule:
    limit = f"none flips, none is off by more than {tolerance:g}"
    if not reports:
        return Rule("parity", False, "missing on the card", limit)

    flipped = sum(report["flipped"] for report in reports.values())
    differences = [
        (report["score_difference"], report["heat_difference"])
        for report in reports.values()
    ]
    # NumPy's maximum keeps what is not a number, which then does not pass
    furthest = float(np.max(differences))
    found = f"{len(reports)} graphs, {flipped:.0f} flipped, off by {furthest:.1e}"
    return Rule("parity", flipped == 0 and furthest <= tolerance, found, limit)


def _cam_edge(edge: float | None, limit: float | None) -> Rule:
    if limit is None:
        return Rule("heat on the crop's edge", True, "not asked for", "off in params")
    if edge is None:
        found = "not measured, for no marked defect of the test fold is named rightly"
        return Rule("heat on the crop's edge", False, found, f"<= {limit:g}")
    return _at_most("heat on the crop's edge", edge, limit, "")


def _latency(ms_per_part: float | None, limit: float | None) -> Rule:
    if limit is not None:
        return _at_most("latency", ms_per_part, limit, " ms a part")
    found = "missing" if ms_per_part is None else f"{ms_per_part:.4g} ms a part"
    return Rule("latency", ms_per_part is not None, found, "off in params")


def _at_most(name: str, value: float | None, limit: float, unit: str) -> Rule:
    allowed = f"<= {limit:g}{unit}"
    if value is None:
        return Rule(name, False, "missing", allowed)
    return Rule(name, value <= limit, f"{value:.4g}{unit}", allowed)


def failures(rules: Sequence[Rule]) -> str:
    """The rules that stop a challenger, in one line; empty where none does."""
    return "; ".join(
        f"{rule.name}: {rule.found}, allowed is {rule.limit}"
        for rule in rules
        if not rule.passed
    )
