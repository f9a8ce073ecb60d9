from pathlib import Path

import pytest

from inspection.runtime.releases import promote, release
from inspection.runtime.signatures import make_keys
from pipelines.doctor import project
from tests.bundles import make_bundle


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("KNURL_PUBLIC_KEY", raising=False)
    return tmp_path


def test_what_an_empty_folder_lacks_is_named_with_what_brings_it(folder: Path) -> None:
    found = {one.subject: one for one in project.checks()}
    assert {name: one.state for name, one in found.items()} == {
        "git": "warning",
        "environment": "warning",
        "params.yaml": "fault",
        "data": "warning",
        "dvc.lock": "warning",
        "parameters": "ok",
        "champion": "warning",
    }
    assert all(one.remedy for one in found.values() if one.state != "ok")


def test_data_that_is_tracked_and_away_is_a_fault(folder: Path) -> None:
    (folder / "data.dvc").write_text("outs: []\n")
    assert project.data().state == "fault"
    (folder / "data").mkdir()
    (folder / "data/1.jpg").touch()
    assert (project.data().state, project.data().text) == ("ok", "1 files")


def test_a_lock_file_that_a_power_cut_left_empty_is_a_fault(folder: Path) -> None:
    (folder / "dvc.lock").touch()
    assert project.dvc_lock().state == "fault"
    (folder / "dvc.lock").write_text("stages: {train: {}}\n")
    assert (project.dvc_lock().state, project.dvc_lock().text) == ("ok", "1 stages")


def test_variables_that_are_not_set_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "project.env").write_text("# why\nKNURL_HERE=1\nKNURL_EMPTY=\n")
    assert "KNURL_HERE" in project.environment(project.ENVIRONMENT).text
    monkeypatch.setenv("KNURL_HERE", "1")
    assert project.environment(project.ENVIRONMENT).state == "ok"


def test_parameters_of_a_run_that_was_cut_off_are_told(folder: Path) -> None:
    project.KEPT.mkdir(parents=True)
    assert project.overridden().state == "warning"


def test_a_champion_is_whole_and_signed_where_that_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases = folder / "models/releases"
    make_bundle(folder / "bundle")
    release(folder / "bundle", releases, "1")
    promote(releases, "1")
    assert project.release(releases).state == "ok"

    monkeypatch.setenv("KNURL_PUBLIC_KEY", str(make_keys(folder / "line.key")))
    assert "signed" in project.release(releases).text
    assert project.release(releases).state == "fault"

    monkeypatch.delenv("KNURL_PUBLIC_KEY")
    (releases / "1/anomaly.onnx").write_bytes(b"another model")
    assert project.release(releases).state == "fault"
