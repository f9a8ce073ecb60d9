from pathlib import Path

import pandas as pd
import pytest

from inspection.boxes import LabelledBox, boxes_cell
from tests.bundles import RIVET, ROD, draw_jpeg, make_bundle

PARTS = {  # part: (what is drawn, what the label says, fold)
    "1": ("normal", "normal", "val"),
    "2": ("dent", "dent", "val"),
    "3": ("slide", "slide", "val"),
    "4": ("under_press", "under_press", "val"),
    "5": ("dent", "normal", "val"),
    "6": ("normal", "dent", "val"),
    "7": ("dent", "slide", "val"),
    "8": ("normal", "normal", "train"),
    "9": ("dent", "dent", "test"),
}
N_VIEWS = 2


@pytest.fixture
def line_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with data, tables and a bundle, as after `dvc repro`."""
    monkeypatch.chdir(tmp_path)
    make_bundle(tmp_path / "models/bundle")
    rows = [
        write_view(tmp_path / "data", part, number)
        for part in PARTS
        for number in range(1, N_VIEWS + 1)
    ]
    save(tmp_path / "artifacts/labels/manifest.parquet", pd.DataFrame(rows))
    folds = pd.DataFrame(
        {
            "view_id": [row["view_id"] for row in rows],
            "fold": [PARTS[row["part_id"]][2] for row in rows],
        }
    )
    save(tmp_path / "artifacts/folds/folds.parquet", folds)
    return tmp_path


def write_view(data: Path, part: str, number: int) -> dict[str, str]:
    drawn, label, _ = PARTS[part]
    path = f"images/{part}_{number}.jpg"
    (data / "images").mkdir(parents=True, exist_ok=True)
    (data / path).write_bytes(draw_jpeg(drawn, seed=10 * int(part) + number))
    boxes = [LabelledBox("rod", ROD, "drawn"), LabelledBox("rivet", RIVET, "drawn")]
    return {
        "view_id": f"{part}{number}",
        "path": path,
        "part_id": part,
        "label": label,
        "boxes": boxes_cell(boxes),
    }


def save(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path, index=False)
