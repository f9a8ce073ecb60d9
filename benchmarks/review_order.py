"""What it is worth to review labels in the order of the review desk, against any other order.

On a drawn line, whose truth is known: the wrong labels are corrected one after the other, and after
some of them a small model is fitted anew, out of fold, as stage clean_labels has it. Its log loss
against the truth says what the corrections were worth: a proper score, which a few labels move.
The expected cost per part stands beside it, by thresholds that rest on the labels as they stand; it
changes by whole parts, and less than one is gained here. Run it from the root of a project whose
stages have run up to clean_labels.
"""

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks.label_issues import composed, spoiled
from dashboard.review.queue import from_issues, merged
from inspection.curation.label_rules import conflicts, with_holds
from inspection.curation.reviews import REVIEW_COLUMNS, read_reviews, with_reviews
from inspection.evaluation.cost_report import Counts, expected_cost
from inspection.evaluation.costs import Costs
from inspection.evaluation.thresholds import choose_thresholds
from inspection.line import Line
from inspection.parts import labels_of_parts
from inspection.runtime.verdict import decide
from inspection.storage import read_json, read_table
from stages import clean_labels, sections

MANIFEST = Path("artifacts/manifest/manifest.parquet")
LABELS = Path("artifacts/labels")
TRUTH = Path("samples/truth/truth.json")
# Every rule holds what is in conflict, as by default.
RULES = dict.fromkeys(clean_labels.Rules.model_fields, "hold")
# Of the cross-validation; the same at every step, so that steps differ by the labels alone.
N_FOLDS = 5
# An escape against a good part thrown away. At the 100 of a real line a model as small as this one
# sends nearly every part to review, however good the labels are, and no order could gain anything.
ESCAPE_COST = 10.0
# Probabilities nearer to 0 or 1 are cut off: the odds stay finite.
MIN_PROBABILITY = 1e-6


class Measured(NamedTuple):
    """Of parts: the mean log loss, in nats, and the expected cost; less is better."""

    loss: float
    cost: float


@dataclass(frozen=True)
class Bench:
    """A line with its truth: what is measured of each view, and what each shows (by hash).

    What is measured is the mean over as many splits into folds as there are `seeds`.
    """

    raw: pd.DataFrame
    groups: pd.DataFrame
    features: Any
    truth: Mapping[str, str]
    line: Line
    costs: Costs
    seeds: Sequence[int]

    def measured(self, reviewed: Collection[str]) -> Measured:
        """What the model is worth once people, who are always right, have seen these images."""
        rows = [(one, self.truth[one], "bench", "") for one in sorted(reviewed)]
        table = pd.DataFrame(rows, columns=list(REVIEW_COLUMNS), dtype=str)
        views = with_reviews(self.raw, read_reviews(table, self.raw, self.line))
        views = views.merge(self.groups, on="view_id", validate="1:1")
        found = conflicts(views, self.line, RULES)
        views = with_holds(views, found, rules=list(RULES))

        scored = [self._measured(views, seed) for seed in self.seeds]
        loss, cost = np.mean(scored, axis=0)
        return Measured(float(loss), float(cost))

    def _measured(self, views: pd.DataFrame, seed: int) -> Measured:
        normal = self.line.normal
        scores = self._scores(views, seed)

        # thresholds rest on labels as they stand, and on none that is held
        labelled = pd.Series(labels_of_parts(views[~views["held"]], normal))
        is_called_bad = (labelled != normal).to_numpy()
        known = scores[labelled.index].to_numpy()
        limits = choose_thresholds(known, is_called_bad, self.costs).thresholds

        # what they are worth is said by the truth, of all parts
        shown = views.assign(label=views["image_sha256"].map(self.truth))
        truly = pd.Series(labels_of_parts(shown, normal))
        is_bad = (truly != normal).to_numpy()
        odds = scores[truly.index].to_numpy()
        verdicts = np.array(decide(odds[:, None], [limits]))
        bad = Counts.of(verdicts[is_bad].tolist())
        good = Counts.of(verdicts[~is_bad].tolist())
        cost = expected_cost(bad, good, self.costs).value or 0.0

        # the log loss of log odds: logaddexp(0, x) is log(1 + exp(x)), and never overflows
        losses = np.logaddexp(0, np.where(is_bad, -odds, odds))
        return Measured(float(losses.mean()), float(cost))

    def _scores(self, views: pd.DataFrame, seed: int) -> pd.Series:
        """The log odds of a defect by part, of the worst view, by models that saw none of it."""
        from sklearn.model_selection import StratifiedGroupKFold

        labels = views["label"].to_numpy()
        truth = views["image_sha256"].map(self.truth).to_numpy()
        is_free = ~views["held"].to_numpy()
        odds = np.zeros(len(views))
        folds = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
        for train, test in folds.split(self.features, truth, views["group_id"]):
            learnt = train[is_free[train]]
            odds[test] = self._odds(learnt, labels[learnt], test)
        return pd.Series(odds).groupby(views["part_id"].to_numpy()).max()

    def _odds(self, train: Any, labels: Any, test: Any) -> Any:
        """The log odds of a defect: a discriminant of texture, as stage clean_labels fits it."""
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from threadpoolctl import threadpool_limits

        discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        model = make_pipeline(StandardScaler(), discriminant)
        # one thread: matrices this small are slower on several
        with threadpool_limits(1):
            model.fit(self.features[train], labels)
            likely = model.predict_proba(self.features[test])
        normal = likely[:, list(model.classes_).index(self.line.normal)]
        normal = normal.clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)
        return np.log((1 - normal) / normal)


def main() -> None:
    """Print the cost without reviews, with all, and half-way by each order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--truth", type=Path, default=TRUTH)
    parser.add_argument("--draws", type=int, default=5, help="of the random orders")
    parser.add_argument("--splits", type=int, default=3, help="into folds, averaged")
    parser.add_argument("--escape-cost", type=float, default=ESCAPE_COST)
    given = parser.parse_args()

    costs = Costs(escape_cost=given.escape_cost)
    bench, wrong = prepared(given.data, given.truth, costs, range(given.splits))

    issues = pd.read_csv(LABELS / "issues.csv", dtype={"view_id": str, "part_id": str})
    clean = read_table(LABELS / "manifest.parquet")
    items = merged(from_issues(issues, clean, given.data))
    desk = [item.image_sha256 for item in items]
    # what the desk does not show is looked at last, in the order of the files
    listed = set(desk)
    rest = [sha256 for sha256 in bench.raw["image_sha256"] if sha256 not in listed]
    sys.stdout.write(report(bench, wrong, desk + rest, given.draws))


def prepared(
    data: Path, truth: Path, costs: Costs, seeds: Sequence[int]
) -> tuple[Bench, set[str]]:
    """The line as it lies there, and the images whose label is wrong."""
    line = sections.read(sections.section("line", Line))
    raw = read_table(MANIFEST)
    clean = read_table(LABELS / "manifest.parquet")
    # a review may have left out a view already
    raw = raw[raw["view_id"].isin(clean["view_id"])].reset_index(drop=True)

    views = read_json(truth)["views"]
    by_name = {composed(name): view for name, view in views.items()}
    names = raw["path"].map(composed)
    shown = [by_name[name]["true_class"] for name in names]
    is_wrong = names.isin(set(spoiled(views))) & (raw["label"] != shown)

    _, features = clean_labels.measured(data, raw, line, LABELS)
    bench = Bench(
        raw=raw,
        groups=clean[["view_id", "group_id", "near_duplicate_group"]],
        features=features,
        truth=dict(zip(raw["image_sha256"], shown, strict=True)),
        line=line,
        costs=costs,
        seeds=seeds,
    )
    return bench, set(raw.loc[is_wrong, "image_sha256"])


def report(bench: Bench, wrong: set[str], desk: Sequence[str], n_draws: int) -> str:
    """What half of the wrong labels are worth by each order, and what it takes to find them."""
    steps = _steps(bench, wrong, desk, n_draws)
    found: dict[str, list[Measured]] = {}
    n_fits = sum(map(len, steps.values()))
    with tqdm(total=n_fits, desc="fits", disable=None) as bar:
        for what, tried in steps.items():
            for reviewed in tried:
                found.setdefault(what, []).append(bench.measured(reviewed))
                bar.update()

    (before,), (after,) = found["nothing"], found["everything"]
    lines = [
        f"{'reviewed':34} wrong found   looked at   log loss     cost   share of the gain"
    ]
    for what, tried in steps.items():
        met = np.mean([len(wrong.intersection(one)) for one in tried])
        looked = np.mean([len(one) for one in tried])
        loss, cost = np.mean(found[what], axis=0)
        gain = _gain_in_words(found[what], before, after)
        lines.append(
            f"{what:34} {met:4.0f} of {len(wrong):3}   {looked:9.0f}   {loss:8.4f}   "
            f"{cost:.4f}   {gain}"
        )
    return "\n".join([*lines, ""])


def _steps(
    bench: Bench, wrong: set[str], desk: Sequence[str], n_draws: int
) -> dict[str, list[Sequence[str]]]:
    """What is reviewed, by its name; of a random order once for each draw."""
    half = (len(wrong) + 1) // 2
    n_looked = looks_for(desk, wrong, half)
    generator = np.random.default_rng(bench.seeds[0])
    orders = [list(generator.permutation(list(desk))) for _ in range(n_draws)]
    halves = [order[: looks_for(order, wrong, half)] for order in orders]
    return {
        "nothing": [[]],
        "everything": [desk],
        "half the wrong ones, desk's order": [desk[:n_looked]],
        "half the wrong ones, random order": [*halves],
        "as many looks, random order": [order[:n_looked] for order in orders],
    }


def _gain_in_words(found: Sequence[Measured], before: Measured, after: Measured) -> str:
    """The share of the gain in log loss, and how far it scatters where there were several draws."""
    shares = [share_of_gain(one.loss, before.loss, after.loss) for one in found]
    spread = f", spread {100 * np.std(shares):.0f}" if len(shares) > 1 else ""
    return f"{100 * np.mean(shares):.0f} %{spread}"


def looks_for(order: Sequence[str], wrong: Collection[str], n: int) -> int:
    """How many views of an order are looked at until `n` wrong labels have been met."""
    if n == 0:
        return 0
    met = np.cumsum([one in wrong for one in order])
    return int(np.searchsorted(met, n)) + 1


def share_of_gain(loss: float, before: float, after: float) -> float:
    """How far a loss has come from `before` to `after`, 0..1; 0 where there is nothing to gain."""
    return (before - loss) / (before - after) if before != after else 0.0


if __name__ == "__main__":
    main()
