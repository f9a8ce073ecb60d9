"""Rules that keep a limit on escapes, side by side on simulated scores of few parts.

Draws scores of val parts, sets thresholds by each rule, and counts on fresh parts what they let
through, what they send to review, and what that costs.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
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
# As in the reference lines.
GOOD_PER_DEFECTIVE = 3
# Of each kind: an escape rate of 1 % is then known to 0.16 %.
N_FRESH = 4000
KEPT = "exact binomial, else no known escape"
COLUMNS = ("escape_rate", "exceeds", "reviewed_good", "cost")

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

    settings = list(product(SCENARIOS, SIZES, ESCAPE_COSTS, range(given.draws)))
    seeds = [(given.seed, number) for number in range(len(settings))]
    with ProcessPoolExecutor(given.workers) as workers:
        results = workers.map(_measured, settings, seeds, chunksize=8)
        bar = tqdm(results, total=len(settings), desc="draws", disable=None)
        rows = [row for found in bar for row in found]

    keys = ["scenario", "n_defective", "escape_cost", "asked", "rule"]
    by_setting = pd.DataFrame(rows).groupby(keys, sort=False)
    table = by_setting[list(COLUMNS)].mean().reset_index()
    sys.stdout.write(as_markdown(table))
    if given.out is not None:
        write_json(given.out, study(table, given.draws))


def drawn(generator: Any, scenario: str, n_defective: int, n_normal: int) -> Drawn:
    """Scores (parts, detectors) in standard deviations of good parts, and which are defective."""
    bad = np.arange(n_defective + n_normal) < n_defective
    n_detectors = 2 if scenario == "two detectors" else 1
    scores = generator.normal(0, 1, (len(bad), n_detectors))

    shift = generator.normal(5, 1.5, n_defective)
    if scenario == "10 % near-normal":
        is_near = generator.random(n_defective) < 0.1
        shift[is_near] = generator.normal(1, 0.5, is_near.sum())
    found_by = generator.integers(0, n_detectors, n_defective)
    scores[np.arange(n_defective), found_by] += shift
    return scores, bad


def mislabelled(generator: Any, defective: Any, share: float) -> Any:
    """The labels of parts, a share of which a person got wrong."""
    return defective ^ (generator.random(len(defective)) < share)


def _measured(
    setting: tuple[str, int, float, int], seed: tuple[int, int]
) -> list[dict[str, Any]]:
    """What each rule does with one draw, by limit and rule."""
    scenario, n_defective, escape_cost, _ = setting
    generator = np.random.default_rng(seed)
    costs = Costs(escape_cost=escape_cost)
    fresh, fresh_bad = drawn(generator, scenario, N_FRESH, N_FRESH)
    n_good = GOOD_PER_DEFECTIVE * n_defective
    scores, bad = drawn(generator, scenario, n_defective, n_good)
    # of the labels that thresholds are set by; what they are worth is said by the truth
    if scenario == "1 % mislabelled":
        bad = mislabelled(generator, bad, 0.01)

    rows = []
    fused, fresh_fused = as_one(scores, bad, fresh)
    for asked, rule, thresholds in _thresholds_by_rule(fused, bad, costs):
        key = {
            "scenario": scenario,
            "n_defective": n_defective,
            "escape_cost": escape_cost,
            "asked": asked,
            "rule": rule,
        }
        outcome = _outcome((fresh_fused, fresh_bad), thresholds, costs, asked)
        rows.append(key | outcome)
    return rows


def as_one(scores: Scores, defective: Any, others: Scores) -> tuple[Scores, Scores]:
    """The fused score of parts (parts,), and that of others by the same weights."""

    def summands(table: Scores) -> dict[str, Scores]:
        return {str(number): column for number, column in enumerate(table.T)}

    of_parts, of_others = summands(scores), summands(others)
    truth = Truth(defective, {"part": defective}, dict.fromkeys(of_parts, "part"))
    weighting = fit_weighting(of_parts, truth)
    return weighting.odds(of_parts), weighting.odds(of_others)


def _thresholds_by_rule(
    scores: Scores, bad: Any, costs: Costs
) -> Iterator[tuple[float, str, Thresholds]]:
    cheapest = choose_thresholds(scores, bad, costs).thresholds
    steps = list(descent(cheapest.accept_below, scores, bad))
    n_defective = int(bad.sum())
    for asked in ASKED:
        yield asked, "price steps (before)", price_steps(scores, bad, costs, asked)
        for name, rule in RULES.items():
            accept = rule(steps, n_defective, asked)
            yield asked, name, _accepting(cheapest, accept)


def price_steps(scores: Scores, bad: Any, costs: Costs, asked: float) -> Thresholds:
    """The rule that the software had: an escape is priced ten times higher, up to six times, until
    few enough pass; where none are few enough, the limit is dropped."""
    allowed = allowed_failures(int(bad.sum()), asked)
    price = costs
    for _ in range(6):
        thresholds = choose_thresholds(scores, bad, price).thresholds
        n_escapes = int((scores[bad] < thresholds.accept_below).sum())
        if allowed is None or n_escapes <= allowed:
            break
        price = price.model_copy(update={"escape_cost": 10 * price.escape_cost})
    return thresholds


def cost_alone(steps: list[Step], n_defective: int, asked: float) -> float | None:
    """No limit: the thresholds of least expected cost."""
    return steps[0].accept


def empirical(steps: list[Step], n_defective: int, asked: float) -> float | None:
    """No more of the parts that were seen escape than asked."""
    return _first(steps, lambda step: len(step.escaping) <= asked * n_defective)


def risk_control(steps: list[Step], n_defective: int, asked: float) -> float | None:
    """Conformal risk control (Angelopoulos et al. 2024, equation 4): the mean rate is asked."""

    def is_controlled(step: Step) -> bool:
        return (len(step.escaping) + 1) / (n_defective + 1) <= asked

    return _first(steps, is_controlled)


def exact_binomial(steps: list[Step], n_defective: int, asked: float) -> float | None:
    """Learn then Test by an exact binomial bound; all to review where it shows nothing."""

    def is_shown(step: Step) -> bool:
        return upper_bound(len(step.escaping), n_defective) <= asked

    return _first(steps, is_shown)


def kept(steps: list[Step], n_defective: int, asked: float) -> float | None:
    """The same; where it shows nothing, no part that is known as defective passes."""
    found = exact_binomial(steps, n_defective, asked)
    return steps[-1].accept if found is None else found


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
        is_in = (table["escape_cost"] == escape_cost) & (table["asked"] == asked)
        lines += [
            f"\n### at most {100 * asked:.0f} % escapes, an escape costs {escape_cost:.0f}\n",
            "| scores | n | rule | escapes | P(more than asked) | good to review | cost |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in table[is_in].itertuples():
            lines.append(
                f"| {row.scenario} | {row.n_defective} | {row.rule} | {row.escape_rate:.2%} | "
                f"{row.exceeds:.0%} | {row.reviewed_good:.1%} | {row.cost:.3f} |"
            )
    return "\n".join([*lines, ""])


def study(table: pd.DataFrame, n_draws: int) -> dict[str, Any]:
    """What the kept rule did at the default cost of an escape, compact."""
    rows = table[(table["rule"] == KEPT) & (table["escape_cost"] == ESCAPE_COSTS[0])]
    columns = ["scenario", "n_defective", "asked", *COLUMNS]
    return {
        "rule": KEPT,
        "n_draws": n_draws,
        "columns": columns,
        "rows": rows[columns].round(4).to_numpy().tolist(),
    }


def _outcome(
    fresh: Drawn, thresholds: Thresholds, costs: Costs, asked: float
) -> dict[str, float]:
    scores, bad = fresh
    verdicts = np.array(decide(scores[:, None], [thresholds]))
    on_bad, on_good = verdicts[bad], verdicts[~bad]
    escapes = float(np.mean(on_bad == "pass"))
    reviewed = float(np.mean(on_good == "review"))

    cost_of_bad = costs.escape_cost * escapes
    cost_of_bad += costs.review_cost * np.mean(on_bad == "review")
    cost_of_good = costs.review_cost * reviewed
    cost_of_good += costs.overkill_cost * np.mean(on_good == "reject")
    rate = costs.defect_rate
    return {
        "escape_rate": escapes,
        "exceeds": float(escapes > asked),
        "reviewed_good": reviewed,
        "cost": float(rate * cost_of_bad + (1 - rate) * cost_of_good),
    }


def _first(steps: list[Step], is_enough: Callable[[Step], bool]) -> float | None:
    return next((step.accept for step in steps if is_enough(step)), None)


def _accepting(cheapest: Thresholds, accept: float | None) -> Thresholds:
    """Thresholds that accept below another one; all parts go to review where there is none."""
    if accept is None:
        return Thresholds(accept_below=-BEYOND, reject_above=BEYOND)

    return Thresholds(accept_below=accept, reject_above=cheapest.reject_above)


if __name__ == "__main__":
    main()
