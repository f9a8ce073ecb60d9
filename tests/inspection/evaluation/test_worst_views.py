from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from inspection.errors import InspectionError
from inspection.evaluation.metrics import outcomes
from inspection.evaluation.worst_views import (
    Picture,
    errors,
    load_pictures,
    normals,
    pictures,
    save_pictures,
)
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View
from tests.bundles import draw_jpeg, make_bundle

TABLE = pd.DataFrame(
    [
        ("caught", "dent", "reject", "dent", 0.95),
        ("escape", "dent", "pass", "normal", 0.2),
        ("worse escape", "slide", "pass", "normal", 0.01),
        ("overkill", "normal", "reject", "dent", 0.92),
        ("worse overkill", "normal", "reject", "dent", 0.99),
        ("misnamed", "slide", "review", "dent", 0.5),
        ("doubted", "normal", "review", "dent", 0.5),
        ("a good one", "normal", "pass", "normal", 0.1),
    ],
    columns=["part_id", "label", "verdict", "named", "fused"],
)


def test_the_worst_kind_and_the_worst_part_of_a_kind_come_first() -> None:
    found = errors(TABLE, "normal")
    assert list(zip(found["part_id"], found["kind"], strict=True)) == [
        ("worse escape", "escape"),
        ("escape", "escape"),
        ("worse overkill", "overkill"),
        ("overkill", "overkill"),
        ("misnamed", "wrong name"),
    ]


def test_normals_stand_in_the_order_of_their_ids_whatever_the_verdict() -> None:
    assert list(normals(TABLE, "normal")["part_id"]) == [
        "a good one", "doubted", "overkill", "worse overkill"
    ]  # fmt: skip


def test_pictures_show_the_worst_view_of_a_part_by_detector(tmp_path: Path) -> None:
    card = make_bundle(tmp_path)
    inspector = Inspector(tmp_path)
    drawn = {"x": ("normal", "dent"), "caught": ("slide", "normal")}
    parts = {
        name: [inspector.measure(View(f"{name}{n}", draw_jpeg(kind))) for n, kind in enumerate(of)]
        for name, of in drawn.items()
    }
    table = outcomes(parts, {"x": "normal", "caught": "slide"}, card)
    found = pictures(table, parts, card)
    assert list(found) == ["x"]
    assert set(found["x"]) == {"classifier", "anomaly"}
    np.testing.assert_array_equal(found["x"]["classifier"].crop, parts["x"][1].crops["rod"])
    assert found["x"]["classifier"].heat.max() > 0.9
    assert found["x"]["anomaly"].heat.max() == 0


def test_of_each_kind_no_more_than_a_hundred_are_kept(tmp_path: Path) -> None:
    card = make_bundle(tmp_path)
    view = Inspector(tmp_path).measure(View("a", draw_jpeg()))
    parts = {f"{n:04}": [view] for n in range(105)}
    table = outcomes(parts, dict.fromkeys(parts, "dent"), card)
    assert list(pictures(table, parts, card)) == list(parts)[:100]


def test_pictures_are_read_as_they_were_written_and_the_same_ones_are_the_same_bytes(
    tmp_path: Path,
) -> None:
    generator = np.random.default_rng(0)
    crop = generator.integers(0, 255, (8, 16, 1)).astype(np.uint8)
    heat = generator.random((2, 4)).astype(np.float32)
    found = {"7/b, NA": {"classifier": Picture(crop, heat)}, "밀림": {}}
    for name in ("a.npz", "b.npz"):
        save_pictures(tmp_path / name, found)
    read = load_pictures(tmp_path / "a.npz")
    assert list(read) == list(found)
    np.testing.assert_array_equal(read["7/b, NA"]["classifier"].crop, crop)
    np.testing.assert_array_equal(read["7/b, NA"]["classifier"].heat, heat)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("content", [b"", b"no archive"], ids=["empty", "text"])
def test_a_file_without_pictures_is_refused_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.npz").write_bytes(content)
    with pytest.raises(InspectionError, match=r"p\.npz: holds no pictures .*dvc repro assemble"):
        load_pictures(tmp_path / "p.npz")
