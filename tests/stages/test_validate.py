import errno
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from benchmarks.attacks.pictures import chunk, png
from inspection.dataset.checks import Report
from inspection.dataset.expectations import Expected, of_manifest
from inspection.dataset.image_files import unreadable
from inspection.errors import InspectionError
from inspection.line import Line
from stages import validate
from stages.sections import SECTIONS
from tests.pictures import coco, encoded, flat_line, part, put

ROOT = Path(__file__).parents[2]
PARAMS: dict[str, Any] = {
    "line": {
        "name": "drawn",
        "normal": "normal",
        "classes": {"normal": {"aliases": ["정상"]}, "dent": {"aliases": ["찍힘"]}},
        "regions": {"part": {"size_px": [64, 64], "whole_frame": True, "shows": ["dent"]}},
        "classify": "part",
        "detect_anomalies": "part",
        "bit_depth": 16,
        "max_pixels": 64_000_000,
    },
    "validate": {
        "layout": "flat",
        "images": ["images/*"],
        "pattern": "(?P<camera>[^_]+)_(?P<part>[^_]+)_(?P<label>[^_]+)(_(?P<view>[^_]+))?",
        "part_from": {"rule": "pattern"},
        "unknown": {"max_fraction": 0.2},
        "expected": {"width_px": [32, 128], "max_quarantined_fraction": 0.5},
    },
}
MASKS_BESIDE: dict[str, Any] = {
    "layout": "class_folders_with_masks",
    "images": ["**/*.jpg"],
    "pattern": ".+",
    "part_from": {"rule": "file"},
    "masks": "{folder}/{stem}.png",
}

Run = Callable[..., pd.DataFrame]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the stage in `tmp_path` without the slow library; `changes` go into `validate`.

    Returns the manifest that it wrote.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(validate, "check", lambda table, wanted: Report({}, (), {}))

    def run(**changes: Any) -> pd.DataFrame:
        write_params(tmp_path, **changes)
        monkeypatch.setattr(sys, "argv", command()[2:])
        validate.main()
        return pd.read_parquet("artifacts/manifest.parquet")

    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return flat_line(tmp_path / "data", classes=["정상", "찍힘"])


def command() -> list[str]:
    paths = {"data": "data", "out": "artifacts", "metrics": "metrics/validate.json"}
    words = [word for name, path in paths.items() for word in (f"--{name}", path)]
    return [sys.executable, "-m", "stages.validate", *words]


# all defaults: the first stage checks every section
OTHER_SECTIONS = {name: {} for name in SECTIONS if name not in PARAMS}


def write_params(folder: Path, **changes: Any) -> None:
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(OTHER_SECTIONS | PARAMS | {"validate": PARAMS["validate"] | changes}, file)


def quarantine() -> dict[str, str]:
    table = pd.read_csv("artifacts/quarantine.csv")
    return dict(zip(table["path"], table["reason"], strict=True))


def failure(run: Run, **changes: Any) -> str:
    with pytest.raises(InspectionError) as caught:
        run(**changes)
    return str(caught.value)


def test_a_drawn_line_becomes_a_manifest_and_its_numbers(run: Run, data: Path) -> None:
    table = run()
    assert len(table) == 16
    assert table["part_id"].nunique() == 8
    assert set(table["label"]) == {"normal", "dent"}
    metrics = json.loads(Path("metrics/validate.json").read_text(encoding="utf-8"))
    assert metrics["n_files"] == 16
    assert metrics["classes"]["dent"] == {"n_parts": 4, "n_views": 8}
    assert quarantine() == {}


def test_broken_files_are_set_aside_with_their_reasons(run: Run, data: Path) -> None:
    (data / "images/C0_100_정상_0.png").write_bytes(b"")
    (data / "images/C0_101_정상_0.png").write_bytes(b"words")
    (data / "images/C0_102_정상_0.png").write_bytes(encoded(part(1))[:300])
    (data / "images/C0_103_정상_0.png").write_bytes(
        (data / "images/C0_000_정상_0.png").read_bytes()
    )
    # more chunks than any camera writes
    (data / "images/C0_104_정상_0.png").write_bytes(png(40, 30, extra=chunk(b"abCd") * 20_000))
    (data / "note.txt").write_text("remember")
    assert len(run()) == 16
    assert quarantine() == {
        "images/C0_100_정상_0.png": "empty",
        "images/C0_101_정상_0.png": "not_an_image",
        "images/C0_102_정상_0.png": "truncated",
        "images/C0_103_정상_0.png": "duplicate",
        "images/C0_104_정상_0.png": "corrupt",
        "note.txt": "ignored",
    }


def test_a_link_out_of_the_data_is_set_aside_and_one_within_is_a_file_like_any(
    run: Run, data: Path, tmp_path: Path
) -> None:
    put(tmp_path / "elsewhere.png", part(1))
    put(data / "spare" / "frame.png", part(2))
    (data / "images/C0_100_정상_0.png").symlink_to(tmp_path / "elsewhere.png")
    (data / "images/C0_101_정상_0.png").symlink_to(data / "spare" / "frame.png")
    put(tmp_path / "shared/C0_102_정상_0.png", part(3))
    (data / "images/shared").symlink_to(tmp_path / "shared")

    assert len(run()) == 17
    found = quarantine()
    assert found["images/shared"] == "ignored"
    assert found["images/C0_100_정상_0.png"] == "link_outside"
    assert "images/C0_101_정상_0.png" not in found


def test_a_frame_brighter_than_the_bit_depth_of_the_line_is_set_aside(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PARAMS, "line", PARAMS["line"] | {"bit_depth": 12})
    put(data / "images/C0_100_정상_0.png", part(1).astype(np.uint16) * 16)
    put(data / "images/C0_101_정상_0.png", part(2).astype(np.uint16) * 257)
    assert len(run()) == 17
    assert quarantine() == {"images/C0_101_정상_0.png": "too_bright"}


def test_what_cannot_be_read_is_set_aside_with_its_reason(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = data / "images"
    (images / "C0_100_정상_0.png").symlink_to("gone.png")
    (images / "C0_101_정상_0.png").symlink_to("C0_101_정상_0.png")
    os.mkfifo(images / "C0_102_정상_0.png")
    (images / "C0_103_정상_0.png").write_bytes(b"private")
    (images / "linked").symlink_to(images, target_is_directory=True)
    read_bytes = Path.read_bytes

    def read_if_allowed(path: Path) -> bytes:
        if path.name == "C0_103_정상_0.png":
            raise PermissionError(errno.EACCES, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", read_if_allowed)
    assert len(run()) == 16
    table = pd.read_csv("artifacts/quarantine.csv").set_index("path")
    assert quarantine() == {
        **{f"images/C0_{number}_정상_0.png": "unreadable" for number in (100, 101, 102, 103)},
        "images/linked": "ignored",
    }
    assert list(table["view_kept"]) == [False] * 4 + [True]
    assert table.loc["images/C0_103_정상_0.png", "detail"] == (
        "Permission denied; repair the link or its permissions"
    )
    metrics = json.loads(Path("metrics/validate.json").read_text(encoding="utf-8"))
    assert (metrics["n_files"], metrics["n_quarantined"]) == (20, 4)


def test_what_another_host_could_not_read_counts_where_it_can_be_read_here(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_share(_: Any, files: list[Any], **__: Any) -> list[Any]:
        error = OSError(errno.ESTALE, "Stale file handle")
        return [unreadable(file.path, error) for file in files]

    monkeypatch.setattr(validate, "over_views", without_share)
    assert len(run()) == 16
    assert quarantine() == {}


def test_a_folder_that_cannot_be_read_is_an_error(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def scan_if_allowed(path: str) -> Any:
        if Path(path).name == "images":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_if_allowed)
    assert failure(run) == (
        "data/images: cannot be read (Permission denied); correct its permissions"
    )


def test_annotation_files_that_cannot_be_read_are_reported(run: Run, data: Path) -> None:
    (data / "labels").mkdir()
    (data / "labels/classes.txt").write_text("dent\n")
    (data / "labels/C0_004_찍힘_0.txt").symlink_to("gone.txt")
    yolo = {"yolo": ["labels/*"], "yolo_names": "labels/classes.txt"}
    run(**yolo)
    assert quarantine() == {"labels/C0_004_찍힘_0.txt": "label_file_unreadable"}
    (data / "boxes.json").symlink_to("gone.json")
    assert failure(run, coco=["boxes.json"]) == (
        "data/boxes.json: cannot be read (No such file or directory); correct the link or its "
        "permissions"
    )


def test_a_view_whose_label_file_cannot_be_read_is_not_taken_for_a_good_part(
    run: Run, data: Path
) -> None:
    (data / "labels").mkdir()
    (data / "labels/classes.txt").write_text("dent\n")
    for image in sorted((data / "images").iterdir()):
        defect = "찍힘" in image.name
        (data / f"labels/{image.stem}.txt").write_text("0 0.5 0.5 0.2 0.2\n" * defect)
    unread = data / "labels/C0_004_찍힘_0.txt"
    unread.unlink()
    unread.symlink_to("gone.txt")
    pattern = "(?P<camera>[^_]+)_(?P<part>[^_]+)_.+"
    table = run(layout="yolo", yolo=["labels/*"], yolo_names="labels/classes.txt",
                unlabelled="normal", pattern=pattern)  # fmt: skip
    assert table["label"].value_counts().to_dict() == {"normal": 8, "dent": 7}
    assert quarantine()["images/C0_004_찍힘_0.png"] == "unlabelled"


def test_a_mask_that_cannot_be_read_leaves_its_view(run: Run, tmp_path: Path) -> None:
    for label in ("정상", "찍힘"):
        for n in range(2):
            put(tmp_path / f"data/{label}/{n}.jpg", part(n, defect=label == "찍힘"))
    (tmp_path / "data/찍힘/0.png").symlink_to("gone.png")
    table = run(**MASKS_BESIDE)
    assert len(table) == 4
    assert quarantine() == {"찍힘/0.png": "mask_unreadable"}


def test_boxes_in_both_forms_count_once_and_impossible_ones_are_reported(
    run: Run, data: Path
) -> None:
    name = "C0_004_찍힘_0"
    labels = data / "labels"
    labels.mkdir()
    (labels / "classes.txt").write_bytes("찍힘\n".encode("cp949"))
    lines = "0 0.5 0.4166667 0.25 0.25\n0 0.9 0.5 0.4 0.1\n0 nan 0.5 0.1 0.1\n"
    (labels / f"{name}.txt").write_text(lines)
    coco(data / "boxes.json", {f"{name}.png": [("찍힘", [24, 14, 16, 12])]})
    table = run(yolo=["labels/*"], yolo_names="labels/classes.txt", coco=["boxes.json"])
    cell = table.loc[table["path"] == f"images/{name}.png", "boxes"].item()
    assert [(box["category"], box["source"]) for box in json.loads(cell)] == [("dent", "yolo+coco")]
    reasons = pd.read_csv("artifacts/quarantine.csv")["reason"].tolist()
    assert sorted(reasons) == ["box_not_a_number", "box_outside", "label_file_cp949"]


def test_masks_are_found_beside_their_images(run: Run, tmp_path: Path) -> None:
    for label in ("정상", "찍힘"):
        for n in range(3):
            put(tmp_path / f"data/{label}/{n}.jpg", part(n, defect=label == "찍힘"))
            put(tmp_path / f"data/{label}/{n}.png", part(n) * 0)
    table = run(**MASKS_BESIDE)
    assert list(table["mask_path"]) == [path.replace(".jpg", ".png") for path in table["path"]]


@pytest.mark.parametrize(
    ("empty", "reported"),
    [
        ("", "data: no such folder; draw the sample line with `make demo`"),
        ("data", "no image fits validate.images"),
        ("data/images", "no image fits validate.images"),
    ],
)
def test_a_folder_without_images_is_an_error(
    run: Run, tmp_path: Path, empty: str, reported: str
) -> None:
    (tmp_path / empty).mkdir(parents=True, exist_ok=True)
    assert reported in failure(run)


def test_a_class_without_samples_or_with_one_part_and_no_normals_are_reported_together(
    run: Run, tmp_path: Path
) -> None:
    flat_line(tmp_path / "data", classes=["찍힘"], n_parts=1)
    reported = failure(run)
    assert "the normal class 'normal' has no views" in reported
    assert "class 'dent' has one part" in reported


def test_unknown_classes_are_reported_with_the_place_to_add_them(run: Run, data: Path) -> None:
    flat_line(data, classes=["새것", "모름"], n_parts=2)
    reported = failure(run)
    assert "class '새것' of 4 images is unknown; add it to line.classes" in reported
    assert "class '모름'" in reported


def test_names_in_both_unicode_forms_are_an_error(run: Run, data: Path) -> None:
    name = unicodedata.normalize("NFD", "C0_000_정상_0.png")
    put(data / "images" / name, part(77))
    assert "spelled in two Unicode forms" in failure(run)


def test_all_that_is_wrong_with_the_files_is_reported_at_once(run: Run, data: Path) -> None:
    name = unicodedata.normalize("NFD", "C0_000_정상_0.png")
    put(data / "images" / name, part(77))
    lines = failure(run, coco=["gone.json"]).splitlines()
    assert len(lines) == 2
    assert "spelled in two Unicode forms" in lines[0]
    assert "validate.coco 'gone.json'" in lines[1]


def test_a_file_name_that_no_unicode_can_spell_is_set_aside(run: Run, data: Path) -> None:
    raw = bytes(data / "images") + b"/" + "정상.png".encode("cp949")
    with open(raw, "wb") as file:
        file.write(encoded(part(5)))
    assert len(run()) == 16
    assert list(quarantine().values()) == ["name_not_utf8"]


@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        ({"patern": ".+"}, "params.yaml: validate.patern: unknown key"),
        ({"expected": {"width_px": "wide"}}, "validate.expected.width_px: should be a"),
        ({"unknown": {"action": "ignore"}}, "validate.unknown.action"),
        ({"pattern": "("}, "validate.pattern: should be a regular expression"),
        ({"yolo": ["labels/*"]}, "yolo needs yolo_names"),
        (
            {"expected": {"width_px": [16384, 64]}},
            "validate.expected.width_px: should be [minimum, maximum], the smaller first, got",
        ),
        ({"expected": {"height_px": [0, 64]}}, "validate.expected.height_px.0: should be >= 1"),
        (
            {"expected": {"max_quarantined_fraction": -3}},
            "validate.expected.max_quarantined_fraction: should be >= 0, got -3",
        ),
        (
            {"expected": {"max_quarantined_fraction": 10}},
            "validate.expected.max_quarantined_fraction: should be <= 1, got 10",
        ),
    ],
)
def test_wrong_settings_are_reported_by_key_and_value(
    run: Run, data: Path, changes: dict[str, Any], reported: str
) -> None:
    assert reported in failure(run, **changes)


def test_annotation_files_that_are_not_there_are_reported_at_once(run: Run, data: Path) -> None:
    (data / "labels").mkdir()
    (data / "labels/names.txt").write_text("dent")
    reported = failure(
        run, yolo=["boxes/*"], yolo_names="boxes/classes.txt", coco=["a.json", "b.json"]
    )
    assert reported.splitlines() == [
        "data: no .json file fits validate.coco 'a.json'; put it there, or correct params.yaml",
        "data: no .json file fits validate.coco 'b.json'; put it there, or correct params.yaml",
        "data: no .txt file fits validate.yolo 'boxes/*'; put it there, or correct params.yaml",
        "data: 'boxes/classes.txt' of validate.yolo_names is not there; put it there, or correct "
        "params.yaml",
    ]


def test_expectations_follow_the_line_and_what_it_expects() -> None:
    line = Line.model_validate(PARAMS["line"])
    expected = Expected(width_px=(32, 64), max_quarantined_fraction=0.25)
    wanted = of_manifest(line, expected, columns=["a"], n_images=10)
    by_name = {(one.name, one.arguments.get("column")): one.arguments for one in wanted}
    rows = by_name["ExpectTableRowCountToBeBetween", None]
    assert rows["min_value"] == 8
    assert by_name["ExpectColumnValuesToBeInSet", "label"]["value_set"] == ["normal", "dent"]
    assert by_name["ExpectColumnValuesToBeBetween", "width_px"]["max_value"] == 64


def real(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command(), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_program_writes_the_same_data_docs_twice(data: Path, tmp_path: Path) -> None:
    write_params(tmp_path)
    pages = []
    for _ in range(2):
        done = real(tmp_path)
        assert done.returncode == 0, done.stderr
        docs = tmp_path / "artifacts/data_docs"
        pages.append({path.name: path.read_bytes() for path in sorted(docs.iterdir())})
    assert pages[0] == pages[1]
    assert set(pages[0]) == {"index.html", "validation.html", "expectations.html", "result.json"}
    assert b"27 of 27 expectations hold" in pages[0]["index.html"]
    assert done.stderr.strip().startswith("validate: n_files 16, n_views 16, n_parts 8")


@pytest.mark.slow
def test_too_many_broken_files_stop_the_stage_with_how_many_views_it_takes(
    data: Path, tmp_path: Path
) -> None:
    for path in sorted((data / "images").iterdir())[2:6:2]:
        path.write_bytes(b"")
    write_params(tmp_path, expected={"max_quarantined_fraction": 0.05})
    done = real(tmp_path)
    assert done.returncode == 1
    assert "fails on the table: found 14, expected at least 16; fix the data" in done.stderr


def test_what_is_wrong_in_the_section_of_a_later_stage_is_said_before_any_work(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OTHER_SECTIONS, "train", {"epoch": 3})

    assert failure(run) == "params.yaml: train.epoch: unknown key; remove it or fix its spelling"
    assert not Path("artifacts").exists()


@pytest.mark.slow
def test_a_failed_expectation_stops_the_stage_and_names_the_rows(
    data: Path, tmp_path: Path
) -> None:
    write_params(tmp_path, expected={"width_px": [65, 128], "max_quarantined_fraction": 0.5})
    done = real(tmp_path)
    assert done.returncode == 1
    assert "expect_column_values_to_be_between fails on width_px: 16 rows, first" in done.stderr
    assert "C0_000_정상_0.png" in done.stderr
    assert ", expected at least 65 and at most 128; fix the data" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "artifacts/manifest.parquet").exists()
    assert (tmp_path / "artifacts/data_docs/index.html").exists()
