from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from inspection.boxes import LabelledBox, boxes_cell
from inspection.errors import InspectionError
from inspection.geometry import Box, cut
from inspection.images import decode
from inspection.line import Line
from inspection.models.crops import Crops, load_crops, window_of
from inspection.models.framing import Framed
from inspection.storage import read_json
from stages import crop
from tests.lines import SQUARES, run_stage
from tests.pictures import put

FRAME_PX = (128, 96)
SPOT_PX = 12
LINE: dict[str, Any] = SQUARES | {
    "regions": {"rod": {"size_px": [64, 32], "shows": ["bright", "dark"], "margin_fraction": 0.1}},
    "classify": "rod",
    "detect_anomalies": "rod",
}
QUICK = {"locator_size_px": [64, 48], "locator_epochs": 16, "locator_learning_rate": 0.02}


def rod_of(number: int) -> Box:
    generator = np.random.default_rng(number)
    return Box(*generator.integers(6, 50, 1), *generator.integers(6, 50, 1), 64, 32)


def spot_of(number: int) -> Box:
    rod = rod_of(number)
    return Box(rod.x_px + 16, rod.y_px + 8, SPOT_PX, SPOT_PX)


def draw(number: int, *, bright: bool) -> np.ndarray:
    """A noisy dark frame with a grey rod, and a white spot on it."""
    frame = np.random.default_rng(number).integers(0, 30, FRAME_PX[::-1]).astype(np.uint8)
    for box, grey in ((rod_of(number), 130), (spot_of(number), 250))[: 1 + bright]:
        x, y = int(box.x_px), int(box.y_px)
        frame[y : y + int(box.height_px), x : x + int(box.width_px)] = grey
    return frame


def row(number: int, *, fold: str = "train") -> dict[str, Any]:
    bright = number % 2 == 1
    drawn = {"rod": rod_of(number)} | ({"bright": spot_of(number)} if bright else {})
    return {
        "view_id": str(number),
        "path": f"{number}.png",
        "part_id": str(number),
        "label": "bright" if bright else "normal",
        "width_px": FRAME_PX[0],
        "height_px": FRAME_PX[1],
        "mask_path": "",
        "fold": fold,
        "boxes": boxes_cell(LabelledBox(name, box, "coco") for name, box in drawn.items()),
    }


def views(n_train: int = 24, n_val: int = 6) -> pd.DataFrame:
    numbers = range(n_train + n_val)
    return pd.DataFrame([row(n, fold="train" if n < n_train else "val") for n in numbers])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for number in range(30):
        put(folder / f"{number}.png", draw(number, bright=number % 2 == 1))
    return folder


def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, data: Path, table: pd.DataFrame, **changes: Any
) -> tuple[Crops, dict[str, Any]]:
    """Run the stage; returns the crops of the rod and the metrics."""
    table.drop(columns="fold").to_parquet(folder / "manifest.parquet")
    table[["view_id", "fold"]].to_parquet(folder / "folds.parquet")
    run_stage(
        crop,
        folder,
        monkeypatch,
        params={"line": LINE, "crop": QUICK | changes},
        data=str(data),
        manifest="manifest.parquet",
        folds="folds.parquet",
        out="crops",
        metrics="crop.json",
    )
    return load_crops(folder / "crops", "rod"), read_json(folder / "crop.json")


def framed_by_label(table: pd.DataFrame) -> list[dict[str, Framed]]:
    return [{"rod": Framed(rod_of(int(n)), "labelled", 1.0)} for n in table["view_id"]]


def cut_rods(
    data: Path, table: pd.DataFrame, framed: list[dict[str, Framed]] | None = None, **changes: Any
) -> tuple[Crops, pd.DataFrame]:
    line = Line.model_validate(LINE | changes)
    return crop.cut_region(table, line, "rod", framed or framed_by_label(table), data)


def spot_is_covered(image: np.ndarray, target: np.ndarray) -> bool:
    """Whether the target's whole cells lie on the white spot, and cover most of it."""
    white = image[:, :, 0].reshape(8, 4, 16, 4).mean(axis=(1, 3)) > 190
    return bool(white[target == 255].all() and (target[white] > 127).mean() > 0.8)


def test_rods_are_located_and_their_defects_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    crops, metrics = run(tmp_path, monkeypatch, data, views())
    assert metrics["rod"]["framed_by"] == {"located": 30}
    assert metrics["rod"]["val_n_boxes"] == 6
    assert metrics["rod"]["val_iou_median"] > 0.8
    assert metrics["rod"]["labels"] == {"normal": 15, "bright": 15}
    assert crops.images.shape == (30, 32, 64, 1)
    assert set(crops.index["target"]) == {"normal", "box"}
    bright = np.flatnonzero(crops.index["label"] == "bright")
    placed = [spot_is_covered(crops.images[n], crops.targets[n]) for n in bright]
    assert np.mean(placed) > 0.9
    assert not crops.targets[(crops.index["label"] == "normal").to_numpy()].any()
    assert read_json(tmp_path / "crops" / "locator.json") == {"regions": ["rod"],
                                                              "size_px": [64, 48]}  # fmt: skip


def test_a_labelled_box_frames_the_crop_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    table = views()
    crops, metrics = run(
        tmp_path, monkeypatch, data, table, framing="boxes", locator_epochs=1
    )  # fmt: skip
    assert metrics["rod"]["framed_by"] == {"labelled": 30}
    expected, _ = cut_rods(data, table)
    np.testing.assert_array_equal(crops.images, expected.images)


def test_a_crop_is_what_its_row_says_of_the_frame(data: Path) -> None:
    crops, missing = cut_rods(data, views(4, 0))
    assert len(missing) == 0
    for number, row_of in enumerate(crops.index.itertuples()):
        frame = decode((data / str(row_of.path)).read_bytes(), channels=1)
        np.testing.assert_array_equal(crops.images[number, :, :, 0], cut(frame, window_of(row_of)))


def test_a_view_in_which_the_region_is_not_found_is_listed_and_not_cut(data: Path) -> None:
    table = views(4, 0)
    framed = framed_by_label(table)
    framed[2] = {}
    crops, missing = cut_rods(data, table, framed)
    assert crops.index["view_id"].tolist() == ["0", "1", "3"]
    assert missing["view_id"].tolist() == ["2"]


def test_a_part_that_lies_the_wrong_way_round_is_turned(data: Path) -> None:
    table = views(2, 0)
    upright = framed_by_label(table)
    rivet_left = [
        one | {"rivet": replace(one["rod"], box=Box(0, 0, 2, 2))} for one in framed_by_label(table)
    ]
    regions = LINE["regions"] | {"rivet": {"size_px": [32, 32]}}
    orient = {"regions": regions, "orient": ["rod", "rivet"]}
    straight, _ = cut_rods(data, table, upright)
    turned, _ = cut_rods(data, table, rivet_left, **orient)
    np.testing.assert_array_equal(turned.images, straight.images[:, ::-1, ::-1])
    assert spot_is_covered(turned.images[1], turned.targets[1])


def test_a_mask_places_a_defect_better_than_its_box(data: Path, tmp_path: Path) -> None:
    table = views(2, 0)
    mask = np.where(draw(1, bright=True) > 200, 255, 0).astype(np.uint8)
    mask[: int(spot_of(1).y_px) + 4] = 0
    put(data / "mask.png", mask)
    table.loc[1, "mask_path"] = "mask.png"
    by_mask, _ = cut_rods(data, table)
    by_box, _ = cut_rods(data, views(2, 0))
    assert by_mask.index["target"].tolist() == ["normal", "mask"]
    assert 0 < by_mask.targets[1].sum() < 0.8 * by_box.targets[1].sum()


def test_a_defect_that_nobody_boxed_is_somewhere_unknown(data: Path) -> None:
    table = views(2, 0)
    table["boxes"] = "[]"
    crops, _ = cut_rods(data, table, framed_by_label(table))
    assert crops.index["target"].tolist() == ["normal", "unknown"]


def test_colour_lines_give_colour_crops(data: Path) -> None:
    crops, _ = cut_rods(data, views(2, 0), channels=3)
    assert crops.images.shape == (2, 32, 64, 3)


def test_a_region_that_nobody_has_boxed_for_training_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    table = views()
    table.loc[table["fold"] == "train", "boxes"] = "[]"
    with pytest.raises(InspectionError, match=r"line\.regions\.rod: no view of the train fold has"):
        run(tmp_path, monkeypatch, data, table)
    assert not (tmp_path / "crops").exists()


def test_a_region_that_is_found_in_no_view_is_named_with_the_remedy(data: Path) -> None:
    table = views()
    with pytest.raises(InspectionError, match=r"regions\.rod: found in none of \d+ views; box it"):
        cut_rods(data, table, [{} for _ in range(len(table))])


def test_a_mask_that_marks_nothing_tells_nothing_of_the_place(data: Path) -> None:
    table = views(2, 0)
    put(data / "blank.png", np.zeros_like(draw(1, bright=True)))
    table.loc[1, "mask_path"] = "blank.png"
    crops, _ = cut_rods(data, table, framed_by_label(table))
    assert crops.index["target"].tolist() == ["normal", "unknown"]


def test_a_normal_view_of_a_defective_part_belongs_to_a_defective_part(data: Path) -> None:
    table = views(2, 0)
    table["part_id"] = "one"
    crops, _ = cut_rods(data, table)
    assert crops.index["label"].tolist() == ["normal", "bright"]
    assert crops.index["part_label"].tolist() == ["bright", "bright"]
