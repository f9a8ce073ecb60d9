import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.pipeline import fingerprint

ROOT = Path(__file__).parents[3]
PIPELINE = """\
stages:
  drawn:
    cmd: exec python -m drawn
    deps: [data, note.csv, stages/drawn.py]
    params:
      - split
      - libraries.yaml: [torch]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "stages").mkdir()
    (tmp_path / "data/lot").mkdir(parents=True)
    (tmp_path / "data/lot/a.png").write_bytes(b"a")
    (tmp_path / "note.csv").write_text("a\n")
    (tmp_path / "stages/drawn.py").write_text("1\n")
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "params.yaml").write_text("split: {seed: 1}\ncrop: {seed: 1}\n")
    (tmp_path / "libraries.yaml").write_text("torch: '2'\npandas: '3'\n")
    return tmp_path


def ran(folder: Path, edit: str) -> subprocess.CompletedProcess[str]:
    """Run the stage `drawn`, in the midst of which `edit` is done by its main."""
    source = (
        "from pathlib import Path\nfrom stages import program\n"
        f"def main():\n    {edit}\nprogram.run('drawn', main)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", source],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        ("Path('stages/drawn.py').write_text('2')", "stages/drawn.py"),
        ("Path('note.csv').write_text('b')", "note.csv"),
        ("Path('data/lot/a.png').write_bytes(b'ab')", "data/lot/a.png"),
        ("Path('data/lot/b.png').write_bytes(b'b')", "data/lot/b.png"),
        ("Path('data/lot/a.png').unlink()", "data/lot/a.png"),
        ("Path('params.yaml').write_text('split: {seed: 2}')", "params.yaml: split"),
        ("Path('libraries.yaml').write_text('torch: 3')", "libraries.yaml: torch"),
    ],
)
def test_a_stage_fails_when_what_it_depends_on_changes_while_it_runs(
    project: Path, edit: str, changed: str
) -> None:
    done = ran(project, edit)

    assert done.returncode == 1
    assert f"{changed}: changed while stage drawn ran" in done.stderr
    assert "run it again" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "edit",
    [
        "pass",
        "Path('other.csv').write_text('b')",
        "Path('note.csv').write_text('a\\n')",
        "Path('params.yaml').write_text('split: {seed: 1}\\ncrop: {seed: 2}')",
        "Path('libraries.yaml').write_text('torch: \"2\"\\npandas: \"4\"')",
    ],
)
def test_what_the_stage_does_not_depend_on_may_change(project: Path, edit: str) -> None:
    done = ran(project, edit)

    assert (done.returncode, done.stderr) == (0, "")


def test_other_dependencies_have_another_name(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    before = fingerprint.digest(fingerprint.of_stage("drawn"))
    assert fingerprint.digest(fingerprint.of_stage("drawn")) == before
    (project / "note.csv").write_text("b\n")
    assert fingerprint.digest(fingerprint.of_stage("drawn")) != before


def test_a_large_file_is_known_by_its_size_and_time(project: Path) -> None:
    (project / "note.csv").write_bytes(bytes(1_000_001))
    assert ran(project, "pass").returncode == 0

    edit = "Path('note.csv').write_bytes(bytes(1_000_002))"
    assert "note.csv: changed" in ran(project, edit).stderr


def test_a_stage_that_dvc_does_not_know_is_not_watched(project: Path) -> None:
    (project / "dvc.yaml").unlink()

    assert ran(project, "Path('note.csv').write_text('b')").returncode == 0
