import subprocess
import sys
from pathlib import Path

import pytest

from stages.pipeline.tracked import keys_of, libraries_of, libraries_text

PROGRAM = """\
from stages import sections
def main():
    sections.read(
        sections.line("classes", "normal"),
        sections.section("train", object),
    )
"""
PIPELINE = """\
stages:
  train:
    cmd: echo trained > out.txt
    params: [line.classes, line.normal, {libraries.yaml: [torch]}]
    outs: [out.txt]
"""
LINE = "line: {name: rods, normal: good, classes: {good: {}}, causes: {good: none}}\n"


def test_the_keys_are_those_that_the_stage_asks_for(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)

    assert keys_of(tmp_path / "train.py") == ["line.classes", "line.normal", "train"]


def test_a_library_is_known_by_the_name_that_is_required_and_not_by_that_of_its_import() -> None:
    required = ["opencv-python-headless", "scikit-learn", "numpy", "tqdm", "Pillow"]
    imported = ["cv2", "sklearn.linear_model", "PIL", "tqdm", "os.path", "inspection.line"]

    assert libraries_of(imported, required) == ["Pillow", "opencv-python-headless", "scikit-learn"]


def test_the_versions_are_the_pinned_ones() -> None:
    text = libraries_text(["torch", "numpy", "torch"], {"numpy": "2.1", "torch": "2.7.1"})

    assert text.splitlines()[1:] == ['numpy: "2.1"', 'torch: "2.7.1"']


def dvc(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "dvc", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "repeats"),
    [
        ("params.yaml", "causes: {good: none}", "causes: {good: nothing}", False),
        ("params.yaml", "name: rods", "name: bars", False),
        ("params.yaml", "classes: {good: {}}", "classes: {good: {aliases: [ok]}}", True),
        ("libraries.yaml", "pandas: '3'", "pandas: '4'", False),
        ("libraries.yaml", "torch: '2'", "torch: '3'", True),
    ],
)
def test_dvc_repeats_a_stage_for_the_keys_and_libraries_it_uses_alone(
    tmp_path: Path, file: str, old: str, new: str, *, repeats: bool
) -> None:
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "params.yaml").write_text(LINE)
    (tmp_path / "libraries.yaml").write_text("torch: '2'\npandas: '3'\n")
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    dvc(tmp_path, "repro", "--quiet")
    path = tmp_path / file
    path.write_text(path.read_text().replace(old, new))

    assert ("train" in dvc(tmp_path, "status")) is repeats
