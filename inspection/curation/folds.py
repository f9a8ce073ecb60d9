"""Folds by part: every view of a part, and every near-duplicate, lies in one fold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

FOLDS = ("train", "val", "test")
# Besides these the fold of a class that a drill keeps from the line: nothing learns from it, and
# `assemble` judges it as it judges test.
UNSEEN = "unseen"
# What only the assembled line judges.
HELD_BACK = ("test", UNSEEN)
# groups of a class from which a fold besides train gets one: with one group there is nothing to
# judge by, and learning comes first
MIN_GROUPS = 2
# a column is called a shortcut where it tells a class from the others this much better than by
# chance (balanced accuracy): as much as two standard errors with the fewest parts that are judged
MIN_SHORTCUT = 0.1
MIN_GROUPS_TO_TELL = 25
BY_CHANCE = 0.5
# the cross-validation folds of val, and of what is held back, which nothing that decides may see
VAL_FOLD, NEVER_HELD_OUT = 0, -1

Features = np.ndarray[Any, np.dtype[np.float64]]
Labels = np.ndarray[Any, np.dtype[Any]]
Fit = Callable[[Features, Labels], Any]


@dataclass(frozen=True)
class Shortcuts:
    """How well a class can be told from single columns that know nothing of the defect."""

    accuracies: dict[str, float]
    """By column the balanced accuracy with which it tells the class it tells best from the others,
    0..1; by chance it is one half."""
    classes: dict[str, str]
    """For the columns that are shortcuts the class that they tell."""


@dataclass(frozen=True)
class OuterFold:
    """One of `n_folds` folds that are tested in turn, so that every part is tested once."""

    number: int
    n_folds: int


def assign_folds(
    views: pd.DataFrame,
    *,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    outer_fold: OuterFold | None = None,
    unseen: str | None = None,
) -> pd.Series:
    """The fold of each view, drawn by group and stratified by class, from `group_id` and `label`.

    A class of n groups gives each fold its fraction of n, to the nearest whole group. A class of
    two or more groups is in train and test, of three or more in val as well; a class of one group
    is in train only. A group of several labels counts for its rarest one. With an `outer_fold` test
    holds the groups that are dealt to it. Every group with a view of class `unseen` is in a fold of
    that name.
    """
    groups = _groups(views)
    generator = np.random.default_rng(seed)
    folds = pd.Series("train", index=groups.index)
    if unseen is not None:
        with_unseen = views.loc[views["label"] == unseen, "group_id"]
        folds[groups["group_id"].isin(with_unseen)] = UNSEEN

    known = groups[folds == "train"]
    if outer_fold is None:
        folds[_share(known["label"], test_fraction, generator)] = "test"
    else:
        test_fraction = 1 / outer_fold.n_folds
        numbers = known["group_id"].map(_dealt(known, outer_fold.n_folds, generator))
        folds[numbers.index[numbers == outer_fold.number]] = "test"

    # val is drawn from what test has left, so its fraction is one of the rest
    rest = groups["label"][folds == "train"]
    fraction_of_rest = val_fraction / (1 - test_fraction)
    folds[_share(rest, fraction_of_rest, generator)] = "val"

    fold_of = dict(zip(groups["group_id"], folds, strict=True))
    return views["group_id"].map(fold_of)


def cross_validation_folds(
    views: pd.DataFrame,
    folds: pd.Series,
    *,
    n_folds: int,
    seed: int,
) -> pd.Series:
    """The number of the fold in which each view is held out, 0..`n_folds` - 1, or -1.

    That is for test, and for what else is held back.

    Fold 0 is val; the train fold is dealt out to the others by group, class by class. So what is
    learned without fold 0 has not seen val, and scores out of fold cover every part but test.
    """
    numbers = pd.Series(NEVER_HELD_OUT, index=views.index)
    numbers[folds == "val"] = VAL_FOLD

    in_train = folds == "train"
    groups = _groups(views[in_train])
    number_of = _dealt(groups, n_folds - 1, np.random.default_rng(seed))
    numbers[in_train] = 1 + views.loc[in_train, "group_id"].map(number_of)
    return numbers


def with_folds(views: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """The views that have a fold, with the columns `fold` and `cv_fold`."""
    return views.merge(
        folds[["view_id", "fold", "cv_fold"]],
        on="view_id",
        validate="1:1",
    )


def thin_classes(views: pd.DataFrame, folds: pd.Series) -> dict[str, list[str]]:
    """The classes of which a fold holds no part at all, by fold."""
    held = pd.crosstab(views["label"], folds).reindex(
        columns=list(FOLDS),
        fill_value=0,
    )
    missing = {fold: sorted(held.index[held[fold] == 0]) for fold in FOLDS}
    return {fold: classes for fold, classes in missing.items() if classes}


def leakage_price(
    features: Features,
    labels: Labels,
    groups: Labels,
    *,
    fit: Fit,
    n_splits: int,
    seed: int,
) -> dict[str, float]:
    """What a random split by view would have claimed, against the split by group.

    The same baseline classifier is cross-validated both ways; returns macro-F1 over views for both
    and their difference, and the share of test views that have a sibling in train when split at
    random.
    """
    splitter = StratifiedGroupKFold(
        n_splits,
        shuffle=True,
        random_state=seed,
    )
    by_group = splitter.split(features, labels, groups)
    honest = _cross_validated(
        features,
        labels,
        by_group,
        fit,
    )

    by_view = _by_view(
        features,
        labels,
        n_splits,
        seed,
    )
    claimed = _cross_validated(
        features,
        labels,
        by_view,
        fit,
    )
    siblings = [np.isin(groups[test], groups[train]).mean() for train, test in by_view]
    return {
        "random_macro_f1": claimed,
        "grouped_macro_f1": honest,
        "price": claimed - honest,
        "siblings_in_train_rate": float(np.mean(siblings)),
    }


def shortcut_audit(
    columns: pd.DataFrame,
    labels: Labels,
    groups: Labels,
    *,
    fit: Fit,
    n_splits: int,
    seed: int,
) -> Shortcuts:
    """How well a class can be told from the others by one column that knows nothing of the defect.

    `columns` holds circumstances (camera, size, brightness, ...). Accuracies are by the grouped
    split. Classes with fewer than `MIN_GROUPS_TO_TELL` groups are not asked for: some of them are
    told by chance.
    """
    splitter = StratifiedGroupKFold(
        n_splits,
        shuffle=True,
        random_state=seed,
    )
    folds = list(splitter.split(labels, labels, groups))
    asked = _with_enough_groups(labels, groups)

    accuracies = {}
    classes = {}
    for name in columns:
        features = pd.get_dummies(columns[[name]]).to_numpy(float)
        found = {
            label: _one_against_rest(features, labels == label, folds, fit)
            for label in asked
        }
        best = max(found, key=found.__getitem__, default=None)
        if best is None:
            continue
        accuracies[str(name)] = found[best]
        if found[best] > BY_CHANCE + MIN_SHORTCUT:
            classes[str(name)] = best
    return Shortcuts(accuracies, classes)


def _with_enough_groups(labels: Labels, groups: Labels) -> list[str]:
    """The classes with enough groups, in the order of their names."""
    n_groups = pd.Series(groups).groupby(labels).nunique()
    return [str(label) for label, n in n_groups.items() if n >= MIN_GROUPS_TO_TELL]


def _one_against_rest(
    features: Features, is_class: Labels, folds: Any, fit: Fit
) -> float:
    """Balanced accuracy with which a class is told from the others."""
    predicted = _predicted(features, is_class, folds, fit)
    return float(balanced_accuracy_score(is_class, predicted))


def _groups(views: pd.DataFrame) -> pd.DataFrame:
    """One row per group with its rarest label, so that mixed groups help the thin classes."""
    rarity = views["label"].value_counts()
    rated = views.assign(rarity=views["label"].map(rarity))
    ranked = rated.sort_values(["rarity", "label"])
    return ranked.groupby("group_id", sort=True)["label"].first().reset_index()


def _dealt(
    groups: pd.DataFrame, n_folds: int, generator: np.random.Generator
) -> dict[str, int]:
    """The number 0..`n_folds` - 1 of each group, dealt out at random, class by class."""
    number_of: dict[str, int] = {}
    for _, members in sorted(groups.groupby("label")["group_id"]):
        # dealt on from where the class before ended, so that small classes do not pile up
        first = len(number_of)
        for place, group in enumerate(generator.permutation(members.to_numpy())):
            number_of[group] = (first + place) % n_folds
    return number_of


def _share(
    labels: pd.Series,
    fraction: float,
    generator: np.random.Generator,
) -> list[int]:
    """The row labels of a stratified share, never all and, from two on, never none of a class."""
    chosen: list[int] = []
    for _, members in sorted(labels.groupby(labels).groups.items()):
        wanted = 0
        if len(members) >= MIN_GROUPS:
            share = round(len(members) * fraction)
            wanted = min(max(1, share), len(members) - 1)
        shuffled = generator.permutation(np.asarray(members))
        chosen += shuffled[:wanted].tolist()
    return chosen


def _by_view(
    features: Features,
    labels: Labels,
    n_splits: int,
    seed: int,
) -> list[tuple[Any, Any]]:
    """Splits by view; not stratified where a class has too few views for it."""
    n_views = np.unique(labels, return_counts=True)[1]
    kind = StratifiedKFold if n_views.min() >= n_splits else KFold
    splitter = kind(
        n_splits,
        shuffle=True,
        random_state=seed,
    )
    return list(splitter.split(features, labels))


def _cross_validated(
    features: Features,
    labels: Labels,
    folds: Any,
    fit: Fit,
) -> float:
    predicted = _predicted(
        features,
        labels,
        folds,
        fit,
    )
    return float(f1_score(labels, predicted, average="macro"))


def _predicted(
    features: Features,
    labels: Labels,
    folds: Any,
    fit: Fit,
) -> Labels:
    predicted = np.empty_like(labels)
    for train, test in folds:
        # a classifier cannot be fitted on one class: then that one is predicted
        if len(np.unique(labels[train])) < 2:
            predicted[test] = labels[train][0]
            continue
        model = fit(features[train], labels[train])
        predicted[test] = model.predict(features[test])
    return predicted
