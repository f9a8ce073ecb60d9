import numpy as np
import pandas as pd
import pytest

from inspection.curation.baselines import fit_svm, fit_tree
from inspection.curation.folds import (
    FOLDS,
    NEVER_HELD_OUT,
    UNSEEN,
    VAL_FOLD,
    OuterFold,
    assign_folds,
    cross_validation_folds,
    leakage_price,
    shortcut_audit,
    thin_classes,
)


def views_of(n_groups: dict[str, int], *, n_views: int = 3) -> pd.DataFrame:
    rows = [
        {"group_id": f"{label}-{group}", "label": label}
        for label, n in n_groups.items()
        for group in range(n)
        for _ in range(n_views)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0, ignore_index=True)


def assigned(views: pd.DataFrame, *, seed: int = 0) -> pd.Series:
    return assign_folds(views, val_fraction=0.2, test_fraction=0.25, seed=seed)


def n_groups(views: pd.DataFrame, folds: pd.Series, label: str) -> list[int]:
    """How many groups of a class are in train, val and test."""
    of_class = views["label"] == label
    return [views["group_id"][of_class & (folds == fold)].nunique() for fold in FOLDS]


@pytest.mark.parametrize("seed", range(5))
def test_no_group_crosses_folds(seed: int) -> None:
    views = views_of({"normal": 31, "dent": 7, "slide": 2})
    folds = assigned(views, seed=seed)
    assert folds.notna().all()
    assert (folds.groupby(views["group_id"]).nunique() == 1).all()


def test_every_class_has_its_fraction_in_every_fold() -> None:
    views = views_of({"normal": 40, "dent": 20})
    folds = assigned(views)
    assert n_groups(views, folds, "normal") == [22, 8, 10]
    assert n_groups(views, folds, "dent") == [11, 4, 5]


@pytest.mark.parametrize(
    ("n", "expected"), [(1, [1, 0, 0]), (2, [1, 0, 1]), (3, [1, 1, 1]), (4, [2, 1, 1])]
)
def test_a_thin_class_is_trained_on_first_then_tested_then_validated(
    n: int, expected: list[int]
) -> None:
    views = views_of({"normal": 20, "dent": n})
    assert n_groups(views, assigned(views), "dent") == expected


@pytest.mark.parametrize(("n", "expected"), [(1, [1, 0, 0]), (3, [1, 1, 1])])
def test_large_fractions_leave_every_class_something_to_train_on(
    n: int, expected: list[int]
) -> None:
    views = views_of({"normal": 20, "dent": n})
    folds = assign_folds(views, val_fraction=0.45, test_fraction=0.45, seed=0)
    assert n_groups(views, folds, "dent") == expected


@pytest.mark.parametrize("rare", ["dent", "slide"])
def test_a_group_of_two_labels_counts_for_the_rarer_one(rare: str) -> None:
    views = views_of({"normal": 20, rare: 1})
    mixed = pd.DataFrame([{"group_id": "normal-0", "label": rare}])
    views = pd.concat([views, mixed], ignore_index=True)
    for seed in range(4):
        assert n_groups(views, assigned(views, seed=seed), rare) == [1, 0, 1]


def test_the_same_seed_gives_the_same_folds_and_another_one_others() -> None:
    views = views_of({"normal": 30, "dent": 10})
    assert assigned(views, seed=1).equals(assigned(views, seed=1))
    assert not assigned(views, seed=1).equals(assigned(views, seed=2))


def test_folds_do_not_depend_on_the_order_of_the_views() -> None:
    views = views_of({"normal": 30, "dent": 10})
    turned = views[::-1]
    assert assigned(turned).sort_index().equals(assigned(views))


def test_classes_that_a_fold_lacks_are_named() -> None:
    views = views_of({"normal": 20, "dent": 2, "slide": 1})
    assert thin_classes(views, assigned(views)) == {"val": ["dent", "slide"], "test": ["slide"]}


def siblings(*, class_shows: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of four views each of 30 parts: alike within a part, by class only as asked."""
    generator = np.random.default_rng(0)
    groups = np.repeat([f"part {number}" for number in range(30)], 4)
    labels = np.repeat(np.where(np.arange(30) % 2, "dent", "normal"), 4)
    own = np.repeat(generator.normal(0, 1, (30, 40)), 4, axis=0)
    features = own + generator.normal(0, 0.05, own.shape)
    features[:, 0] += class_shows * (labels == "dent")
    return features, labels, groups


def test_a_random_split_of_sibling_views_claims_what_is_not_there() -> None:
    features, labels, groups = siblings(class_shows=0)
    found = leakage_price(features, labels, groups, fit=fit_svm, n_splits=5, seed=0)
    assert found["siblings_in_train_rate"] > 0.95
    assert found["random_macro_f1"] > 0.8
    assert found["grouped_macro_f1"] < 0.7
    assert found["price"] == found["random_macro_f1"] - found["grouped_macro_f1"]


def test_nothing_is_claimed_where_every_part_has_one_view() -> None:
    features, labels, _ = siblings(class_shows=30)
    alone = np.arange(len(labels)).astype(str)
    found = leakage_price(features, labels, alone, fit=fit_svm, n_splits=5, seed=0)
    assert found["siblings_in_train_rate"] == 0
    assert found["price"] == pytest.approx(0, abs=0.05)


@pytest.mark.filterwarnings("ignore:The least populated class in y:UserWarning")
def test_a_class_of_fewer_views_than_splits_can_be_priced() -> None:
    features, labels, groups = siblings(class_shows=30)
    labels = labels.astype(object)
    labels[:4] = "slide"
    found = leakage_price(features, labels, groups, fit=fit_svm, n_splits=5, seed=0)
    assert 0 <= found["grouped_macro_f1"] <= 1


def test_a_camera_that_gives_the_class_away_is_found() -> None:
    labels = np.repeat(["dent", "normal"], 60).astype(object)
    groups = np.arange(120) // 2
    generator = np.random.default_rng(0)
    columns = pd.DataFrame(
        {
            "camera": np.where(labels == "dent", "left", "right"),
            "brightness": generator.normal(0, 1, len(labels)),
        }
    )
    found = shortcut_audit(columns, labels, groups, fit=fit_tree, n_splits=5, seed=0)
    assert found.accuracies["camera"] == 1.0
    assert found.accuracies["brightness"] < 0.75
    assert "camera" in found.classes


class Reader:
    """Takes what the left camera sees for the class."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        return features[:, 0] == 1


@pytest.mark.parametrize(("n_wrong", "is_shortcut"), [(39, True), (41, False)])
def test_what_tells_a_class_a_tenth_better_than_chance_is_a_shortcut(
    n_wrong: int, is_shortcut: bool
) -> None:
    # both classes have 100 views, of which the column misses so many
    labels = np.repeat(["dent", "normal"], 100).astype(object)
    cameras = np.where(labels == "dent", "left", "right")
    cameras[:n_wrong] = "right"
    cameras[100 : 100 + n_wrong] = "left"

    found = shortcut_audit(
        pd.DataFrame({"camera": cameras}),
        labels,
        np.arange(200),
        fit=lambda features, labels: Reader(),
        n_splits=2,
        seed=0,
    )
    assert ("camera" in found.classes) == is_shortcut
    if is_shortcut:
        assert found.accuracies["camera"] == pytest.approx(1 - n_wrong / 100)


def test_the_class_that_a_shortcut_tells_is_named() -> None:
    labels = np.repeat(["dent", "normal", "slide"], 40).astype(object)
    # the left camera sees every slide, and a quarter of the others
    is_left = (labels == "slide") | (np.arange(120) % 4 == 0)
    columns = pd.DataFrame({"camera": np.where(is_left, "left", "right")})
    found = shortcut_audit(columns, labels, np.arange(120), fit=fit_tree, n_splits=4, seed=0)
    assert found.classes == {"camera": "slide"}
    assert found.accuracies["camera"] == pytest.approx(0.875)


@pytest.mark.parametrize(("n_groups", "is_asked"), [(24, False), (25, True)])
def test_a_class_of_few_groups_is_not_asked_for(n_groups: int, is_asked: bool) -> None:
    labels = np.repeat(["dent", "normal"], [n_groups, 24]).astype(object)
    columns = pd.DataFrame({"camera": np.where(labels == "dent", "left", "right")})
    groups = np.arange(len(labels))
    found = shortcut_audit(columns, labels, groups, fit=fit_tree, n_splits=3, seed=0)
    assert found.classes == ({"camera": "dent"} if is_asked else {})


def many_groups() -> pd.DataFrame:
    """Sixty normal groups, twelve dented ones and two slid ones; two views each."""
    labels = ["normal"] * 60 + ["dent"] * 12 + ["slide"] * 2
    return pd.DataFrame(
        [
            {"view_id": f"{number}-{view}", "group_id": f"g{number}", "label": label}
            for number, label in enumerate(labels)
            for view in range(2)
        ]
    )


def test_every_view_outside_of_test_is_held_out_once_and_val_in_a_fold_of_its_own() -> None:
    views = many_groups()
    folds = assign_folds(views, val_fraction=0.2, test_fraction=0.2, seed=0)
    numbers = cross_validation_folds(views, folds, n_folds=5, seed=0)
    # as they stand in the folds' table, which other software may read
    assert (NEVER_HELD_OUT, VAL_FOLD) == (-1, 0)
    assert set(numbers[folds == "test"]) == {-1}
    assert set(numbers[folds == "val"]) == {0}
    assert set(numbers[folds == "train"]) == {1, 2, 3, 4}
    assert numbers.groupby(views["group_id"]).nunique().max() == 1


def test_folds_of_train_are_alike_in_size_and_classes_and_drawn_by_the_seed() -> None:
    views = many_groups()
    folds = assign_folds(views, val_fraction=0.2, test_fraction=0.2, seed=0)
    numbers = cross_validation_folds(views, folds, n_folds=5, seed=0)
    in_train = folds == "train"
    sizes = pd.crosstab(numbers[in_train], views["label"][in_train])
    assert (sizes.max() - sizes.min() <= 2).all()
    assert sizes.sum(axis=1).max() - sizes.sum(axis=1).min() <= 2
    again = cross_validation_folds(views, folds, n_folds=5, seed=0)
    other = cross_validation_folds(views, folds, n_folds=5, seed=1)
    assert numbers.equals(again)
    assert not numbers.equals(other)


def test_over_all_outer_folds_every_group_is_tested_once_and_classes_lie_evenly() -> None:
    views = views_of({"normal": 23, "dent": 7, "slide": 2})
    folds = [
        assign_folds(views, val_fraction=0.15, test_fraction=0.25, seed=0, outer_fold=one)
        for one in (OuterFold(number, 5) for number in range(5))
    ]
    n_tested = sum((fold == "test").astype(int) for fold in folds)
    assert (n_tested == 1).all()
    for fold in folds:
        assert (fold.groupby(views["group_id"]).nunique() == 1).all()
        assert n_groups(views, fold, "normal")[2] in (4, 5)
        assert n_groups(views, fold, "dent")[2] in (1, 2)
        assert set(views["label"][fold == "train"]) == {"normal", "dent", "slide"}


def test_a_class_that_is_kept_unseen_is_in_no_other_fold_and_never_held_out() -> None:
    views = views_of({"normal": 20, "dent": 8, "slide": 8})
    of_two_labels = views["group_id"] == "normal-0"
    views.loc[views.index[of_two_labels][0], "label"] = "slide"
    folds = assign_folds(views, val_fraction=0.2, test_fraction=0.25, seed=0, unseen="slide")

    is_unseen = views["group_id"].str.startswith("slide") | of_two_labels
    assert (folds == UNSEEN).equals(is_unseen)
    assert n_groups(views, folds, "dent") == [4, 2, 2]
    numbers = cross_validation_folds(views, folds, n_folds=5, seed=0)
    assert (numbers[is_unseen] == NEVER_HELD_OUT).all()
