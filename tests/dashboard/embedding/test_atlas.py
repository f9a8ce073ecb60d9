from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard.embedding.atlas import (
    GRID,
    Atlas,
    atlas_of,
    atlas_path,
    embedding_of,
    load_atlas,
    save_atlas,
)
from inspection.errors import InspectionError
from inspection.runtime.bundle import write_card
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import DetectorOutput
from tests.bundles import draw_jpeg, make_bundle


def output(values: list[float], heat: np.ndarray) -> DetectorOutput:
    return DetectorOutput(np.array(values, np.float32), heat.astype(np.float32))


def test_the_nearest_are_measured_in_spreads_and_without_the_part_itself() -> None:
    """The second number spreads a thousand times wider, and counts no more for it."""
    atlas = Atlas(
        ["a", "b", "c", "d"],
        np.array([[0, 0], [1, 0], [0, 1000], [3, 0]], np.float32),
        ["pass"] * 4,
    )
    assert atlas.nearest(np.array([0, 0]), 2, {"a"}) == ["b", "c"]
    assert atlas.nearest(np.array([3, 0]), 1, set()) == ["d"]


def test_a_number_that_never_differs_tells_nothing() -> None:
    atlas = Atlas(["a", "b"], np.array([[5, 0], [5, 1]], np.float32), ["pass", "pass"])
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


def test_every_view_is_embedded_with_the_verdict_on_its_part(tmp_path: Path) -> None:
    """Part 1 has a dent in its second view alone: both views carry the part's verdict."""
    make_bundle(tmp_path)
    (tmp_path / "data").mkdir()
    drawn = {"a.jpg": "normal", "b.jpg": "dent", "c.jpg": "normal"}
    for path, what in drawn.items():
        (tmp_path / "data" / path).write_bytes(draw_jpeg(what))
    views = pd.DataFrame(
        {"path": list(drawn), "image_sha256": ["a", "b", "c"], "part_id": ["1", "1", "2"]}
    )
    told: list[float] = []
    found = atlas_of(Inspector(tmp_path), views, tmp_path / "data", told.append)
    assert found.images == ["a", "b", "c"]
    assert found.verdicts == ["reject", "reject", "pass"]
    assert np.array_equal(found.embeddings[0], found.embeddings[2])
    assert not np.array_equal(found.embeddings[0], found.embeddings[1])
    assert told == [1 / 3, 2 / 3, 1]


def test_a_picture_that_is_gone_is_named(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    views = pd.DataFrame({"path": ["a.jpg"], "image_sha256": ["a"], "part_id": ["1"]})
    with pytest.raises(InspectionError, match="not found; fetch the data again"):
        atlas_of(Inspector(tmp_path), views, tmp_path / "data")


def test_another_picture_part_or_card_is_another_atlas(tmp_path: Path) -> None:
    card = make_bundle(tmp_path)
    views = pd.DataFrame({"image_sha256": ["a", "b"], "part_id": ["1", "1"]})
    first = atlas_path(Path("kept"), tmp_path, views)
    assert first == atlas_path(Path("kept"), tmp_path, views[::-1])
    others = [views.assign(part_id=["1", "2"]), views.assign(image_sha256=["a", "c"])]
    assert first not in [atlas_path(Path("kept"), tmp_path, other) for other in others]
    write_card(tmp_path, card.model_copy(update={"version": "other"}))
    assert first != atlas_path(Path("kept"), tmp_path, views)


def test_an_atlas_is_kept_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "kept/atlas.npz"
    assert load_atlas(path) is None
    save_atlas(path, Atlas(["a"], np.ones((1, 2), np.float32), ["reject"]))
    found = load_atlas(path)
    assert found is not None
    assert found.images == ["a"]
    assert found.embeddings.tolist() == [[1, 1]]
    assert found.verdicts == ["reject"]
