import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from pipelines import adopt
from tests.architecture import ROOT
from tests.pictures import coco, flat_line, part, put

PARAMS = """\
line:
  name: old
clean_labels:
  rules:
    part_disagreement: hold
train:
  backbone: resnet10t
  backbone_args: {channels: [8, 8], stem_width: 8}  # narrow
  weights: none
  freeze_backbone: false
  augmentation: line
  epochs: 3  # few
assemble:
  max_escape_rate: 0.01
gate:
  max_cam_edge: 0.15
  max_ms_per_part: 500
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project whose DVC is only told, not run."""
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    (root / "reviews").mkdir()
    (root / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (root / "reviews/labels.csv").write_text("image_sha256,label,reviewer,note\na,b,c,d\n")
    (root / "reviews/boxes.csv").write_text("image_sha256,category\na,b\n")
    monkeypatch.chdir(root)

    def dvc(*words: str) -> None:
        log = root / "dvc.log"
        log.write_text((log.read_text() if log.exists() else "") + f"{words}\n")

    monkeypatch.setattr(adopt, "_dvc", dvc)
    return root


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of two classes, each of six parts, with junk beside them."""
    folder = tmp_path / "frames"
    for label in ("good", "bent rod"):
        for n in range(6):
            put(folder / label / f"{n}.png", part(n, defect=label != "good"))
    (folder / "Thumbs.db").write_bytes(b"junk")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_folder_becomes_the_data_and_stays_as_it_was(
    project: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(source)
    assert adopt.main([str(source)]) == 0
    assert files(source) == before
    assert files(project / "data") == {k: v for k, v in before.items() if k != "Thumbs.db"}
    params = YAML(typ="safe").load(project / "params.yaml")
    assert params["line"]["classes"] == {"good": {}, "bent_rod": {"aliases": ["bent rod"]}}
    assert params["validate"]["layout"] == "class_folders"
    assert params["clean_labels"]["rules"]["part_disagreement"] == "hold"
    assert params["train"] == {
        "backbone": "tf_efficientnet_lite0",
        "backbone_args": None,
        "weights": "packaged",
        "freeze_backbone": True,
        "augmentation": "flip",
        "epochs": 60,
    }
    assert params["assemble"] == {"max_escape_rate": None}
    assert params["gate"] == {"max_ms_per_part": None, "max_cam_edge": None}
    text = (project / "params.yaml").read_text(encoding="utf-8")
    assert "epochs: 60  # few" in text
    assert "backbone_args: null  # narrow" in text
    assert (project / "dvc.log").read_text() == "('add', 'data')\n"
    said = capsys.readouterr().out
    assert "class bent_rod: 6 images, 6 parts, called 'bent rod'" in said
    assert "1 ignored ('Thumbs.db')" in said
    assert "training: 60 epochs, some 60 steps, of a head on tf_efficientnet_lite0" in said
    assert said.endswith("next: `dvc repro`\n")


def test_head_ends_a_dry_run_without_a_traceback(project: Path, source: Path) -> None:
    words = [sys.executable, "-m", "pipelines.adopt", str(source), "--dry-run"]
    run = subprocess.Popen(
        words,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    run.stdout.close()  # as a `head` that has seen enough
    _, said = run.communicate(timeout=60)
    assert said == ""
    assert run.returncode == -signal.SIGPIPE


def test_a_dry_run_changes_nothing(project: Path, source: Path) -> None:
    before = files(project)
    assert adopt.main([str(source), "--dry-run"]) == 0
    after = files(project)
    after.pop(".state/locks/adopt.lock")
    assert after == before


def test_other_data_is_refused_unless_replaced_and_then_kept(
    project: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(project / "data/old.png", part(0))
    (project / "data.dvc").write_text("outs: old\n")
    assert adopt.main([str(source)]) == 1
    assert "add --replace" in capsys.readouterr().err
    assert (project / "data/old.png").exists()
    assert adopt.main([str(source), "--replace"]) == 0
    assert not (project / "data/old.png").exists()
    assert (project / "dvc.log").read_text().splitlines() == [
        "('commit', '-f', 'data.dvc')",
        "('add', 'data')",
    ]
    assert (project / "params.yaml.before-adopt-1").read_text(encoding="utf-8") == PARAMS
    assert (project / "data.dvc.before-adopt-1").read_text() == "outs: old\n"
    assert "to undo: mv params.yaml.before-adopt-1 params.yaml && " in capsys.readouterr().out


def test_numbers_of_the_old_line_are_put_aside_and_come_back(
    project: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = project / "metrics"
    metrics.mkdir()
    (metrics / "assemble.json").write_text("{}")
    (metrics / ".gitignore").write_text("")
    assert adopt.main([str(source), "--dry-run"]) == 0
    assert (metrics / "assemble.json").exists()
    assert adopt.main([str(source)]) == 0
    assert [path.name for path in metrics.iterdir()] == [".gitignore"]
    (undo,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("to undo: "))
    subprocess.run(["sh", "-c", undo.removeprefix("to undo: ")], check=True)
    assert (metrics / "assemble.json").read_text() == "{}"


def test_the_undo_lets_the_old_line_serve_again(
    project: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pointer = project / "models/releases/champion.json"
    pointer.parent.mkdir(parents=True)
    pointer.write_text("old line")
    assert adopt.main([str(source)]) == 0
    pointer.write_text("new line")
    (undo,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("to undo: "))
    subprocess.run(["sh", "-c", undo.removeprefix("to undo: ")], check=True)
    assert pointer.read_text() == "old line"


def test_data_in_place_keeps_its_numbers(project: Path) -> None:
    flat_line(project / "data", classes=["good", "dent"], n_parts=6)
    (project / "metrics").mkdir()
    (project / "metrics/assemble.json").write_text("{}")
    assert adopt.main(["data"]) == 0
    assert (project / "metrics/assemble.json").exists()


def test_reviews_of_the_old_data_are_put_aside(project: Path, source: Path) -> None:
    assert adopt.main([str(source)]) == 0
    assert (project / "reviews/labels.csv").read_text() == "image_sha256,label,reviewer,note\n"
    assert "a,b,c,d" in (project / "reviews/labels.csv.before-adopt-1").read_text()
    assert (project / "reviews/boxes.csv").read_text() == "image_sha256,category\n"
    assert "a,b" in (project / "reviews/boxes.csv.before-adopt-1").read_text()


def test_a_run_that_was_killed_while_copying_leaves_the_old_data(
    project: Path, source: Path
) -> None:
    put(project / "data/old.png", part(0))
    put(project / "data.incoming/half.png", part(1))
    assert adopt.main([str(source), "--replace"]) == 0
    assert not (project / "data.incoming").exists()
    assert not (project / "data/half.png").exists()


def test_a_run_that_was_killed_between_its_renames_is_put_right(
    project: Path, source: Path
) -> None:
    put(project / "data.outgoing/old.png", part(0))
    assert adopt.main([str(source)]) == 1
    assert (project / "data/old.png").exists()


def test_data_that_is_in_place_is_understood_in_place(project: Path) -> None:
    flat_line(project / "data", classes=["good", "dent"], n_parts=6)
    before = files(project / "data")
    assert adopt.main(["data"]) == 0
    assert files(project / "data") == before
    params = YAML(typ="safe").load(project / "params.yaml")
    assert params["validate"]["part_from"] == {"rule": "pattern"}


@pytest.mark.parametrize(
    ("folder", "reported"),
    [
        ("nowhere", "no such folder"),
        (".", "holds the project itself"),
        ("..", "holds the project itself"),
        ("data/images", "lies in data/"),
        ("empty", "no image"),
    ],
)
def test_a_wrong_folder_is_refused_by_its_remedy(
    project: Path, folder: str, reported: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "empty").mkdir()
    flat_line(project / "data", classes=["good", "dent"])
    assert adopt.main([folder]) == 1
    error = capsys.readouterr().err
    assert error.startswith("adopt: failed\n")
    assert reported in error


def test_images_that_cannot_be_read_are_reported(
    project: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "good/broken.png").write_bytes(b"no image")
    assert adopt.main([str(source), "--dry-run"]) == 0
    assert "1 of 13 images looked at cannot be read: 'good/broken.png (not_an_image)'" in (
        capsys.readouterr().out
    )
    for path in source.rglob("*.png"):
        path.write_bytes(b"")
    assert adopt.main([str(source), "--dry-run"]) == 1
    assert "none of the images can be read" in capsys.readouterr().err


def test_a_kind_of_image_that_cannot_be_read_is_left_out(
    project: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted(source.rglob("*.png")):
        put(path.parent / f"xyz/{path.stem}.tiff", np.zeros((8, 8, 3), np.float32))
    found = adopt.adopt(source, dry_run=True)
    assert not [path for path in found.files if path.endswith(".tiff")]
    assert len(found.photos) == 12
    assert "images are of a kind of which none can be read" in capsys.readouterr().out


def test_boxes_are_copied_with_the_images(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "boxed"
    for n in range(12):
        put(folder / f"images/{n}.png", part(n, defect=n < 5))
    boxes = {f"{n}.png": [("dent", [24, 14, 16, 12 + n])] if n < 5 else [] for n in range(12)}
    coco(folder / "boxes.json", boxes)
    assert adopt.main([str(folder)]) == 0
    assert (project / "data/boxes.json").exists()
    params = YAML(typ="safe").load(project / "params.yaml")
    assert params["validate"]["coco"] == ["boxes.json"]


def undo_of(said: str) -> str:
    (line,) = (line for line in said.splitlines() if line.startswith("to undo: "))
    return line.removeprefix("to undo: ").replace("dvc checkout", "true")


def test_a_second_adopt_leaves_the_undo_of_the_first(
    project: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adopt.main([str(source), "--name", "first"]) == 0
    first = undo_of(capsys.readouterr().out)
    assert adopt.main([str(source), "--name", "second", "--replace"]) == 0
    second = undo_of(capsys.readouterr().out)

    subprocess.run(["sh", "-c", second], check=True)
    params = (project / "params.yaml").read_text(encoding="utf-8")
    assert YAML(typ="safe").load(params)["line"]["name"] == "first"
    subprocess.run(["sh", "-c", first], check=True)
    assert (project / "params.yaml").read_text(encoding="utf-8") == PARAMS


def test_a_question_is_answered_by_a_flag(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "unclear"
    for label in ("serie A", "serie B"):
        for n in range(6):
            put(folder / label / f"{n}.png", part(n, defect=label != "serie A"))
    assert adopt.main([str(folder)]) == 1
    assert "say NORMAL=<folder> (pipelines.adopt: --normal)" in capsys.readouterr().err
    assert not (project / "data").exists()
    assert adopt.main([str(folder), "--normal", "serie A", "--name", "x-line"]) == 0
    params = YAML(typ="safe").load(project / "params.yaml")
    assert (params["line"]["name"], params["line"]["normal"]) == ("x-line", "a")


@pytest.mark.slow
def test_the_real_dvc_tracks_the_data_and_brings_the_old_back(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "real"
    root.mkdir()
    (root / "params.yaml").write_text(PARAMS, encoding="utf-8")
    put(root / "data/old.png", part(0))

    def run(*words: str) -> str:
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("git", "init", "-q")
    run(sys.executable, "-m", "dvc", "init", "-q")
    here = Path(__file__).parents[2]
    said = run(
        "env",
        f"PYTHONPATH={here}",
        sys.executable,
        "-m",
        "pipelines.adopt",
        str(source),
        "--replace",
    )
    assert (root / "data/good/0.png").exists()
    (undo,) = (line for line in said.splitlines() if line.startswith("to undo: "))
    assert "dvc checkout data.dvc" in undo
    command = undo.removeprefix("to undo: ").replace(
        "dvc checkout", f"{sys.executable} -m dvc checkout"
    )
    run("sh", "-c", command)
    assert (root / "data/old.png").exists()
    assert (root / "params.yaml").read_text(encoding="utf-8") == PARAMS
