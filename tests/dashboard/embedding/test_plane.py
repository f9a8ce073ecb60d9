import numpy as np
import pandas as pd
import pytest

from dashboard.embedding.atlas import Atlas
from dashboard.embedding.plane import QUARTERS, Area, agreement, plane, points_of, quarters
from inspection.errors import InspectionError


def points(parts: list[str], values: list[str]) -> pd.DataFrame:
    table = pd.DataFrame({"part_id": parts, "label": values})
    return table.assign(number=range(len(table)))


def test_what_differs_most_lies_along_the_first_axis() -> None:
    """Three numbers in step and one on its own: of the four variances the axes show 3 and 1."""
    rng = np.random.default_rng(1)
    step, alone = np.repeat([-1.0, 1.0], 50), np.tile([-5.0, 5.0], 50)
    embeddings = np.stack([step, 9 * step, -step, alone], axis=1)[rng.permutation(100)]
    found = plane(embeddings)
    assert found.shares == pytest.approx((0.75, 0.25), abs=1e-6)
    assert np.abs(found.places[:, 0]) == pytest.approx(np.sqrt(3), abs=1e-5)
    assert np.abs(np.corrcoef(found.places[:, 0], embeddings[:, 0])[0, 1]) == pytest.approx(1)
    assert np.abs(np.corrcoef(found.places[:, 1], embeddings[:, 3])[0, 1]) == pytest.approx(1)


def test_a_plane_takes_three_views() -> None:
    with pytest.raises(InspectionError, match="2 views show the classified region; it takes 3"):
        plane(np.zeros((2, 4), np.float32))


def test_a_point_has_the_verdict_and_the_fold_of_its_view_or_is_held() -> None:
    manifest = pd.DataFrame(
        {
            "view_id": ["v1", "v2", "v3"],
            "image_sha256": ["a", "b", "c"],
            "part_id": ["2", "1", "1"],
            "path": ["x", "y", "z"],
            "camera": ["left", "", "left"],
        }
    )
    folds = pd.DataFrame({"view_id": ["v1"], "fold": ["val"]})
    atlas = Atlas(["b", "a"], np.zeros((2, 1), np.float32), ["reject", "pass"])
    found = points_of(atlas, np.array([[1, 2], [3, 4]], np.float32), manifest, folds)
    columns = ["view_id", "number", "x", "y", "verdict", "fold", "camera", "time"]
    assert found[columns].to_numpy().tolist() == [
        ["v2", 0, 1, 2, "reject", "held", "not named", "first quarter"],
        ["v1", 1, 3, 4, "pass", "val", "left", "third quarter"],
    ]


def test_the_time_of_a_part_is_the_quarter_that_its_number_lies_in() -> None:
    """Eight parts, two in each quarter, of which the tenth and eleventh come after the ninth."""
    part_ids = ["11", "2", "3", "10", "4", "9", "1", "5", "1"]
    order = dict(zip(part_ids, quarters(part_ids), strict=True))
    assert [order[part_id] for part_id in ("1", "2", "3", "4", "5", "9", "10", "11")] == [
        one for one in QUARTERS for _ in range(2)
    ]
    assert quarters([]) == []


def test_neighbours_are_counted_among_other_parts_only() -> None:
    """Of parts 1 and 2 two views lie at one place each; part 3 lies beside part 2.

    The views of part 1 (a) have a neighbour of part 2 (b), those of part 2 one of part 3 (b), and
    part 3 (b) one of part 2 (b): three of five agree. By chance: (2/5)^2 + (3/5)^2.
    """
    embeddings = np.array([[0], [0], [5], [5], [6]], np.float32)
    table = points(["1", "1", "2", "2", "3"], ["a", "a", "b", "b", "b"])
    assert agreement(embeddings, table, "label") == pytest.approx((3 / 5, 13 / 25))


def test_a_share_of_the_views_is_compared_by_its_own_embeddings() -> None:
    """The first view is left out: the row of an embedding is the point's number, not its place."""
    embeddings = np.array([[0], [1], [9], [10]], np.float32)
    table = points(["1", "2", "3", "4"], ["a", "b", "a", "a"])[1:]
    assert agreement(embeddings, table, "label") == pytest.approx((2 / 3, 5 / 9))


def test_one_part_alone_agrees_with_nobody() -> None:
    assert agreement(np.zeros((2, 1)), points(["1", "1"], ["a", "a"]), "label") is None


def test_an_area_is_named_in_the_address_and_read_from_it() -> None:
    area = Area.of([1.239, -2.0], [0.5, 3.001])
    assert str(area) == "-2.00,1.24,0.50,3.01"
    assert Area.parse(str(area)) == area
    assert [Area.parse(text) for text in ("", "1,2,3", "a,b,c,d")] == [None] * 3


def test_an_area_holds_its_borders() -> None:
    table = pd.DataFrame({"x": [0.0, 1.0, 1.1, 0.5], "y": [0.0, 1.0, 0.5, -0.1]})
    assert Area(0, 1, 0, 1).holds(table).tolist() == [True, True, False, False]
