import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import inspection.curation.folds
from inspection.errors import InspectionError
from stages import split
from tests.lines import run_stage
from tests.pictures import part, put

SPLIT = {"val_fraction": 0.2, "test_fraction": 0.25, "audit_folds": 2}
N_PARTS = {"normal": 12, "bright": 8, "dark": 5}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two views of each part, numbered over all classes."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(sum(N_PARTS.values())):
        for view in range(2):
            frame = part(10 * number + view, defect=number >= N_PARTS["normal"])
            put(folder / f"{number}-{view}.png", frame)
    return folder


def manifest(n_parts: dict[str, int] | None = None) -> pd.DataFrame:
    labels = [label for label, n in (n_parts or N_PARTS).items() for _ in range(n)]
    rows = [
        {
            "view_id": f"{number}-{view}",
            "path": f"{number}-{view}.png",
            "camera": f"C{view}",
            "part_id": str(number),
            "group_id": str(number),
            "label": label,
            "width_px": 64,
            "height_px": 48,
            "held": False,
        }
        for number, label in enumerate(labels)
        for view in range(2)
    ]
    return pd.DataFrame(rows)


def run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: Path,
    table: pd.DataFrame,
    **changes: Any,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run the stage; returns the folds and the metrics."""
    table.to_parquet(folder / "manifest.parquet")
    run_stage(
        split,
        folder,
        monkeypatch,
        params={"split": SPLIT | changes},
        data=str(data),
        manifest="manifest.parquet",
        out="folds.parquet",
        shortcuts="shortcuts.parquet",
        metrics="split.json",
    )
    metrics = json.loads((folder / "split.json").read_text())
    return pd.read_parquet(folder / "folds.parquet"), metrics


def test_every_view_that_is_not_held_is_in_one_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    table = manifest()
    table["held"] = table["part_id"].isin(["0", "13"])
    folds, metrics = run(tmp_path, monkeypatch, data, table)
    assert set(folds["view_id"]) == set(table["view_id"][~table["held"]])
    assert (folds.groupby("part_id")["fold"].nunique() == 1).all()
    assert metrics["n_held"] == 4


def test_the_metrics_count_parts_not_views(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    _, metrics = run(tmp_path, monkeypatch, data, manifest())
    assert metrics["n_parts"] == {"train": 14, "val": 5, "test": 6}
    assert metrics["n_parts_by_class"]["test"] == {"normal": 3, "bright": 2, "dark": 1}
    assert metrics["classes_without_parts"] == {}


def test_the_audit_prices_the_leak_and_finds_no_class_in_the_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    # a small line: what a class of so few parts seems to tell would be chance on a real one
    monkeypatch.setattr(inspection.curation.folds, "MIN_GROUPS_TO_TELL", 5)
    _, metrics = run(tmp_path, monkeypatch, data, manifest())
    assert metrics["leakage"]["siblings_in_train_rate"] > 0.2
    assert metrics["shortcuts"]["camera"] <= 0.7
    # a bright defect is bright, and what is not is normal
    assert "brightness" in metrics["shortcut_classes"]


def test_of_every_view_the_circumstances_that_tell_its_class_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    monkeypatch.setattr(inspection.curation.folds, "MIN_GROUPS_TO_TELL", 5)
    folds, metrics = run(tmp_path, monkeypatch, data, manifest())
    assert metrics["shortcut_classes"]
    kept = pd.read_parquet(tmp_path / "shortcuts.parquet")
    assert list(kept) == ["path", *metrics["shortcut_classes"]]
    assert len(kept) == len(folds)


def test_a_frame_as_large_as_validate_was_reported_to_take_is_audited_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    put(data / "large.jpg", np.zeros((8001, 8001), np.uint8))
    table = manifest()
    table.loc[0, "path"] = "large.jpg"
    folds, _ = run(tmp_path, monkeypatch, data, table)
    assert len(folds) == len(table)


def test_classes_of_one_part_or_none_are_reported_at_once_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    with pytest.raises(InspectionError) as caught:
        run(tmp_path, monkeypatch, data, manifest({"normal": 4, "bright": 1}))
    bright, dark = str(caught.value).splitlines()
    assert bright.startswith("label 'bright': 1 part(s) after cleaning, and at least 2 are needed")
    assert dark.startswith("label 'dark': 0 part(s)")
    assert "take the class out of line.classes" in dark


def test_a_line_without_normal_parts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    table = manifest()
    table["held"] = table["label"] == "normal"
    with pytest.raises(InspectionError, match="label 'normal': no views are left after cleaning"):
        run(tmp_path, monkeypatch, data, table)
    assert not (tmp_path / "folds.parquet").exists()


def test_an_outer_fold_is_tested_and_a_class_kept_unseen_lies_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    asked = {"outer_fold": 3, "outer_folds": 4, "unseen": "dark"}
    folds, _ = run(tmp_path, monkeypatch, data, manifest(), **asked)
    n_parts = folds.groupby("fold")["part_id"].nunique()
    assert set(folds["label"][folds["fold"] == "unseen"]) == {"dark"}
    assert n_parts["unseen"] == N_PARTS["dark"]
    assert n_parts["test"] == (N_PARTS["normal"] + N_PARTS["bright"]) / 4


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"outer_fold": 5}, "outer_fold: should be < outer_folds, 5, or null, got 5"),
        ({"unseen": "normal"}, "split.unseen: 'normal' is no defect of the line; use one of"),
        ({"unseen": "scratch"}, "split.unseen: 'scratch' is no defect of the line"),
    ],
)
def test_an_outer_fold_and_a_defect_that_are_not_there_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: Path,
    changes: dict[str, Any],
    told: str,
) -> None:
    with pytest.raises(InspectionError, match=told):
        run(tmp_path, monkeypatch, data, manifest(), **changes)
