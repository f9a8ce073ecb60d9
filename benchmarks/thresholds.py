"""Rules that keep a limit on escapes, side by side on simulated scores of few parts.

Draws scores of val parts, sets thresholds by each rule, and counts on fresh parts what they let
through, what they send to review, and what that costs.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from inspection.evaluation.calibration import Truth, fit_weighting
from inspection.evaluation.costs import Costs
from inspection.evaluation.escape_limit import Step, descent
from inspection.evaluation.rates import allowed_failures, upper_bound
from inspection.evaluation.thresholds import choose_thresholds
from inspection.runtime.detectors import BEYOND, Scores, Thresholds
from inspection.runtime.verdict import decide
from inspection.storage import write_json

SCENARIOS = ("Gaussian", "10 % near-normal", "two detectors", "1 % mislabelled")
# Defective parts: from what a line has at its start to what it has after years.
SIZES = (10, 30, 100, 300)
ASKED = (0.1, 0.01)
# The default, and one at which the limit binds.
ESCAPE_COSTS = (100.0, 2.0)
# By how many standard deviations of good parts a defect raises the score of its detector: normally
# distributed, and so high that most defective parts stand apart from good ones.
SHIFT, SHIFT_SPREAD = 5.0, 1.5
# Defective parts among which good ones lie, as the name of the scenario says.
NEAR_SHARE, NEAR_SHIFT, NEAR_SPREAD = 0.1, 1.0, 0.5
# Of all labels, as the name of the scenario says.
MISLABELLED_SHARE = 0.01
# As in the reference lines.
GOOD_PER_DEFECTIVE = 3
# Of each kind: an escape rate of 1 % is then known to 0.16 %.
N_FRESH = 4000
# As in the rule that the software had.
PRICE_STEPS, PRICE_FACTOR = 6, 10
KEPT = "exact binomial, else no known escape"
COLUMNS = ("escape_rate", "exceeds", "reviewed_good", "cost")

# Scenario, defective parts, cost of an escape, number of the draw.
Setting = tuple[str, int, float, int]
Drawn = tuple[Scores, Any]
Rule = Callable[[list[Step], int, float], float | None]


def main() -> None:
    """Print the table, and with --out write what the kept rule did as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=40, help="of each setting")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, metavar="PATH")
    given = parser.parse_args()

    draws = range(given.draws)
    settings = list(product(SCENARIOS, SIZES, ESCAPE_COSTS, draws))
    rows = _measured_by_workers(settings, given.seed, given.workers)

    keys = ["scenario", "n_defective", "escape_cost", "asked", "rule"]
    by_setting = pd.DataFrame(rows).groupby(keys, sort=False)
    columns = list(COLUMNS)
    table = by_setting[columns].mean().reset_index()
    sys.stdout.write(as_markdown(table))
    if given.out is not None:
        found = study(table, given.draws)
        write_json(given.out, found)


def _measured_by_workers(
    settings: Sequence[Setting], seed: int, n_workers: int
) -> list[dict[str, Any]]:
    """What each rule does with each draw; every draw has a seed of its own."""
    n_draws = len(settings)
    seeds = [(seed, number) for number in range(n_draws)]
    rows = []
    with ProcessPoolExecutor(n_workers) as workers:
        results = workers.map(
            _measured,
            settings,
            seeds,
            # no outcome: how many draws a worker takes at once
            chunksize=8,
        )
        bar = tqdm(
            results,
            total=n_draws,
            desc="draws",
            disable=None,
        )
        for found in bar:
            rows += found
    return rows


def drawn(generator: Any, scenario: str, n_defective: int, n_normal: int) -> Drawn:
    """Scores (parts, detectors) in standard deviations of good parts, and which are defective."""
    n_parts = n_defective + n_normal
    bad = np.arange(n_parts) < n_defective
    n_detectors = 2 if scenario == "two detectors" else 1
    shape = (n_parts, n_detectors)
    scores = generator.normal(0, 1, shape)

    shift = generator.normal(SHIFT, SHIFT_SPREAD, n_defective)
    if scenario == "10 % near-normal":
        is_near = generator.random(n_defective) < NEAR_SHARE
        n_near = is_near.sum()
        shift[is_near] = generator.normal(NEAR_SHIFT, NEAR_SPREAD, n_near)

    # each defect is seen by one detector alone
    found_by = generator.integers(0, n_detectors, n_defective)
    defective = np.arange(n_defective)
    scores[defective, found_by] += shift
    return scores, bad


def mislabelled(generator: Any, defective: Any, share: float) -> Any:
    """The labels of parts, a share of which a person got wrong."""
    numbers = generator.random(len(defective))
    is_wrong = numbers < share
    return defective ^ is_wrong


def _measured(setting: Setting, seed: tuple[int, int]) -> list[dict[str, Any]]:
    """What each rule does with one draw, by limit and rule."""
    scenario, n_defective, escape_cost, _ = setting
    generator = np.random.default_rng(seed)
    costs = Costs(escape_cost=escape_cost)
    fresh, fresh_bad = drawn(generator, scenario, N_FRESH, N_FRESH)
    n_good = GOOD_PER_DEFECTIVE * n_defective
    scores, bad = drawn(generator, scenario, n_defective, n_good)
    # of the labels that thresholds are set by; what they are worth is said by the truth
    if scenario == "1 % mislabelled":
        bad = mislabelled(generator, bad, MISLABELLED_SHARE)

    fused, fresh_fused = as_one(scores, bad, fresh)
    judged = (fresh_fused, fresh_bad)
    rows = []
    for asked, rule, thresholds in _thresholds_by_rule(fused, bad, costs):
        key = {
            "scenario": scenario,
            "n_defective": n_defective,
            "escape_cost": escape_cost,
            "asked": asked,
            "rule": rule,
        }
        outcome = _outcome(judged, thresholds, costs, asked)
        rows.append(key | outcome)
    return rows


def as_one(scores: Scores, defective: Any, others: Scores) -> tuple[Scores, Scores]:
    """The fused score of parts (parts,), and that of others by the same weights."""
    of_parts = _summands(scores)
    of_others = _summands(others)

    # every detector looks at one region, the whole part
    region_of = dict.fromkeys(of_parts, "part")
    truth = Truth(defective, {"part": defective}, region_of)
    weighting = fit_weighting(of_parts, truth)

    fused = weighting.odds(of_parts)
    fused_others = weighting.odds(of_others)
    return fused, fused_others


def _summands(scores: Scores) -> dict[str, Scores]:
    """The scores (parts,) of each detector, named by its number."""
    columns = enumerate(scores.T)
    return {str(number): column for number, column in columns}


def _thresholds_by_rule(
    scores: Scores, bad: Any, costs: Costs
) -> Iterator[tuple[float, str, Thresholds]]:
    """Each limit asked for, each rule, and the thresholds that the rule then sets."""
    cheapest = choose_thresholds(scores, bad, costs).thresholds
    steps = list(descent(cheapest.accept_below, scores, bad))
    n_defective = int(bad.sum())
    for asked in ASKED:
        by_price = price_steps(scores, bad, costs, asked)
        yield asked, "price steps (before)", by_price

        for name, rule in RULES.items():
            accept = rule(steps, n_defective, asked)
            yield asked, name, _accepting(cheapest, accept)


def price_steps(scores: Scores, bad: Any, costs: Costs, asked: float) -> Thresholds:
    """The rule that the software had: an escape is priced ten times higher, up to six times, until
    few enough pass; where none are few enough, the limit is dropped."""
    n_defective = int(bad.sum())
    allowed = allowed_failures(n_defective, asked)
    price = costs
    for _ in range(PRICE_STEPS):
        thresholds = choose_thresholds(scores, bad, price).thresholds
        is_escape = scores[bad] < thresholds.accept_below
        n_escapes = int(is_escape.sum())
        if allowed is None or n_escapes <= allowed:
            break
        higher = PRICE_FACTOR * price.escape_cost
        price = price.model_copy(update={"escape_cost": higher})
    return thresholds


def cost_alone(steps: list[Step], n_defective: int, asked: float) -> float | None:
    """No limit: the thresholds of least expected cost."""
    return steps[0].accept


def empirical(steps: list[Step], n_defective: int, asked: float) -> float | None:
    """No more of the parts that were seen escape than asked."""
    allowed = asked * n_defective

    def is_seldom(step: Step) -> bool:
        return len(step.escaping) <= allowed

    return _first(steps, is_seldom)


def risk_control(steps: list[Step], n_defective: int, asked: float) -> float | None:
    """Conformal risk control (Angelopoulos et al. 2024, equation 4): the mean rate is asked."""

    def is_controlled(step: Step) -> bool:
        n_escapes = len(step.escaping)
        mean_rate = (n_escapes + 1) / (n_defective + 1)
        return mean_rate <= asked

    return _first(steps, is_controlled)


def exact_binomial(steps: list[Step], n_defective: int, asked: float) -> float | None:
    """Learn then Test by an exact binomial bound; all to review where it shows nothing."""

    def is_shown(step: Step) -> bool:
        n_escapes = len(step.escaping)
        rate = upper_bound(n_escapes, n_defective)
        return rate <= asked

    return _first(steps, is_shown)


def kept(steps: list[Step], n_defective: int, asked: float) -> float | None:
    """The same; where it shows nothing, no part that is known as defective passes."""
    found = exact_binomial(steps, n_defective, asked)
    if found is not None:
        return found
    return steps[-1].accept


RULES: dict[str, Rule] = {
    "cost alone": cost_alone,
    "empirical": empirical,
    "conformal risk control, else review all": risk_control,
    "exact binomial, else review all": exact_binomial,
    KEPT: kept,
}


def as_markdown(table: pd.DataFrame) -> str:
    """A table for each cost of an escape and limit asked for, a row for each rule and setting."""
    lines: list[str] = []
    for escape_cost, asked in product(ESCAPE_COSTS, ASKED):
        has_cost = table["escape_cost"] == escape_cost
        has_limit = table["asked"] == asked
        of_both = table[has_cost & has_limit]
        lines += [
            f"\n### at most {100 * asked:.0f} % escapes, an escape costs {escape_cost:.0f}\n",
            "| scores | n | rule | escapes | P(more than asked) | good to review | cost |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in of_both.itertuples():
            lines.append(_table_row(row))
    return "\n".join([*lines, ""])


def _table_row(row: Any) -> str:
    """What a rule did in a setting, as a row of Markdown."""
    cells = [
        row.scenario,
        row.n_defective,
        row.rule,
        f"{row.escape_rate:.2%}",
        f"{row.exceeds:.0%}",
        f"{row.reviewed_good:.1%}",
        f"{row.cost:.3f}",
    ]
    between = " | ".join(map(str, cells))
    return f"| {between} |"


def study(table: pd.DataFrame, n_draws: int) -> dict[str, Any]:
    """What the kept rule did at the default cost of an escape, compact."""
    default_cost = ESCAPE_COSTS[0]
    is_kept = table["rule"] == KEPT
    has_cost = table["escape_cost"] == default_cost
    columns = ["scenario", "n_defective", "asked", *COLUMNS]
    rows = table.loc[is_kept & has_cost, columns]

    # four digits: rates to 0.01 %
    rounded = rows.round(4)
    return {
        "rule": KEPT,
        "n_draws": n_draws,
        "columns": columns,
        "rows": rounded.to_numpy().tolist(),
    }


def _outcome(
    fresh: Drawn, thresholds: Thresholds, costs: Costs, asked: float
) -> dict[str, float]:
    """What thresholds do with fresh parts: rates of each kind, and the expected cost per part."""
    scores, bad = fresh
    verdicts = np.array(decide(scores[:, None], [thresholds]))
    on_bad = verdicts[bad]
    on_good = verdicts[~bad]
    escapes = float(np.mean(on_bad == "pass"))
    reviewed = float(np.mean(on_good == "review"))

    cost_of_bad = costs.escape_cost * escapes
    cost_of_bad += costs.review_cost * np.mean(on_bad == "review")
    cost_of_good = costs.review_cost * reviewed
    cost_of_good += costs.overkill_cost * np.mean(on_good == "reject")
    rate = costs.defect_rate
    cost = rate * cost_of_bad + (1 - rate) * cost_of_good
    return {
        "escape_rate": escapes,
        "exceeds": float(escapes > asked),
        "reviewed_good": reviewed,
        "cost": float(cost),
    }


def _first(steps: list[Step], is_enough: Callable[[Step], bool]) -> float | None:
    """What the first step that is enough accepts below; None where no step is."""
    for step in steps:
        if is_enough(step):
            return step.accept
    return None


def _accepting(cheapest: Thresholds, accept: float | None) -> Thresholds:
    """Thresholds that accept below another one; all parts go to review where there is none."""
    if accept is None:
        return Thresholds(accept_below=-BEYOND, reject_above=BEYOND)

    return Thresholds(accept_below=accept, reject_above=cheapest.reject_above)


if __name__ == "__main__":
    main()
