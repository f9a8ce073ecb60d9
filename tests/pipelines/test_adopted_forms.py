"""A drawn folder of each form, adopted and then read by stage validate: labels, parts, places."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from inspection.dataset.checks import Report
from pipelines import adopt
from stages import validate
from tests.architecture import ROOT
from tests.inspection.dataset.test_voc import xml
from tests.pictures import DEFECT_PX, SIZE_PX, coco, part, put
from tests.readme import README

X, Y, WIDTH, HEIGHT = DEFECT_PX
PARAMS = (ROOT / "params.yaml").read_text(encoding="utf-8")
N = 6

Adopted = Callable[..., pd.DataFrame]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "frames"


@pytest.fixture
def adopted(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Adopted:
    """Adopt `folder` with these flags, run stage validate; the manifest by path."""
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    (root / "params.yaml").write_text(PARAMS, encoding="utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setattr(adopt, "_dvc", lambda *words: None)
    monkeypatch.setattr(validate, "check", lambda table, wanted: Report({}, (), {}))

    def run(*flags: str) -> pd.DataFrame:
        assert adopt.main([str(folder), *flags]) == 0
        words = ["--data", "data", "--out", "artifacts", "--metrics", "metrics/validate.json"]
        monkeypatch.setattr(sys, "argv", ["validate", *words])
        validate.main()
        return pd.read_parquet("artifacts/manifest.parquet").set_index("path")

    return run


def mask(*, marked: bool = True) -> np.ndarray:
    pixels = np.zeros(SIZE_PX[::-1], np.uint8)
    if marked:
        pixels[Y : Y + HEIGHT, X : X + WIDTH] = 255
    return pixels


def drawn(folder: Path, name: str, seed: int, *, defect: bool) -> None:
    put(folder / name, part(seed, defect=defect))


def boxes_of(table: pd.DataFrame, path: str) -> list[tuple[str, float, float, float, float]]:
    return [
        (box["category"], box["x_px"], box["y_px"], box["width_px"], box["height_px"])
        for box in json.loads(table.loc[path, "boxes"])
    ]


def test_class_folders_with_parts_in_names(folder: Path, adopted: Adopted) -> None:
    for n in range(N):
        for shot in "ab":
            drawn(folder, f"good/p{n}_{shot}.png", 10 * n + ord(shot), defect=False)
            drawn(folder, f"dent/p{n + 50}_{shot}.png", 500 + 10 * n + ord(shot), defect=True)
    table = adopted()
    assert len(table) == 4 * N
    assert table.loc["dent/p53_a.png", ["label", "part_id", "view"]].tolist() == [
        "dent",
        "p53",
        "a",
    ]
    assert table["part_id"].nunique() == 2 * N


def test_train_and_test_folders_with_masks(folder: Path, adopted: Adopted) -> None:
    for n in range(N):
        drawn(folder, f"train/good/{n:03}.png", n, defect=False)
        drawn(folder, f"test/good/{n:03}.png", 100 + n, defect=False)
        drawn(folder, f"test/pit/{n:03}.png", 200 + n, defect=True)
        put(folder / f"ground_truth/pit/{n:03}_mask.png", mask())
    table = adopted()
    assert len(table) == 3 * N == table["part_id"].nunique()
    assert table.loc["test/pit/002.png", "mask_path"] == "ground_truth/pit/002_mask.png"
    assert table["label"].value_counts().to_dict() == {"good": 2 * N, "pit": N}


def test_images_and_masks(folder: Path, adopted: Adopted) -> None:
    for n in range(2 * N):
        drawn(folder, f"{n}.png", n, defect=n < N)
        put(folder / f"{n}_GT.png", mask(marked=n < N))
    table = adopted()
    assert table["label"].value_counts().to_dict() == {"normal": N, "defect": N}
    assert table.loc["3.png", ["label", "mask_path"]].tolist() == ["defect", "3_GT.png"]


def test_named_files(folder: Path, adopted: Adopted) -> None:
    for n in range(2 * N):
        label = "ok" if n < N else "oil stain"
        for shot in (1, 2):
            drawn(folder, f"P{n:03}-{label}-{shot}.png", 10 * n + shot, defect=n >= N)
    table = adopted()
    row = table.loc["P007-oil stain-2.png"]
    assert row[["label", "part_id", "view"]].tolist() == ["oil_stain", "P007", "2"]
    assert table["part_id"].nunique() == 2 * N


def test_coco(folder: Path, adopted: Adopted) -> None:
    for n in range(2 * N):
        drawn(folder, f"images/{n}.png", n, defect=n < N)
    defect = [("dent", list(DEFECT_PX))]
    coco(folder / "boxes.json", {f"{n}.png": defect if n < N else [] for n in range(2 * N)})
    table = adopted()
    assert table.loc["images/1.png", "label"] == "dent"
    assert boxes_of(table, "images/1.png") == [("dent", *DEFECT_PX)]
    assert table["label"].value_counts().to_dict() == {"normal": N, "dent": N}


def test_yolo(folder: Path, adopted: Adopted) -> None:
    (folder / "labels").mkdir(parents=True)
    (folder / "classes.txt").write_text("dent\n")
    for n in range(2 * N):
        drawn(folder, f"images/{n}.png", n, defect=n < N)
        line = f"0 {(X + WIDTH / 2) / 64} {(Y + HEIGHT / 2) / 48} {WIDTH / 64} {HEIGHT / 48}\n"
        (folder / f"labels/{n}.txt").write_text(line if n < N else "")
    table = adopted()
    assert boxes_of(table, "images/1.png") == [("dent", *DEFECT_PX)]
    assert table["label"].value_counts().to_dict() == {"normal": N, "dent": N}


def test_pascal_voc(folder: Path, adopted: Adopted) -> None:
    (folder / "Annotations").mkdir(parents=True)
    for n in range(2 * N):
        drawn(folder, f"JPEGImages/{n}.png", n, defect=n < N)
        boxes = [("dent", X, Y, X + WIDTH, Y + HEIGHT)] if n < N else []
        (folder / f"Annotations/{n}.xml").write_bytes(xml(*boxes, width=64, height=48))
    table = adopted()
    assert boxes_of(table, "JPEGImages/1.png") == [("dent", *DEFECT_PX)]
    assert table["label"].value_counts().to_dict() == {"normal": N, "dent": N}


def test_a_table_with_parts_masks_folds_and_boxes(
    folder: Path, adopted: Adopted, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["image,label,part,camera,fold,mask,xmin,ymin,xmax,ymax"]
    for n in range(2 * N):
        for camera in ("left", "right"):
            name = f"shots/{camera}{n:02}x.png"
            drawn(folder, name, 10 * n + len(camera), defect=n < N)
            line = f"{name},{'dent' if n < N else 'good'},rod-{n},{camera},train"
            if n < N:
                put(folder / f"marks/{camera}{n}.png", mask())
                line += f",marks/{camera}{n}.png,{X},{Y},{X + WIDTH},{Y + HEIGHT}"
            rows.append(line)
    (folder / "labels.csv").write_text("\n".join(rows))
    table = adopted()
    row = table.loc["shots/left03x.png"]
    assert row[["label", "part_id", "camera"]].tolist() == ["dent", "rod-3", "left"]
    assert row["mask_path"] == "marks/left3.png"
    assert boxes_of(table, "shots/left03x.png") == [("dent", *DEFECT_PX)]
    assert len(table) == 4 * N
    assert table["part_id"].nunique() == 2 * N
    assert "the column 'fold' of labels.csv is not used" in capsys.readouterr().out


def test_a_table_that_names_the_defects_alone(folder: Path, adopted: Adopted) -> None:
    rows = ["ImageId,ClassId"]
    for n in range(2 * N):
        drawn(folder, f"train_images/{n:02}.jpg", n, defect=n < N)
        rows += [f"{n:02}.jpg,{n % 2 + 1}"] if n < N else []
    (folder / "train.csv").write_text("\n".join(rows))
    table = adopted("--normal", "unlisted")
    assert table["label"].value_counts().to_dict() == {"normal": N, "1": N // 2, "2": N // 2}


def run_lengths(marked: np.ndarray) -> str:
    """As Kaggle writes them: pairs of start and length, from 1, down the columns."""
    down = np.concatenate([[0], marked.T.ravel() > 0, [0]]).astype(int)
    starts, ends = np.flatnonzero(np.diff(down) > 0), np.flatnonzero(np.diff(down) < 0)
    return " ".join(f"{a + 1} {b - a}" for a, b in zip(starts, ends, strict=True))


def test_the_masks_that_the_readme_draws_of_run_lengths(
    folder: Path,
    adopted: Adopted,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = ["ImageId,ClassId,EncodedPixels"]
    for n in range(2 * N):
        drawn(folder, f"train_images/{n:02}.jpg", n, defect=n < N)
        rows += [f"{n:02}.jpg,{n % 2 + 1},{run_lengths(mask())}"] if n < N else []
    (folder / "train.csv").write_text("\n".join(rows))
    adopted("--normal", "unlisted")
    assert "its run lengths become masks as README, Your own parts" in capsys.readouterr().out

    blocks = [block.split("```")[0] for block in README.split("```python\n")[1:]]
    (example,) = [block for block in blocks if "EncodedPixels" in block]
    monkeypatch.chdir(folder)
    exec(compile(example, "README.md", "exec"), {})
    monkeypatch.chdir(folder.parent / "project")
    table = adopted("--normal", "unlisted", "--replace")
    assert table["label"].value_counts().to_dict() == {"normal": N, "1": N // 2, "2": N // 2}
    drawn_mask = cv2.imread(f"data/{table.loc['train_images/01.jpg', 'mask_path']}", 0)
    assert (drawn_mask == mask()).all()
    assert "run lengths" not in capsys.readouterr().out


def test_the_boxes_of_an_amazon_manifest(folder: Path, adopted: Adopted) -> None:
    lines = []
    for n in range(2 * N):
        drawn(folder, f"{n}.png", n, defect=n < N)
        box = {"class_id": 0, "left": X, "top": Y, "width": WIDTH, "height": HEIGHT}
        lines.append(
            json.dumps(
                {
                    "source-ref": f"s3://bucket/frames/{n}.png",
                    "bb": {"annotations": [box] if n < N else []},
                    "bb-metadata": {"class-map": {"0": "dent"}},
                }
            )
        )
    (folder / "output.manifest").write_text("\n".join(lines))
    table = adopted()
    assert boxes_of(table, "1.png") == [("dent", *DEFECT_PX)]
    assert table["label"].value_counts().to_dict() == {"normal": N, "dent": N}


def test_the_table_that_the_readme_makes(
    folder: Path, adopted: Adopted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(2 * N):
        for shot in (1, 2):
            name = f"shots/{'ok' if n < N else 'ng'}{n % N + 1:03}{shot}.png"
            drawn(folder, name, 10 * n + shot, defect=n >= N)
    blocks = [block.split("```")[0] for block in README.split("```python\n")[1:]]
    (example,) = [block for block in blocks if "labels.csv" in block]
    monkeypatch.chdir(folder)
    exec(compile(example, "README.md", "exec"), {})
    monkeypatch.chdir(folder.parent / "project")
    table = adopted()
    assert table.loc["shots/ng0011.png", ["label", "part_id"]].tolist() == ["ng", "ng001"]
    assert table["part_id"].nunique() == 2 * N
