from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import samples.produce
from inspection.processors import HELD_TO_AVX2, X86_64
from samples.draw import LineError, draw_line, main
from samples.scene import box_of
from tests.samples.conftest import SMALL, Line, draw

# Of what five parts give, by the default seed, on every x86 processor that has AVX2.
FIVE_PARTS = "70277fe4227d8fb2"


def digests(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def options(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "out": folder / "data",
        "truth": folder / "truth",
        "n_parts": 5,
        "size": (154, 129),
        **changes,
    }


def decode(path: Path) -> np.ndarray | None:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None


def test_the_bytes_depend_on_the_seed_and_not_on_the_number_of_processes(tmp_path: Path) -> None:
    one = draw(tmp_path / "one", parts=6, workers=1)
    two = draw(tmp_path / "two", parts=6, workers=2)
    other = draw(tmp_path / "other", parts=6, seed=8)
    assert digests(one.data) == digests(two.data)
    assert digests(one.truth_dir) == digests(two.truth_dir)
    assert digests(one.data) != digests(other.data)


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_make_of_the_processor(tmp_path: Path) -> None:
    # as in a shell of its own, where nothing holds the libraries back
    plain = {name: value for name, value in os.environ.items() if name not in HELD_TO_AVX2}
    for kernels in ("disabled", "sse42", "avx2"):
        where = ["--out", str(tmp_path / kernels), "--truth", str(tmp_path / "truth" / kernels)]
        subprocess.run(
            [sys.executable, "-m", "samples.draw", *where, "--parts", "5"],
            env={**plain, "OPENCV_IPP": kernels},
            check=True,
        )
    drawn = [digests(tmp_path / kernels) for kernels in ("disabled", "sse42", "avx2")]
    assert drawn[0] == drawn[1] == drawn[2]

    if platform.machine() in X86_64:
        # with AVX-512 at work half of the frames are others
        of_all = "".join(sorted(drawn[0].values()))
        assert hashlib.sha256(of_all.encode()).hexdigest().startswith(FIVE_PARTS)


def test_the_truth_lists_exactly_the_files_on_disk(line: Line) -> None:
    assert {p.name for p in (line.data / "images").iterdir()} == set(line.views)
    assert line.summary["files"] == len(line.views)


def test_the_data_hold_nothing_but_images_labels_and_the_mark(line: Line) -> None:
    assert {p.name for p in line.data.iterdir()} == {
        ".drawn-line.json",
        "annotations.json",
        "images",
        "labels",
    }


def test_every_defect_in_sight_has_a_mask_whose_box_stands_in_the_truth(line: Line) -> None:
    for view in line.views.values():
        is_behind = view["turned"] and view["true_class"] in ("dent", "slide")
        is_in_sight = view["true_class"] != "normal" and not is_behind
        assert bool(view["mask"]) == is_in_sight
        if view["mask"]:
            mask = decode(line.truth_dir / view["mask"])
            assert mask is not None
            assert mask.shape == SMALL[::-1]
            assert list(box_of(mask > 0) or ()) == view["defect_box"]


def test_frames_are_grey_and_of_the_size_asked_for(line: Line) -> None:
    for name, view in line.views.items():
        if not view["broken"]:
            frame = decode(line.data / "images" / name)
            assert frame is not None
            assert frame.shape == SMALL[::-1]


def test_broken_files_are_broken_in_the_way_the_truth_says(line: Line) -> None:
    broken = {v["broken"]: (line.data / "images" / n).read_bytes() for n, v in line.views.items()}
    assert broken["empty"] == b""
    assert broken["truncated"][:2] == b"\xff\xd8"
    assert broken["truncated"][-2:] != b"\xff\xd9"
    assert broken["text"].isascii()
    assert broken[""][-2:] == b"\xff\xd9"


def test_an_exact_copy_has_the_bytes_of_its_source_and_another_part_number(line: Line) -> None:
    copies = {n: v for n, v in line.views.items() if v["copy"] == "exact"}
    assert copies
    for name, view in copies.items():
        images = line.data / "images"
        assert (images / name).read_bytes() == (images / view["copy_of"]).read_bytes()
        assert view["part_id"] != line.views[view["copy_of"]]["part_id"]


def test_a_near_copy_looks_the_same_and_differs_in_bytes(line: Line) -> None:
    copies = {n: v for n, v in line.views.items() if v["copy"] not in ("", "exact")}
    assert {v["copy"] for v in copies.values()} == {"reencoded", "shifted", "brightness"}
    for name, view in copies.items():
        a, b = (decode(line.data / "images" / n) for n in (name, view["copy_of"]))
        assert a is not None
        assert b is not None
        assert not np.array_equal(a, b)
        shrunk = [cv2.resize(x, (32, 27), interpolation=cv2.INTER_AREA).ravel() for x in (a, b)]
        assert np.corrcoef(shrunk[0], shrunk[1])[0, 1] > 0.9


def test_the_boxes_of_a_shifted_copy_moved_with_it(line: Line) -> None:
    (copy,) = [v for v in line.views.values() if v["copy"] == "shifted"]
    source = line.views[copy["copy_of"]]
    moved = np.array(copy["knurling_box"]) - source["knurling_box"]
    assert 1 <= abs(moved[0]) <= 3
    assert 1 <= abs(moved[1]) <= 3
    assert (np.array(copy["rivet_box"]) - source["rivet_box"]).tolist() == moved.tolist()


def test_drawing_again_replaces_what_was_drawn(tmp_path: Path) -> None:
    draw_line(**options(tmp_path))
    first = digests(tmp_path)
    draw_line(**options(tmp_path, seed=8))
    draw_line(**options(tmp_path))
    assert digests(tmp_path) == first


@pytest.mark.parametrize("name", ["data", "truth"])
def test_a_folder_with_other_peoples_files_is_left_alone_unless_forced(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.txt").write_text("keep")
    with pytest.raises(LineError, match=f"{name}: not empty and not drawn by this"):
        draw_line(**options(tmp_path))
    assert (tmp_path / name / "mine.txt").read_text() == "keep"
    draw_line(**options(tmp_path, force=True))
    assert not (tmp_path / name / "mine.txt").exists()


@pytest.mark.parametrize("truth", ["data", "data/truth", "."])
def test_the_truth_must_not_lie_under_the_data(tmp_path: Path, truth: str) -> None:
    with pytest.raises(LineError, match="keep the truth out of the data"):
        draw_line(**options(tmp_path, truth=tmp_path / truth))


def test_a_run_that_is_stopped_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_line(**options(tmp_path))
    before = digests(tmp_path)

    def stop(job: object) -> list[object]:
        raise KeyboardInterrupt

    monkeypatch.setattr(samples.produce, "develop_job", stop)
    with pytest.raises(KeyboardInterrupt):
        draw_line(**options(tmp_path, seed=8))
    assert digests(tmp_path) == before


def test_what_a_killed_run_left_behind_does_not_disturb_the_next(tmp_path: Path) -> None:
    (tmp_path / ".data.drawing" / "images").mkdir(parents=True)
    draw_line(**options(tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "truth"]


def test_all_problems_are_named_at_once_and_the_exit_code_is_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = f"--out {tmp_path}/d --truth {tmp_path}/d/t --parts 3 --size 99x99 --workers 0"
    assert main(arguments.split()) == 1
    for option in ("--parts: 3", "--size: 99x99", "--workers: 0", "--truth"):
        assert option in caplog.text


def test_a_size_that_is_none_is_refused_by_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--size", "big"])
    assert "'big' is no size; write it as 616x514" in capsys.readouterr().err


def test_the_command_draws_a_line(tmp_path: Path) -> None:
    arguments = f"--out {tmp_path}/d --truth {tmp_path}/t --parts 5 --size 154x129 --workers 1"
    assert main(arguments.split()) == 0
    truth = json.loads((tmp_path / "t" / "truth.json").read_text(encoding="utf-8"))
    assert truth["summary"]["parts"] == 5
