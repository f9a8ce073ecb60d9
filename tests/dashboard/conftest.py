import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.apps.servers import Server, free_port, running
from benchmarks.chromium import Browser, browsing
from benchmarks.dashboard import APP, dashboard_command
from inspection.boxes import LabelledBox, boxes_cell
from inspection.curation.box_reviews import BOX_REVIEW_COLUMNS
from inspection.curation.label_issues import ISSUE_COLUMNS
from inspection.curation.reviews import REVIEW_COLUMNS
from tests.architecture import ROOT
from tests.bundles import FRAME_SIZE_PX, RIVET, ROD, draw_jpeg, make_bundle

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


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Streamlit's AppTest makes its script the main module, which processes that a later test
    starts would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def line_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with data, tables and a bundle, as after `dvc repro`."""
    monkeypatch.chdir(tmp_path)
    make_line_folder(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The dashboard's real server in the `folder` of a module, set up as in the project's."""
    shutil.copytree(ROOT / ".streamlit", folder / ".streamlit")
    port = free_port()
    command = dashboard_command(APP, port)
    variables = {"PYTHONPATH": str(ROOT)}
    log = tmp_path_factory.mktemp("log")
    with running(command, port, log, variables, folder, ready="/_stcore/health") as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium, for modules that skip where there is none."""
    with browsing() as found:
        yield found


def make_line_folder(folder: Path) -> None:
    """Write what the dashboard reads of a line into a folder."""
    make_bundle(folder / "models/bundle")
    rows = [
        write_view(folder / "data", part, number)
        for part in PARTS
        for number in range(1, N_VIEWS + 1)
    ]
    save(folder / "artifacts/manifest/manifest.parquet", pd.DataFrame(rows))
    clean = pd.DataFrame(rows).assign(
        label_source="file", held=False, held_reason="", near_duplicate_group=""
    )
    save(folder / "artifacts/labels/manifest.parquet", clean)
    write_issues(folder / "artifacts/labels/issues.csv", rows)
    (folder / "reviews").mkdir()
    (folder / "reviews/labels.csv").write_text(",".join(REVIEW_COLUMNS) + "\n", encoding="utf-8")
    (folder / "reviews/boxes.csv").write_text(",".join(BOX_REVIEW_COLUMNS) + "\n", encoding="utf-8")
    folds = pd.DataFrame(
        {
            "view_id": [row["view_id"] for row in rows],
            "fold": [PARTS[row["part_id"]][2] for row in rows],
        }
    )
    save(folder / "artifacts/folds/folds.parquet", folds)


def write_view(data: Path, part: str, number: int) -> dict[str, Any]:
    drawn, label, _ = PARTS[part]
    path = f"images/{part}_{number}.jpg"
    (data / "images").mkdir(parents=True, exist_ok=True)
    content = draw_jpeg(drawn, seed=10 * int(part) + number)
    (data / path).write_bytes(content)
    boxes = [LabelledBox("rod", ROD, "drawn"), LabelledBox("rivet", RIVET, "drawn")]
    return {
        "view_id": f"{part}{number}",
        "path": path,
        "image_sha256": hashlib.sha256(content).hexdigest(),
        "copies": "[]",
        "width_px": FRAME_SIZE_PX[0],
        "height_px": FRAME_SIZE_PX[1],
        "part_id": part,
        "label": label,
        "boxes": boxes_cell(boxes),
        "mask_path": "",
    }


def write_issues(path: Path, rows: list[dict[str, Any]]) -> None:
    """The first views of parts 5 and 6 are suspects: each looks like what was drawn."""
    suspects = []
    for row in rows:
        drawn, label, _ = PARTS[row["part_id"]]
        if row["view_id"] in ("51", "61"):
            reason = f"looks like {drawn} (0.90)"
            identity = {name: row[name] for name in ("view_id", "path", "part_id")}
            suspects.append(
                identity | {"label": label, "suggested": drawn, "score": 0.9, "reason": reason}
            )
    table = pd.DataFrame(suspects)
    path.parent.mkdir(parents=True, exist_ok=True)
    table.assign(rank=table.index + 1)[list(ISSUE_COLUMNS)].to_csv(path, index=False)


def save(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path, index=False)
