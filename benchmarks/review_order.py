"""What it is worth to review labels in the order of the review desk, against any other order.

On a drawn line, whose truth is known: the wrong labels are corrected one after the other, and after
some of them a small model is fitted anew, out of fold, as stage clean_labels has it. Its log loss
against the truth says what the corrections were worth: a proper score, which a few labels move.
The expected cost per part stands beside it, by thresholds that rest on the labels as they stand: it
is what the line is after, but it changes by whole parts, so its shares are coarse. Run it from the
root of a project whose stages have run up to clean_labels; with --trained up to assemble, for the
desk then asks first about what holds the thresholds and about errors on unseen parts.
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

from benchmarks.label_issues import composed, of_the_desk, spoiled
from dashboard.review.queue import from_issues, merged, read_issues
from inspection.curation.label_rules import conflicts, with_holds
from inspection.curation.reviews import REVIEW_COLUMNS, read_reviews, with_reviews
from inspection.errors import InspectionError
from inspection.evaluation.cost_report import Counts, expected_cost
from inspection.evaluation.costs import Costs
from inspection.evaluation.thresholds import choose_thresholds
from inspection.line import Line
from inspection.parts import labels_of_parts
from inspection.runtime.detectors import Thresholds
from inspection.runtime.verdict import decide
from inspection.storage import read_json, read_table
from stages import clean_labels, sections
from stages.params.clean_labels import Rules

MANIFEST = Path("artifacts/manifest/manifest.parquet")
LABELS = Path("artifacts/labels")
TRUTH = Path("samples/truth/truth.json")
# Every rule holds what is in conflict, as by default.
RULES = dict.fromkeys(Rules.model_fields, "hold")
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
        views = self._reviewed(reviewed)
        scored = [self._measured(views, seed) for seed in self.seeds]
        loss, cost = np.mean(scored, axis=0)
        return Measured(float(loss), float(cost))

    def _reviewed(self, reviewed: Collection[str]) -> pd.DataFrame:
        """The views with their groups, the reviews of these images, and what is held then."""
        rows = []
        for sha256 in sorted(reviewed):
            rows.append((sha256, self.truth[sha256], "bench", ""))
        columns = list(REVIEW_COLUMNS)
        table = pd.DataFrame(rows, columns=columns, dtype=str)
        reviews = read_reviews(table, self.raw, self.line)

        views = with_reviews(self.raw, reviews)
        views = views.merge(self.groups, on="view_id", validate="1:1")
        found = conflicts(views, self.line, RULES)
        return with_holds(views, found, rules=list(RULES))

    def _measured(self, views: pd.DataFrame, seed: int) -> Measured:
        """What the model is worth by one split into folds."""
        scores = self._scores(views, seed)
        limits = self._limits(views, scores)

        # what both are worth is said by the truth, of all parts
        shown = views["image_sha256"].map(self.truth)
        defective = self._defective(views.assign(label=shown))
        odds = scores[defective.index].to_numpy()
        is_bad = defective.to_numpy()
        cost = self._cost(odds, is_bad, limits)

        # the log loss of log odds: logaddexp(0, x) is log(1 + exp(x)), and never overflows
        against_truth = np.where(is_bad, -odds, odds)
        losses = np.logaddexp(0, against_truth)
        return Measured(float(losses.mean()), cost)

    def _limits(self, views: pd.DataFrame, scores: pd.Series) -> Thresholds:
        """The thresholds: they rest on labels as they stand, and on none that is held."""
        is_free = ~views["held"]
        defective = self._defective(views[is_free])
        known = scores[defective.index].to_numpy()
        is_called_bad = defective.to_numpy()
        return choose_thresholds(known, is_called_bad, self.costs).thresholds

    def _defective(self, views: pd.DataFrame) -> pd.Series:
        """Which parts are defective by the labels of these views, by part."""
        normal = self.line.normal
        labels = pd.Series(labels_of_parts(views, normal))
        return labels != normal

    def _cost(self, odds: Any, is_bad: Any, limits: Thresholds) -> float:
        """The expected cost per part, of parts with these log odds of a defect."""
        verdicts = np.array(decide(odds[:, None], [limits]))
        bad = Counts.of(verdicts[is_bad].tolist())
        good = Counts.of(verdicts[~is_bad].tolist())
        cost = expected_cost(bad, good, self.costs).value
        if cost is None:
            raise InspectionError(
                "a fold holds only defective or only good parts, so that its cost is not known; "
                "draw more parts"
            )
        return float(cost)

    def _scores(self, views: pd.DataFrame, seed: int) -> pd.Series:
        """The log odds of a defect by part, of the worst view, by models that saw none of it."""
        from sklearn.model_selection import StratifiedGroupKFold

        labels = views["label"].to_numpy()
        truth = views["image_sha256"].map(self.truth).to_numpy()
        is_free = ~views["held"].to_numpy()
        folds = StratifiedGroupKFold(
            N_FOLDS,
            shuffle=True,
            random_state=seed,
        )
        splits = folds.split(self.features, truth, views["group_id"])

        odds = np.zeros(len(views))
        for train, test in splits:
            learnt = train[is_free[train]]
            odds[test] = self._odds(learnt, labels[learnt], test)

        part_ids = views["part_id"].to_numpy()
        return pd.Series(odds).groupby(part_ids).max()

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

        classes = list(model.classes_)
        column = classes.index(self.line.normal)
        normal = likely[:, column].clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)
        defect = 1 - normal
        return np.log(defect / normal)


def main() -> None:
    """Print the cost without reviews, with all, and half-way by each order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--truth", type=Path, default=TRUTH)
    parser.add_argument("--draws", type=int, default=5, help="of the random orders")
    parser.add_argument("--splits", type=int, default=3, help="into folds, averaged")
    parser.add_argument(
        "--trained", action="store_true", help="in the order once the line is trained"
    )
    parser.add_argument("--escape-cost", type=float, default=ESCAPE_COST)
    given = parser.parse_args()

    costs = Costs(escape_cost=given.escape_cost)
    bench, wrong = prepared(given.data, given.truth, costs, range(given.splits))

    desk = _order_of_desk(given.data, is_trained=given.trained)
    # what the desk does not show is looked at last, in the order of the files
    listed = set(desk)
    images = bench.raw["image_sha256"]
    rest = [sha256 for sha256 in images if sha256 not in listed]
    text = report(bench, wrong, desk + rest, given.draws)
    sys.stdout.write(text)


def _order_of_desk(data: Path, *, is_trained: bool) -> list[str]:
    """The images that the review desk shows, in its order."""
    if is_trained:
        return [item.image_sha256 for item in of_the_desk()]

    issues = read_issues(LABELS / "issues.csv")
    clean = read_table(LABELS / "manifest.parquet")
    items = merged(from_issues(issues, clean, data))
    return [item.image_sha256 for item in items]


def prepared(
    data: Path, truth: Path, costs: Costs, seeds: Sequence[int]
) -> tuple[Bench, set[str]]:
    """The line as it lies there, and the images whose label is wrong."""
    line = sections.read(sections.section("line", Line))
    raw = read_table(MANIFEST)
    clean = read_table(LABELS / "manifest.parquet")
    # a review may have left out a view already
    is_kept = raw["view_id"].isin(clean["view_id"])
    raw = raw[is_kept].reset_index(drop=True)
    images = raw["image_sha256"]

    views = read_json(truth)["views"]
    true_class = {}
    for name, view in views.items():
        true_class[composed(name)] = view["true_class"]
    names = raw["path"].map(composed)
    shown = [true_class[name] for name in names]
    was_spoiled = names.isin(set(spoiled(views)))
    is_wrong = was_spoiled & (raw["label"] != shown)

    _, features = clean_labels.measured(data, raw, line, LABELS)
    bench = Bench(
        raw=raw,
        groups=clean[["view_id", "group_id", "near_duplicate_group"]],
        features=features,
        truth=dict(zip(images, shown, strict=True)),
        line=line,
        costs=costs,
        seeds=seeds,
    )
    return bench, set(images[is_wrong])


def report(bench: Bench, wrong: set[str], desk: Sequence[str], n_draws: int) -> str:
    """What half of the wrong labels are worth by each order, and what it takes to find them."""
    steps = _steps(bench, wrong, desk, n_draws)
    found = _measured_steps(bench, steps)
    (before,) = found["nothing"]
    (after,) = found["everything"]
    lines = [
        f"{'reviewed':34} wrong found   looked at   log loss     cost   "
        f"{'of the gain in loss':21} in cost"
    ]
    for what, tried in steps.items():
        n_met = [len(wrong.intersection(one)) for one in tried]
        n_looked = [len(one) for one in tried]
        met = np.mean(n_met)
        looked = np.mean(n_looked)
        loss, cost = np.mean(found[what], axis=0)
        losses = [one.loss for one in found[what]]
        in_loss = _gain_in_words(losses, before.loss, after.loss)
        costs = [one.cost for one in found[what]]
        in_cost = _gain_in_words(costs, before.cost, after.cost)
        lines.append(
            f"{what:34} "
            f"{met:4.0f} of {len(wrong):3}   "
            f"{looked:9.0f}   "
            f"{loss:8.4f}   "
            f"{cost:.4f}   "
            f"{in_loss:21} "
            f"{in_cost}"
        )
    return "\n".join([*lines, ""])


def _measured_steps(
    bench: Bench, steps: Mapping[str, Sequence[Sequence[str]]]
) -> dict[str, list[Measured]]:
    """What the model is worth after each step, by its name, once for each draw."""
    n_fits = sum(map(len, steps.values()))
    found: dict[str, list[Measured]] = {}
    with tqdm(total=n_fits, desc="fits", disable=None) as bar:
        for what, tried in steps.items():
            found[what] = []
            for reviewed in tried:
                found[what].append(bench.measured(reviewed))
                bar.update()
    return found


def _steps(
    bench: Bench, wrong: set[str], desk: Sequence[str], n_draws: int
) -> dict[str, list[Sequence[str]]]:
    """What is reviewed, by its name; of a random order once for each draw."""
    # rounded up: of one wrong label, that one
    half = (len(wrong) + 1) // 2
    n_looked = looks_for(desk, wrong, half)
    halves: list[Sequence[str]] = []
    as_many: list[Sequence[str]] = []
    generator = np.random.default_rng(bench.seeds[0])
    for _ in range(n_draws):
        order = list(generator.permutation(list(desk)))
        n_for_half = looks_for(order, wrong, half)
        halves.append(order[:n_for_half])
        as_many.append(order[:n_looked])
    return {
        "nothing": [[]],
        "everything": [desk],
        "half the wrong ones, desk's order": [desk[:n_looked]],
        "half the wrong ones, random order": halves,
        "as many looks, random order": as_many,
    }


def _gain_in_words(found: Sequence[float], before: float, after: float) -> str:
    """The share of the gain, and how far it scatters where there were several draws."""
    shares = []
    for one in found:
        share = share_of_gain(one, before, after)
        shares.append(share)
    said = f"{100 * np.mean(shares):.0f} %"
    if len(shares) > 1:
        said += f", spread {100 * np.std(shares):.0f}"
    return said


def looks_for(order: Sequence[str], wrong: Collection[str], n: int) -> int:
    """How many views of an order are looked at until `n` wrong labels have been met."""
    if n == 0:
        return 0
    met = np.cumsum([one in wrong for one in order])
    return int(np.searchsorted(met, n)) + 1


def share_of_gain(value: float, before: float, after: float) -> float:
    """How far a loss or a cost has come from `before` to `after`: 1 is all the way.

    0 where there is nothing to gain.
    """
    if before == after:
        return 0.0
    gain = before - value
    return gain / (before - after)


if __name__ == "__main__":
    main()
