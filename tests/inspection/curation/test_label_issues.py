import numpy as np
import pandas as pd
import pytest

from inspection.boxes import LabelledBox, boxes_cell
from inspection.curation.label_issues import (
    box_features,
    fitted_sizes,
    label_quality,
    out_of_sample,
    pooled,
    probabilities,
    ranked,
    texture_features,
    windows,
)
from inspection.curation.label_rules import Conflict
from inspection.geometry import Box
from inspection.line import Line
from tests.pictures import part

LINE = Line.model_validate(
    {
        "name": "line",
        "normal": "normal",
        "classes": {"normal": {}, "dent": {}},
        "regions": {"knurling": {"size_px": [32, 32], "shows": ["dent"]}},
        "classify": "knurling",
        "detect_anomalies": "knurling",
    }
)

SIZES = fitted_sizes({"c": [(0, 0, 64, 48)]})


def boxed(category: str, *edges: float) -> str:
    return boxes_cell([LabelledBox(category, Box(*edges), "coco")])


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
    told = [
        Conflict("v0", "part_disagreement", "1 x dent", "", 0.0),
        Conflict("v1", "box_conflict", "boxed", "normal", 0.9),
        Conflict("v2", "box_conflict", "boxed as dent", "dent", 0.9),
    ]
    issues = ranked(table, likely, told, n_issues=0)
    assert list(issues["view_id"]) == ["v2", "v0"]
    assert issues.loc[0, "suggested"] == "dent"
    assert issues.loc[0, "score"] == pytest.approx(1 - 0.1 * 0.9)
    assert issues.loc[1, "reason"] == "part_disagreement: 1 x dent; looks like dent (0.90)"


def test_views_are_looked_at_where_the_camera_usually_has_the_region() -> None:
    boxes = [[10, 10, 20, 10], [12, 12, 20, 10], [14, 14, 20, 10], None]
    cells = [boxed("knurling", *box) if box else "[]" for box in boxes]
    table = pd.DataFrame({"camera": ["c", "c", "c", "c"], "boxes": cells})
    table = table.assign(width_px=100, height_px=50)
    assert windows(table, LINE) == {"c": [(10, 11, 34, 23)]}
    blank = table.assign(boxes="[]")
    assert windows(blank, LINE) == {"c": [(0, 0, 100, 50)]}


def test_cameras_of_unlike_frames_and_boxes_are_looked_at_in_as_many_windows_of_one_size() -> None:
    cells = [boxed("knurling", 10, 10, 40, 10), "[]"]
    table = pd.DataFrame({"camera": ["a", "b"], "boxes": cells})
    table = table.assign(width_px=[100, 300], height_px=[50, 300])
    found = windows(table, LINE)
    assert found["b"] == [(0, 0, 300, 300)]
    sizes = fitted_sizes(found)
    assert len(sizes) == 1
    frames = {"a": np.zeros((50, 100), np.uint8), "b": np.zeros((300, 300), np.uint8)}
    lengths = {len(texture_features(frames[name], found[name], sizes)) for name in frames}
    assert len(lengths) == 1


def test_features_of_frames_of_any_size_have_one_length() -> None:
    table, _ = drawn(1)
    small, large = part(1), np.kron(part(1), np.ones((3, 3), np.uint8))
    window = [(0, 0, 64, 48), (600, 600, 664, 648)]
    one, other = (texture_features(frame, window, 2 * SIZES) for frame in (small, large))
    assert one.shape == other.shape
    assert np.isfinite(texture_features(small * 0, window, 2 * SIZES)).all()
    assert box_features(table, LINE).shape == (2, 3)
