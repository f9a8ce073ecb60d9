import numpy as np
import pandas as pd
import pytest

from inspection.curation import label_issues
from inspection.curation.label_issues import (
    box_features,
    is_suspect,
    label_quality,
    out_of_sample,
    pooled,
    probabilities,
    ranked,
)
from inspection.curation.label_rules import Conflict
from inspection.curation.textures import fitted_sizes, texture_features
from tests.lines import DENTED_LINE as LINE
from tests.pictures import part

SIZES = fitted_sizes({"c": [(0, 0, 64, 48)]})


def drawn(n_parts: int = 24) -> tuple[pd.DataFrame, np.ndarray]:
    """Two views of each part, every third part a dent; boxes on none."""
    rows, features = [], []
    for i in range(2 * n_parts):
        number = i // 2
        label = "dent" if number % 3 == 0 else "normal"
        rows.append((f"v{i}", f"{i}.png", f"p{number:02d}", label))
        features.append(texture_features(part(i, defect=label == "dent"), [(0, 0, 64, 48)], SIZES))
    table = pd.DataFrame(rows, columns=["view_id", "path", "part_id", "label"])
    more = {"group_id": table["part_id"], "boxes": "[]", "label_source": "file", "camera": ""}
    return table.assign(**more), np.stack(features)


def test_a_spoiled_label_is_the_first_suspect_with_its_true_class_suggested() -> None:
    table, features = drawn()
    wrong = [14, 15]
    table.loc[wrong, "label"] = "dent"
    likely = probabilities(table, features, line=LINE, seed=0)
    issues = ranked(table, likely, [], n_issues=5)
    assert set(issues.loc[:1, "view_id"]) == {"v14", "v15"}
    assert list(issues.loc[:1, "suggested"]) == ["normal", "normal"]
    assert issues.loc[0, "score"] > 0.5
    assert list(issues["rank"]) == list(range(1, len(issues) + 1))


def test_siblings_do_not_vouch_for_each_other() -> None:
    groups = ["a", "a", "b", "b", "c", "c", "d", "d"]
    labels = ["x", "x", "y", "y", "x", "x", "y", "y"]
    one_hot = np.eye(4)[[0, 0, 1, 1, 2, 2, 3, 3]]
    blind = out_of_sample(one_hot, labels, groups, kind="logistic", seed=0)
    by_group = blind.groupby(groups).mean()["x"]
    assert by_group["a"] == pytest.approx(by_group["b"], abs=0.05)


def test_with_one_group_of_a_class_the_shares_are_all_that_is_known() -> None:
    likely = out_of_sample(np.zeros((4, 2)), list("xxxy"), list("abcd"), kind="logistic", seed=0)
    assert likely.loc[0].tolist() == [0.75, 0.25]


def test_views_of_a_part_pool_their_evidence_and_vote_where_they_disagree() -> None:
    weighed = pd.DataFrame({"dent": [0.7, 0.7, 0.4, 0.5, 0.5], "normal": [0.3, 0.3, 0.6, 0.5, 0.5]})
    labels = ["dent", "dent", "normal", "normal", "dent"]
    likely = pooled(weighed, labels, ["a", "a", "b", "c", "c"])
    assert likely.loc[0, "dent"] > 0.7
    assert likely.loc[0].tolist() == likely.loc[1].tolist()
    assert likely.loc[2, "dent"] == pytest.approx(0.4)
    assert likely.loc[3, "dent"] == pytest.approx(0.5)
    outvoted = pooled(
        pd.DataFrame({"dent": [0.5] * 3, "normal": [0.5] * 3}),
        ["dent", "normal", "normal"],
        ["a"] * 3,
    )
    assert outvoted.loc[0, "dent"] == pytest.approx(0.2)


def test_the_quality_of_a_label_is_the_probability_it_is_given() -> None:
    likely = pd.DataFrame({"dent": [0.9, 0.2], "normal": [0.1, 0.8]})
    assert label_quality(likely, ["normal", "normal"]).tolist() == pytest.approx([0.1, 0.8])


def test_conflicts_are_listed_with_their_reason_and_reviewed_views_are_not() -> None:
    table, _ = drawn(2)
    likely = pd.DataFrame({"dent": [0.9, 0.9, 0.1, 0.1], "normal": [0.1, 0.1, 0.9, 0.9]})
    table.loc[1, "label_source"] = "review"
    reported = [
        Conflict("v0", "part_disagreement", "1 x dent", "", 0.0),
        Conflict("v1", "box_conflict", "boxed", "normal", 0.9),
        Conflict("v2", "box_conflict", "boxed as dent", "dent", 0.9),
    ]
    issues = ranked(table, likely, reported, n_issues=0)
    assert list(issues["view_id"]) == ["v2", "v0"]
    assert issues.loc[0, "suggested"] == "dent"
    assert issues.loc[0, "score"] == pytest.approx(1 - 0.1 * 0.9)
    assert issues.loc[1, "reason"] == "part_disagreement: 1 x dent; looks like dent (0.90)"


NEAR = "near_duplicate_conflict"


def near_duplicates() -> tuple[pd.DataFrame, pd.DataFrame, list[Conflict]]:
    """Views with their probabilities: two look wrong, one is in conflict, all have near-duplicates
    of another label but the last."""
    table = pd.DataFrame({"view_id": list("abcdef"), "path": "", "part_id": "", "label": "dent"})
    dent = [0.2, 0.9, 0.6, 0.3, 0.95, 0.97]
    likely = pd.DataFrame({"dent": dent, "normal": [1 - one for one in dent]})
    reported = [Conflict(one, NEAR, "2 x dent, 1 x normal", "", 0.0) for one in "abcde"]
    reported.append(Conflict("e", "box_conflict", "boxed as normal", "normal", 0.9))
    return table.assign(label_source="file"), likely, reported


def test_a_near_duplicate_of_another_label_alone_makes_no_suspect_and_comes_last() -> None:
    table, likely, reported = near_duplicates()
    issues = ranked(table, likely, reported, n_issues=1)
    assert list(issues["view_id"]) == ["e", "a", "d", "c", "b"]
    assert list(issues["rank"]) == [1, 2, 3, 4, 5]
    assert list(map(is_suspect, issues["reason"])) == [True, True, False, False, False]
    assert list(issues["reason"][:3]) == [
        "box_conflict: boxed as normal; looks like dent (0.95); " + f"{NEAR}: 2 x dent, 1 x normal",
        f"looks like normal (0.80); {NEAR}: 2 x dent, 1 x normal",
        "only_near_duplicates: 2 x dent, 1 x normal; looks like normal (0.70)",
    ]


def test_what_a_near_duplicate_holds_is_a_suspect_like_any_in_conflict() -> None:
    table, likely, reported = near_duplicates()
    issues = ranked(table, likely, reported, held_by=[NEAR], n_issues=0)
    assert list(issues["view_id"]) == ["e", "a", "d", "c", "b"]
    assert all(map(is_suspect, issues["reason"]))
    assert issues.loc[1, "reason"] == f"{NEAR}: 2 x dent, 1 x normal; looks like normal (0.80)"


def test_no_view_is_surer_than_one_in_ten_thousand() -> None:
    weighed = pd.DataFrame([[1.0, 0.0]], columns=["a", "b"])
    found = pooled(weighed, ["a"], ["p"])
    assert found.loc[0, "b"] == pytest.approx(1e-4 / (1 + 1e-4), rel=1e-6)


def test_labels_of_a_part_that_disagree_vote_by_the_square_of_their_share() -> None:
    weighed = pd.DataFrame([[1 / 3] * 3] * 4, columns=["a", "b", "c"])
    found = pooled(weighed, ["a", "a", "a", "b"], ["p"] * 4)
    votes = np.array([0.75, 0.25, 0.02]) ** 2
    np.testing.assert_allclose(found.iloc[0], votes / votes.sum())


@pytest.mark.parametrize(("n_hits", "is_recognised"), [(9, False), (10, True), (11, True)])
def test_a_class_is_recognised_when_half_of_it_looks_like_it(
    n_hits: int, is_recognised: bool
) -> None:
    looks = [[0.9, 0.1]] * n_hits + [[0.1, 0.9]] * (20 - n_hits)
    likely = pd.DataFrame(looks, columns=["dent", "normal"])
    assert ("dent" in label_issues._recognised(likely, ["dent"] * 20)) == is_recognised


@pytest.mark.parametrize(("probability", "is_doubted"), [(0.55, False), (0.45, True)])
def test_a_label_is_doubted_when_another_class_is_likelier(
    probability: float, is_doubted: bool
) -> None:
    sure = [[0.9, 0.1]] * 5
    likely = pd.DataFrame([[probability, 1 - probability], *sure], columns=["dent", "normal"])
    columns = {"path": "", "part_id": "", "label": "dent", "label_source": "file"}
    table = pd.DataFrame({"view_id": list("abcdef"), **columns})
    # another class is suggested in any case, as by a rule that is not sure at all
    likely.loc[0, "normal"] = 0.6
    issues = ranked(table, likely, [], n_issues=9)
    assert list(issues["view_id"]) == ["a"] * is_doubted


def test_a_listed_score_has_four_digits() -> None:
    likely = pd.DataFrame([[1 / 3, 2 / 3]] + [[0.9, 0.1]] * 2, columns=["dent", "normal"])
    columns = {"path": "", "part_id": "", "label": "dent", "label_source": "file"}
    table = pd.DataFrame({"view_id": list("abc"), **columns})
    assert list(ranked(table, likely, [], n_issues=9)["score"]) == [0.6667]


def test_evidence_is_weighed_by_a_logistic_regression_of_a_strong_penalty() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    features = np.random.default_rng(0).normal(size=(60, 4))
    labels = np.where(features[:, 0] + features[:, 1] > 0, "a", "b")
    scaled = StandardScaler().fit_transform(features)
    expected = LogisticRegression(C=0.05).fit(scaled, labels).predict_proba(scaled)
    model = label_issues._classifier("logistic").fit(features, labels)
    np.testing.assert_allclose(model.predict_proba(features), expected, atol=1e-6)


@pytest.mark.parametrize("n_groups", [5, 6])
def test_models_are_fitted_on_four_fifths_of_the_groups(n_groups: int) -> None:
    """A feature that is a group's own is constant in train for all but the group's fold."""
    owners = np.repeat(np.arange(2 * n_groups), 2)
    labels = ["a" if owner % 2 else "b" for owner in owners]
    noise = np.random.default_rng(0).normal(size=(len(owners), 3))
    found = out_of_sample(noise, labels, [str(o) for o in owners], kind="logistic", seed=0)
    expected = by_folds(noise, np.array(labels), owners, n_folds=5)
    np.testing.assert_allclose(found["a"], expected, atol=1e-6)


def by_folds(
    features: np.ndarray, labels: np.ndarray, owners: np.ndarray, *, n_folds: int
) -> np.ndarray:
    """Probability of `a` by models of `n_folds` folds, fitted with scikit-learn alone."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.preprocessing import StandardScaler

    result = np.zeros(len(labels))
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=0)
    for train, test in splitter.split(features, labels, owners.astype(str)):
        scaler = StandardScaler().fit(features[train])
        model = LogisticRegression(C=0.05).fit(scaler.transform(features[train]), labels[train])
        result[test] = model.predict_proba(scaler.transform(features[test]))[:, 0]
    return result


def test_features_of_frames_of_any_size_have_one_length() -> None:
    table, _ = drawn(1)
    small, large = part(1), np.kron(part(1), np.ones((3, 3), np.uint8))
    window = [(0, 0, 64, 48), (600, 600, 664, 648)]
    one, other = (texture_features(frame, window, 2 * SIZES) for frame in (small, large))
    assert one.shape == other.shape
    assert np.isfinite(texture_features(small * 0, window, 2 * SIZES)).all()
    assert box_features(table, LINE).shape == (2, 3)
