"""Which labels a baseline classifier would not have given: suspects for a person to look at.

Out-of-sample by part, so that a view's siblings do not vouch for it. What can be seen is measured
in cells of texture; what was boxed counts as well, for a box that is there or missing shows what
the person who drew it believed.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from inspection.boxes import parse_boxes
from inspection.curation.label_rules import NEAR_DUPLICATES, Conflict
from inspection.line import Line

# folds of the cross-validation; more cost time, and gain little once 80 % are trained on
MAX_FOLDS = 5
# probabilities are cut off here, so that one view that is sure and wrong does not settle a part
MIN_PROBABILITY = 1e-4
# a class that no view of a part votes for keeps this much of a vote
MIN_VOTE = 0.02
# weight of the votes of a part whose labels disagree, next to what its views look like
VOTE_WEIGHT = 2
# share of a class's views that must look like it; below, the classifier does not know the class
MIN_RECALL = 0.5
# score above which a label is doubted: the classifier holds another class for likelier
DOUBT = 0.5
# strength of the logistic regressions' penalty (inverse): weak evidence stays near the shares
LOGISTIC_C = 0.05
# iterations of the logistic regressions
MAX_ITERATIONS = 500  # no outcome: they converge within some dozen
# what stands before the reason of a view against which nothing speaks but a near-duplicate
ONLY_NEAR_DUPLICATES = "only_near_duplicates"
# digits of a score in the list
DECIMALS = 4
ISSUE_COLUMNS = (
    "rank",
    "view_id",
    "path",
    "part_id",
    "label",
    "suggested",
    "score",
    "reason",
)


def box_features(table: pd.DataFrame, line: Line) -> np.ndarray:
    """(N, classes + regions): 1 where a box of the category is there."""
    categories = [*line.classes, *line.regions]
    features = np.zeros((len(table), len(categories)), np.float64)
    for row, cell in enumerate(table["boxes"]):
        boxed = {box.category for box in parse_boxes(cell)}
        features[row] = [name in boxed for name in categories]
    return features


def probabilities(
    table: pd.DataFrame,
    texture: np.ndarray,
    *,
    line: Line,
    seed: int,
) -> pd.DataFrame:
    """Probability (N, classes) that each label of a manifest with `group_id` is the right one.

    `texture` (N, D) is what can be seen. Two classifiers, on texture and on boxes, are weighed by
    a third, each out of sample by group; the evidence of the views of one part is pooled.
    """
    labels = list(table["label"])
    groups = list(table["group_id"])
    by_texture = out_of_sample(
        texture,
        labels,
        groups,
        kind="discriminant",
        seed=seed,
    )

    boxes = box_features(table, line)
    by_boxes = out_of_sample(
        boxes,
        labels,
        groups,
        kind="logistic",
        seed=seed,
    )

    both = np.hstack([by_texture, by_boxes])
    evidence = np.log(np.maximum(both, MIN_PROBABILITY))
    weighed = out_of_sample(
        evidence,
        labels,
        groups,
        kind="logistic",
        seed=seed,
    )
    return pooled(weighed, labels, list(table["part_id"]))


def out_of_sample(
    features: np.ndarray,
    labels: Sequence[str],
    groups: Sequence[str],
    *,
    kind: str,
    seed: int,
) -> pd.DataFrame:
    """Probability of each class (N, classes) by models that saw no view of the same group.

    `kind` is `discriminant` (many features; covariance shrunk after Ledoit and Wolf 2004) or
    `logistic`. With fewer than two groups of some class the labels' shares are returned.
    """
    from sklearn.model_selection import StratifiedGroupKFold
    from threadpoolctl import threadpool_limits

    truth = np.asarray(labels)
    owners = np.asarray(groups)
    classes = sorted(set(labels))
    n_groups = [len(set(owners[truth == name])) for name in classes]
    n_folds = min(MAX_FOLDS, *n_groups)
    if n_folds < 2 or len(classes) < 2:
        shares = [float((truth == name).mean()) for name in classes]
        return pd.DataFrame([shares] * len(truth), columns=classes)

    result = pd.DataFrame(
        0.0,
        index=range(len(truth)),
        columns=classes,
    )
    folds = StratifiedGroupKFold(
        n_folds,
        shuffle=True,
        random_state=seed,
    )
    # one thread: matrices this small are ten times slower on several
    with threadpool_limits(1):
        for train, test in folds.split(features, truth, owners):
            model = _classifier(kind).fit(features[train], truth[train])
            result.loc[test, list(model.classes_)] = model.predict_proba(features[test])
    return result


def pooled(
    weighed: pd.DataFrame,
    labels: Sequence[str],
    parts: Sequence[str],
) -> pd.DataFrame:
    """Probability (N, classes) given all views of a view's part, which show one and the same.

    Log probabilities are summed over the views and divided by the root of their number, for views
    of one part are not independent. Where the labels of a part disagree they vote as well.
    """
    owners = np.asarray(parts)
    evidence = weighed.clip(lower=MIN_PROBABILITY).apply(np.log)
    by_part = evidence.groupby(owners)
    n_views = by_part.transform("size").to_numpy()[:, None]
    joint = by_part.transform("sum").to_numpy() / np.sqrt(n_views)

    labelled = np.asarray(labels)[:, None] == np.asarray(weighed.columns)[None, :]
    by_owner = pd.DataFrame(labelled.astype(float)).groupby(owners)
    votes = by_owner.transform("sum").to_numpy()
    disagree = (votes > 0).sum(
        axis=1,
        keepdims=True,
    ) > 1
    shares = np.maximum(votes / n_views, MIN_VOTE)
    joint += np.where(disagree, VOTE_WEIGHT * np.log(shares), 0.0)

    likely = np.exp(
        joint
        - joint.max(
            axis=1,
            keepdims=True,
        )
    )
    likely /= likely.sum(
        axis=1,
        keepdims=True,
    )
    return pd.DataFrame(likely, columns=weighed.columns)


def label_quality(likely: pd.DataFrame, labels: Sequence[str]) -> np.ndarray:
    """How well each label fits, 0..1: cleanlab's self-confidence (Northcutt et al. 2021)."""
    from cleanlab.rank import get_label_quality_scores

    codes = likely.columns.get_indexer(pd.Index(labels))
    return np.asarray(
        get_label_quality_scores(codes, likely.to_numpy(), method="self_confidence")
    )


def ranked(
    table: pd.DataFrame,
    likely: pd.DataFrame,
    conflicts: Sequence[Conflict],
    *,
    n_issues: int,
    held_by: Collection[str] = (),
) -> pd.DataFrame:
    """Suspects, the likeliest wrong label first: all in conflict, and `n_issues` that look wrong.

    The score 0..1 is 1 - quality of the label, and higher where a rule is sure by itself. Reviewed
    views are settled and do not appear. Of a class that is not recognised nobody is doubted
    without a conflict: there the model is at fault more often than the label.

    Unless the rule about near-duplicates is among those that views are `held_by`, it makes no
    suspect by itself: it is a reason beside one that other evidence names, and the views against
    which nothing else speaks come last, see `is_suspect`.
    """
    told: dict[str, str] = {}
    if NEAR_DUPLICATES not in held_by:
        alike = [one for one in conflicts if one.rule == NEAR_DUPLICATES]
        # a view is in one group of near-duplicates at most
        told = {one.view_id: one.reason for one in alike}
        conflicts = [one for one in conflicts if one.rule != NEAR_DUPLICATES]

    issues = _scored(table, likely, conflicts)
    issues = issues[issues["label_source"] != "review"]
    issues = issues.sort_values(
        ["score", "view_id"],
        ascending=[False, True],
        kind="stable",
    )

    recognised = _recognised(likely, list(table["label"]))
    doubted = ~issues["in_conflict"] & (issues["score"] > DOUBT)
    doubted &= issues["suggested"] != issues["label"]
    doubted &= issues["label"].isin(recognised)
    first = doubted & (doubted.cumsum() <= n_issues)

    is_named = issues["in_conflict"] | first
    named = _with_near_duplicates(issues[is_named], told)
    rest = _of_near_duplicates_only(issues[~is_named], told)
    listed = pd.concat([named, rest], ignore_index=True)
    return listed.assign(rank=listed.index + 1)[list(ISSUE_COLUMNS)]


def is_suspect(reason: str) -> bool:
    """Whether more speaks against a listed view than a near-duplicate of another label.

    >>> is_suspect("looks like dent (0.95)")
    True
    >>> is_suspect("only_near_duplicates: near_duplicate_group 1f: 1 x dent, 1 x normal")
    False
    """
    return not reason.startswith(f"{ONLY_NEAR_DUPLICATES}:")


def _with_near_duplicates(named: pd.DataFrame, told: Mapping[str, str]) -> pd.DataFrame:
    """Suspects, with what is `told` by view of near-duplicates behind the other reasons."""
    beside = [
        f"; {NEAR_DUPLICATES}: {told[view_id]}" if view_id in told else ""
        for view_id in named["view_id"]
    ]
    return named.assign(reason=named["reason"] + pd.Series(beside, named.index, str))


def _of_near_duplicates_only(
    others: pd.DataFrame, told: Mapping[str, str]
) -> pd.DataFrame:
    """Those of the other views of which something is `told` of near-duplicates."""
    rest = others[others["view_id"].isin(list(told))]
    first = [f"{ONLY_NEAR_DUPLICATES}: {told[one]}; " for one in rest["view_id"]]
    return rest.assign(reason=pd.Series(first, rest.index, str) + rest["reason"])


def _scored(
    table: pd.DataFrame,
    likely: pd.DataFrame,
    conflicts: Sequence[Conflict],
) -> pd.DataFrame:
    """Every view with its score, the class that it should have, and why."""
    of_view: dict[str, list[Conflict]] = {}
    for conflict in conflicts:
        of_view.setdefault(conflict.view_id, []).append(conflict)

    best = likely.idxmax(axis=1)
    chance = likely.max(axis=1)
    confidences, suggested, reasons = [], [], []
    for view_id, name, probability in zip(
        table["view_id"],
        best,
        chance,
        strict=True,
    ):
        own = of_view.get(view_id, [])
        confidences.append(max((one.confidence for one in own), default=0.0))
        suggested.append(_suggested(own, str(name)))
        rules = [f"{one.rule}: {one.reason}" for one in own]
        reasons.append("; ".join([*rules, f"looks like {name} ({probability:.2f})"]))

    quality = label_quality(likely, list(table["label"]))
    score = 1 - (1 - np.array(confidences)) * quality
    columns = ["view_id", "path", "part_id", "label", "label_source"]
    return table[columns].assign(
        suggested=suggested,
        score=score.round(DECIMALS),
        reason=reasons,
        in_conflict=[view_id in of_view for view_id in table["view_id"]],
    )


def _suggested(conflicts: Sequence[Conflict], best: str) -> str:
    """What the first rule that is sure suggests, else what the view looks like."""
    for one in conflicts:
        if one.confidence > 0:
            return one.suggested
    return best


def _recognised(likely: pd.DataFrame, labels: Sequence[str]) -> set[str]:
    """The classes of which at least half of the views look like what they are called."""
    labelled = pd.Series(list(labels), index=likely.index)
    hits = (likely.idxmax(axis=1) == labelled).groupby(labelled).mean()
    return set(hits.index[hits >= MIN_RECALL])


def _classifier(kind: str) -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind == "discriminant":
        model = LinearDiscriminantAnalysis(
            solver="lsqr",
            shrinkage="auto",
        )
    else:
        model = LogisticRegression(
            C=LOGISTIC_C,
            max_iter=MAX_ITERATIONS,
        )
    return make_pipeline(StandardScaler(), model)
