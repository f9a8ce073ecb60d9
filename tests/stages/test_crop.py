from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
import torch

from inspection.boxes import LabelledBox, boxes_cell
from inspection.curation.box_reviews import (
    BOX_REVIEW_COLUMNS,
    read_box_reviews,
    with_box_reviews,
)
from inspection.errors import InspectionError
from inspection.geometry import Box, cut
from inspection.images import decode, read_frame
from inspection.line import Line
from inspection.models.crops import Crops, box_target, load_crops, window_of
from inspection.models.locator import RegionLocator
from inspection.runtime.framing import crop_windows, cut_crops
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View
from inspection.storage import read_json
from stages import crop
from stages.per_view import cutting
from tests.bundles import FRAME_SIZE_PX, draw_part, make_bundle, sample_line
from tests.lines import SQUARES, run_stage
from tests.pictures import encoded, put

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


def cell(**boxes: Box) -> str:
    return boxes_cell(LabelledBox(name, box, "coco") for name, box in boxes.items())


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
        "cv_fold": 0 if fold == "val" else 1,
        "boxes": cell(**drawn),
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
    table.drop(columns=["fold", "cv_fold"]).to_parquet(folder / "manifest.parquet")
    table[["view_id", "fold", "cv_fold"]].to_parquet(folder / "folds.parquet")
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


def cut_rods(data: Path, table: pd.DataFrame, **changes: Any) -> tuple[Crops, pd.DataFrame]:
    """The crops of the rod by its labelled boxes, and the views in which it has none."""
    line = Line.model_validate(LINE | changes)
    cut = crop.cut_views(table, line, None, data, framing="boxes")
    return crop.crops_of("rod", table, cut)


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
    table.loc[2, "boxes"] = "[]"
    crops, missing = cut_rods(data, table)
    assert crops.index["view_id"].tolist() == ["0", "1", "3"]
    assert missing["view_id"].tolist() == ["2"]


def test_a_part_that_lies_the_wrong_way_round_is_turned(data: Path) -> None:
    table = views(2, 0)
    regions = LINE["regions"] | {"rivet": {"size_px": [32, 32]}}
    orient = {"regions": regions, "orient": ["rod", "rivet"]}
    straight, _ = cut_rods(data, table)

    for number in range(2):
        drawn = {"rod": rod_of(number), "rivet": Box(0, 0, 2, 2)}
        table.loc[number, "boxes"] = cell(**drawn, bright=spot_of(number))
    turned, _ = cut_rods(data, table, **orient)
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
    marked, boxed = by_mask.targets[1] > 0, by_box.targets[1] > 0
    assert 0 < marked.sum() < 0.8 * boxed.sum()


def test_a_box_that_a_person_draws_becomes_the_target_of_that_crop_and_of_no_other(
    data: Path,
) -> None:
    """Half of the spot is boxed anew in view 1, and view 3 is said to show none."""
    raw = views(4, 0).assign(image_sha256=["a", "b", "c", "d"])
    rod, spot = rod_of(1), spot_of(1)
    half = Box(spot.x_px, spot.y_px, SPOT_PX / 2, SPOT_PX)
    drawn = [
        ("b", name, box.x_px, box.y_px, box.width_px, box.height_px, "Kim", "")
        for name, box in (("rod", rod), ("bright", half))
    ]
    only_rod = ("d", "rod", *vars(rod_of(3)).values(), "Kim", "no spot")
    rows = pd.DataFrame([*drawn, only_rod], columns=list(BOX_REVIEW_COLUMNS)).astype(str)

    line = Line.model_validate(LINE)
    table = with_box_reviews(raw, read_box_reviews(rows, raw, line), line)
    before, _ = cut_rods(data, raw)
    after, _ = cut_rods(data, table)

    np.testing.assert_array_equal(after.images, before.images)
    np.testing.assert_array_equal(after.targets[[0, 2]], before.targets[[0, 2]])
    window = window_of(after.index.iloc[1])
    np.testing.assert_array_equal(after.targets[1], box_target([half], window, FRAME_PX))
    assert 0 < after.targets[1].sum() < 0.6 * before.targets[1].sum()
    assert after.index["target"].tolist() == ["normal", "box", "normal", "unknown"]
    assert not after.targets[3].any()


def test_a_box_that_a_person_draws_outweighs_a_mask(data: Path) -> None:
    put(data / "whole.png", np.full(FRAME_PX[::-1], 255, np.uint8))
    raw = views(2, 0).assign(image_sha256=["a", "b"], mask_path=["", "whole.png"])
    spot = spot_of(1)
    rows = pd.DataFrame(
        [("b", "rod", *vars(rod_of(1)).values(), "Kim", ""),
         ("b", "bright", spot.x_px + 2, spot.y_px, 8, 8, "Kim", "")],
        columns=list(BOX_REVIEW_COLUMNS),
    ).astype(str)  # fmt: skip
    line = Line.model_validate(LINE)
    table = with_box_reviews(raw, read_box_reviews(rows, raw, line), line)
    assert cut_rods(data, raw)[0].index["target"].tolist() == ["normal", "mask"]
    assert cut_rods(data, table)[0].index["target"].tolist() == ["normal", "box"]


@pytest.mark.parametrize(
    ("outline", "target"),
    [(((0, 0), (1, 0), (1, 1), (0, 1)), "box"), (((0.7, 0), (1, 0), (1, 1), (0.7, 1)), "unknown")],
    ids=["all", "beside the spot"],
)
def test_a_defect_outside_of_the_outline_has_no_place(
    data: Path, outline: tuple[Any, ...], target: str
) -> None:
    rod = LINE["regions"]["rod"] | {"outline": outline}
    crops, _ = cut_rods(data, views(4, 0), regions={"rod": rod})
    bright = (crops.index["label"] == "bright").to_numpy()
    assert set(crops.index["target"][bright]) == {target}
    assert crops.targets[bright].any() == (target == "box")


def test_a_picture_shows_where_the_outline_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    run(tmp_path, monkeypatch, data, views(), locator_epochs=1, framing="boxes")
    sheet = cv2.imread(str(tmp_path / "crops" / "rod.png"))
    # three rows of four crops of 64 x 32 pixels, each with a gap
    assert sheet.shape == (3 * 36, 4 * 68, 3)


def test_a_defect_that_nobody_boxed_is_somewhere_unknown(data: Path) -> None:
    table = views(2, 0)
    table["boxes"] = [cell(rod=rod_of(number)) for number in range(2)]
    crops, _ = cut_rods(data, table)
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
    table = views().assign(boxes="[]")
    with pytest.raises(InspectionError, match=r"regions\.rod: found in none of \d+ views; box it"):
        cut_rods(data, table)


def test_a_mask_that_marks_nothing_tells_nothing_of_the_place(data: Path) -> None:
    table = views(2, 0)
    put(data / "blank.png", np.zeros_like(draw(1, bright=True)))
    table.loc[1, "mask_path"] = "blank.png"
    crops, _ = cut_rods(data, table)
    assert crops.index["target"].tolist() == ["normal", "unknown"]


def test_a_normal_view_of_a_defective_part_belongs_to_a_defective_part(data: Path) -> None:
    table = views(2, 0)
    table["part_id"] = "one"
    crops, _ = cut_rods(data, table)
    assert crops.index["label"].tolist() == ["normal", "bright"]
    assert crops.index["part_label"].tolist() == ["bright", "bright"]


def located_by(table: pd.DataFrame, data: Path) -> dict[str, Any]:
    """The weights of a locator trained for one epoch on these views."""
    params = crop.CropParams(**(QUICK | {"locator_epochs": 1}))
    line = Line.model_validate(LINE)
    return crop.train_locator(table, line, ["rod"], params, data).state_dict()


def agree(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_only_the_train_fold_teaches_the_locator(data: Path) -> None:
    table = views(8, 6)
    weights = located_by(table, data)

    wrong_in_val = table.copy()
    wrong_in_val.loc[table["fold"] == "val", "boxes"] = cell(rod=Box(0, 0, 9, 9))
    assert agree(located_by(wrong_in_val, data), weights)
    assert agree(located_by(table[table["fold"] == "train"], data), weights)

    wrong_in_train = table.copy()
    wrong_in_train.loc[0, "boxes"] = cell(rod=Box(0, 0, 9, 9))
    assert not agree(located_by(wrong_in_train, data), weights)


def test_a_view_is_decoded_once_to_be_cut(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def reading(path: Path, **how: Any) -> np.ndarray:
        read.append(path)
        return read_frame(path, **how)

    monkeypatch.setattr(cutting, "read_frame", reading)
    regions = LINE["regions"] | {"all": {"size_px": [64, 48], "whole_frame": True}}
    line = Line.model_validate(LINE | {"regions": regions})
    cut = crop.cut_views(views(3, 0), line, None, data, framing="boxes")
    assert all(set(view.crops) == {"rod", "all"} for view in cut)
    assert sorted(read) == [data / f"{number}.png" for number in range(3)]


# The service frames a part as the stage that cut the training crops did, to the byte.


def grey(frame: np.ndarray) -> np.ndarray:
    return frame


def coloured(frame: np.ndarray) -> np.ndarray:
    """Blue, green and red of their own: no channel equals the grey of all three."""
    return np.stack([frame, frame // 2, frame // 4 * 3], axis=2)


def deep(frame: np.ndarray) -> np.ndarray:
    return frame.astype(np.uint16) * 16 + 7


def outlined() -> dict[str, Any]:
    """The regions of the line, only the middle of the rod's crop seen."""
    regions = sample_line().model_dump()["regions"]
    middle = ((0.1, 0.2), (0.9, 0.2), (0.9, 0.8), (0.1, 0.8))
    return regions | {"rod": regions["rod"] | {"outline": middle}}


LINES: dict[str, tuple[dict[str, Any], Callable[[np.ndarray], np.ndarray]]] = {
    "grey": ({}, grey),
    "turned": ({"orient": ("rivet", "rod")}, grey),
    "colour": ({"channels": 3}, coloured),
    "twelve bits": ({"bit_depth": 12}, deep),
    "outlined": ({"regions": outlined()}, grey),
}


def moved_parts() -> list[np.ndarray]:
    """Three parts, each somewhere else in its frame."""
    places = ((0, 0), (7, -9), (-13, 5))
    return [
        np.roll(draw_part(defect, seed=seed), places[seed], axis=(0, 1))
        for seed, defect in enumerate(("normal", "dent", "under_press"))
    ]


def crops_both_ways(folder: Path, name: str) -> tuple[list[Any], list[Any]]:
    """The crops of moved parts by region, as the stage cuts them and as the inspector does."""
    changes, as_camera = LINES[name]
    line = sample_line(**changes)
    make_bundle(folder / "bundle", line=line)
    frames = [encoded(as_camera(frame)) for frame in moved_parts()]
    for number, content in enumerate(frames):
        (folder / f"{number}.png").write_bytes(content)

    session = ort.InferenceSession(folder / "bundle" / "locator.onnx")
    locator = RegionLocator(
        ("rod", "rivet"), FRAME_SIZE_PX, lambda some: session.run(None, {"frames": some})[0]
    )
    width, height = FRAME_SIZE_PX
    table = views(len(frames), 0).assign(
        boxes="[]", label="normal", width_px=width, height_px=height
    )
    cut = crop.cut_views(table, line, locator, folder, framing="located")
    by_stage = [{region: one.image for region, one in view.crops.items()} for view in cut]

    inspector = Inspector(folder / "bundle")
    by_service = [inspector.measure(View("view", content)).crops for content in frames]
    return by_stage, by_service


def same_crops(one: list[Any], other: list[Any]) -> bool:
    return all(
        set(a) == set(b) == {"rod", "rivet"}
        and all(np.array_equal(a[region], b[region]) for region in a)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("name", LINES)
def test_the_stage_and_the_inspector_cut_the_same_bytes(tmp_path: Path, name: str) -> None:
    assert same_crops(*crops_both_ways(tmp_path, name))


def unturned(*given: Any, **named: Any) -> Any:
    return crop_windows(*given, **(named | {"orient": None}))


def beside(n_px: int) -> Callable[..., Any]:
    def windows(*given: Any, **named: Any) -> Any:
        found = crop_windows(*given, **named)
        return {name: replace(one, x_px=one.x_px + n_px) for name, one in found.items()}

    return windows


def without_outline(frame: np.ndarray, windows: Any, regions: Any) -> Any:
    """The crops, dust beside the part and all."""
    whole = {name: one.model_copy(update={"outline": None}) for name, one in regions.items()}
    return cut_crops(frame, windows, whole)


def nearest(frame: np.ndarray, windows: Any, _: Any) -> Any:
    """The crops by the nearest pixel, where the inspector averages or interpolates."""
    crops = {}
    for name, one in windows.items():
        rows = one.y_px + np.arange(one.size_px[1]) * one.height_px // one.size_px[1]
        columns = one.x_px + np.arange(one.size_px[0]) * one.width_px // one.size_px[0]
        inside = frame[np.clip(rows, 0, len(frame) - 1)]
        crops[name] = inside[:, np.clip(columns, 0, frame.shape[1] - 1)][:, :, None]
    return crops


@pytest.mark.parametrize(
    ("name", "step", "sabotaged"),
    [
        ("turned", "crop_windows", unturned),
        ("grey", "crop_windows", beside(20)),
        ("grey", "crop_windows", beside(1)),
        ("grey", "cut_crops", nearest),
        ("outlined", "cut_crops", without_outline),
    ],
    ids=["not turned", "20 px off", "1 px off", "nearest pixels", "no outline"],
)
def test_a_stage_that_frames_in_another_way_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, step: str, sabotaged: Any
) -> None:
    monkeypatch.setattr(cutting, step, sabotaged)
    assert not same_crops(*crops_both_ways(tmp_path, name))


def test_a_stage_that_reads_a_colour_line_as_grey_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_channel(path: Path, **how: Any) -> np.ndarray:
        return np.repeat(read_frame(path, **(how | {"channels": 1}))[:, :, None], 3, axis=2)

    monkeypatch.setattr(cutting, "read_frame", one_channel)
    assert not same_crops(*crops_both_ways(tmp_path, "colour"))
