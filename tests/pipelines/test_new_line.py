import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from inspection.runtime.releases import POINTER
from inspection.storage import read_json
from pipelines.intake import new_line
from tests.architecture import ROOT
from tests.pictures import part, put
from tests.surroundings import plain_environment

NEEDED = ("dvc.yaml", "params.yaml", "libraries.yaml", "requirements.in", "requirements.txt",
          ".gitignore", ".dvcignore", "reviews", "inspection", "stages", "pipelines", "Makefile",
          "project.env")  # fmt: skip
UP_TO = "crop"


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Parts of two classes, as two lines may both have them."""
    folder = tmp_path / "frames"
    for label in ("good", "bent"):
        for n in range(12):
            put(folder / label / f"{n}.png", part(n, defect=label != "good"))
    return folder


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project without data, the current folder."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, copy / name, ignore=ignore)
        else:
            shutil.copy(source, copy / name)
    (copy / ".state").mkdir()
    monkeypatch.chdir(copy)
    for name, value in environment(copy).items():
        monkeypatch.setenv(name, value)
    run("git", "init", "--quiet")
    run(sys.executable, "-m", "dvc", "init", "--quiet")
    return copy


def environment(copy: Path) -> dict[str, str]:
    return {
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(copy / ".state/dvc"),
        "PYTHONPATH": "",
        "PATH": f"{Path(sys.executable).parent}:{plain_environment()['PATH']}",
    }


def run(*command: str, expect: int = 0) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == expect, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def make(*words: str, expect: int = 0) -> str:
    return run("make", "--assume-old=.venv/.ready", *words, expect=expect)


def commit() -> None:
    run("git", "add", ".")
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    run("git", *who, "commit", "--quiet", "-m", "all")


@pytest.mark.slow
def test_two_lines_in_one_checkout_are_made_and_run_each_for_itself(
    checkout: Path, frames: Path
) -> None:
    make("adopt", f"DATA={frames}", "NAME=rods")
    for label, n in (("good", 20), ("good", 21), ("bent", 20)):
        put(frames / label / f"{n}.png", part(n, defect=label != "good"))
    make("line", "NAME=tiles", f"DATA={frames}")
    commit()

    # as users of DVC run a part of a repository, without this project's environment
    run("dvc", "--cd", "lines/tiles", "repro", UP_TO)
    tiles = checkout / "lines/tiles"
    assert read_json(tiles / "metrics/validate.json")["n_views"] == 27
    assert (tiles / "artifacts/crops").is_dir()
    assert not (checkout / "artifacts").exists()
    stages = YAML(typ="safe").load((tiles / "dvc.lock").read_text())["stages"]
    assert list(stages) == ["validate", "clean_labels", "split", "crop"]
    sources = {one["path"] for stage in stages.values() for one in stage["deps"]}
    assert {"../../stages/crop.py", "../../inspection/line.py", "data"} <= sources

    before = {path: path.read_bytes() for path in tiles.rglob("*.json")}
    run("dvc", "repro", UP_TO)
    assert read_json(checkout / "metrics/validate.json")["n_views"] == 24
    assert before == {path: path.read_bytes() for path in tiles.rglob("*.json")}
    # git shows results of both, and no data
    untracked = run("git", "status", "--porcelain", "--untracked-files=all").splitlines()
    assert {one.split("/")[0] for one in untracked} <= {"?? dvc.lock", "?? metrics", "?? lines"}
    assert not any("artifacts" in one or ".before-adopt" in one for one in untracked)

    # a changed source makes both of them stale
    with (checkout / "stages/split.py").open("a") as file:
        file.write("\n# changed\n")
    assert "Running stage 'split'" in run("dvc", "repro", "--dry", UP_TO)
    assert "Running stage 'split'" in run("dvc", "--cd", "lines/tiles", "repro", "--dry", UP_TO)


def test_a_command_in_the_folder_of_a_line_is_about_that_line(checkout: Path) -> None:
    tiles = checkout / "lines/tiles"
    tiles.mkdir(parents=True)
    text = (checkout / "params.yaml").read_text(encoding="utf-8")
    (tiles / "params.yaml").write_text(text.replace("name: rod-assembly", "name: tiles"), "utf-8")

    said = run("sh", "-c", "cd lines/tiles && PYTHONPATH=../.. python -m pipelines.status")

    assert said.startswith("tiles: version - serves\n")
    assert (tiles / "mlruns/mlflow.db").is_file()
    assert not (checkout / "mlruns").exists()

    refused = run("sh", "-c", "cd lines/tiles && PYTHONPATH=../.. python -m pipelines.promote",
                  expect=1)  # fmt: skip
    assert "run `dvc --cd lines/tiles repro`; after a clone or" in refused
    assert "`make promote LINE=tiles`" in refused


def test_a_dry_run_and_a_failure_leave_no_folder(
    checkout: Path, frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new_line.main(["tiles", str(frames), "--dry-run"])
    assert "nothing was changed" in capsys.readouterr().out
    assert not (checkout / "lines/tiles").exists()

    (checkout / "empty").mkdir()
    with pytest.raises(SystemExit):
        new_line.main(["tiles", str(checkout / "empty")])
    assert not (checkout / "lines/tiles").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Two words", "no name for one"),
        ("../tiles", "no name for one"),
        ("there", "is there already"),
        ("rod-assembly", "of the line in the root"),
    ],
)
def test_a_name_that_is_none_or_taken_is_refused(
    checkout: Path, frames: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    (checkout / "lines/there").mkdir(parents=True)

    with pytest.raises(SystemExit):
        new_line.main([name, str(frames)])

    assert said in capsys.readouterr().err
    assert [path.name for path in (checkout / "lines").iterdir()] == ["there"]


def test_a_new_line_has_the_settings_of_the_root_and_none_of_its_reviews_or_champion(
    checkout: Path, frames: Path
) -> None:
    (checkout / "reviews/labels.csv").write_text("image_sha256,label,reviewer,note\na,b,c,d\n")
    (checkout / "models/releases").mkdir(parents=True)
    (checkout / "models/releases" / POINTER).write_text("{}")

    new_line.main(["tiles", str(frames)])

    tiles = checkout / "lines/tiles"
    params = YAML(typ="safe").load((tiles / "params.yaml").read_text())
    assert params["line"]["name"] == "tiles"
    assert params["split"] == YAML(typ="safe").load((checkout / "params.yaml").read_text())["split"]
    assert (tiles / "reviews/labels.csv").read_text() == "image_sha256,label,reviewer,note\n"
    assert (tiles / "reviews/golden.csv").is_file()
    assert not (tiles / "models").exists()
    assert run(sys.executable, "-m", "stages.dependencies", "--check") == ""
    with (tiles / "dvc.yaml").open("a") as file:
        file.write("# by hand\n")
    assert "lines/tiles/dvc.yaml: stale" in run(
        sys.executable, "-m", "stages.dependencies", "--check", expect=1
    )
