from pathlib import Path

import numpy as np

from dashboard.review.alike import GRID, Atlas, embedding_of, load_atlas, save_atlas
from inspection.runtime.views import DetectorOutput
from tests.bundles import make_bundle


def output(values: list[float], heat: np.ndarray) -> DetectorOutput:
    return DetectorOutput(np.array(values, np.float32), heat.astype(np.float32))


def test_the_nearest_are_measured_in_spreads_and_without_the_part_itself() -> None:
    """The second number spreads a thousand times wider, and counts no more for it."""
    atlas = Atlas(
        ["a", "b", "c", "d"],
        np.array([[0, 0], [1, 0], [0, 1000], [3, 0]], np.float32),
    )
    assert atlas.nearest(np.array([0, 0]), 2, {"a"}) == ["b", "c"]
    assert atlas.nearest(np.array([3, 0]), 1, set()) == ["d"]


def test_a_number_that_never_differs_tells_nothing() -> None:
    atlas = Atlas(["a", "b"], np.array([[5, 0], [5, 1]], np.float32))
    assert atlas.nearest(np.array([9, 1]), 1, set()) == ["b"]


def test_an_embedding_tells_where_the_heat_is(tmp_path: Path) -> None:
    card = make_bundle(tmp_path)
    left, right = np.zeros((2, 8, 16)), np.zeros((2, 8, 16))
    left[:, :, :4], right[:, :, 12:] = 1, 1
    found = [embedding_of({"classifier": output([1, 2, 3], heat)}, card) for heat in (left, right)]
    assert all(one is not None and len(one) == 3 + 2 * GRID[0] * GRID[1] + 1 for one in found)
    assert found[0] is not None
    assert not np.array_equal(found[0], found[1])
    assert embedding_of({}, card) is None


def test_an_atlas_is_kept_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "kept/atlas.npz"
    assert load_atlas(path) is None
    save_atlas(path, Atlas(["a"], np.ones((1, 2), np.float32)))
    found = load_atlas(path)
    assert found is not None
    assert found.images == ["a"]
    assert found.embeddings.tolist() == [[1, 1]]
