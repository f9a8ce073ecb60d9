"""What the verbs of the Makefile run, as make itself says it without running it."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.architecture import ROOT
from tests.surroundings import plain_environment

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def dry_run(*words: str) -> subprocess.CompletedProcess[str]:
    """What `make --dry-run` prints; the environment counts as made."""
    made = ("--dry-run", "--assume-old=.venv/.ready")
    return subprocess.run(
        ["make", *made, *words], cwd=ROOT, env=plain_environment(), capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("given", "runs"),
    [
        ([], "python -m pipelines.repro"),
        (["V=1"], "dvc repro"),
        (["VERBOSE=1"], "dvc repro"),
    ],
)
def test_demo_prints_a_line_a_stage_unless_all_is_asked_for(given: list[str], runs: str) -> None:
    recipe = dry_run("--assume-old=data", "demo", *given).stdout.splitlines()

    assert recipe[-3:] == [runs, "python -m pipelines.promote", "python -m pipelines.summary"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["DATA=a b"], '"a b"'),
        (["DATA=a", "REPLACE=1"], '"a" --replace'),
        (["DATA=a", "NORMAL=no defect", "NAME=tiles"], "\"a\" --normal 'no defect' --name 'tiles'"),
        (["DATA=a", "DRY=1", "PART=<part>_<shot>"], "\"a\" --dry-run --part '<part>_<shot>'"),
        (["DATA=a", "FORM=table", "LABEL=kind"], "\"a\" --form 'table' --label 'kind'"),
        (["DATA=a", "MASKS={folder}/{stem}.png"], "\"a\" --masks '{folder}/{stem}.png'"),
    ],
)
def test_adopt_passes_on_what_it_is_given(given: list[str], expected: str) -> None:
    recipe = dry_run("adopt", *given).stdout.replace("\\\n", " ")

    assert " ".join(recipe.split()).endswith(f"python -m pipelines.adopt {expected}")


def test_the_usage_of_adopt_names_every_variable() -> None:
    listed = next(line for line in MAKEFILE.splitlines() if line.startswith("adopt:"))
    usage = dry_run("adopt", "DATA=").stdout.split('"')[3]

    assert usage.removesuffix(":") == listed.split(": ")[-1]
    for variable in ("DATA=", "DRY=", "REPLACE=", "FORM=", "PART=", "MASKS=", "LABEL=", "NORMAL=",
                     "NAME="):  # fmt: skip
        assert variable in usage


@pytest.fixture
def tiles() -> Iterator[str]:
    """A folder of a line, for as long as a test lasts."""
    folder = ROOT / "lines/of-this-test"
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text("")
    yield folder.name
    shutil.rmtree(folder)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()


@pytest.mark.parametrize(
    "verb",
    ["repro", "bento", "promote", "flow", "follow", "watch", "registry", "evidence", "drill",
     "seeds", "study", "sign"],
)  # fmt: skip
def test_with_a_line_a_verb_runs_in_its_folder(verb: str, tiles: str) -> None:
    recipe = dry_run(verb, f"LINE={tiles}", "KEY=k").stdout.replace("\\\n", " ").splitlines()
    plain = dry_run(verb, "KEY=k").stdout.replace("\\\n", " ").splitlines()

    here = f"cd lines/{tiles} && "
    commands = [one for one in plain if not one.startswith("test ")]
    assert [one for one in recipe if one.startswith("cd ")] == [here + one for one in commands]


def test_with_a_line_adopt_finds_the_folder_from_where_make_was_called(tiles: str) -> None:
    recipe = dry_run("adopt", f"LINE={tiles}", "DATA=a b").stdout

    assert (
        f'cd lines/{tiles} && python -m pipelines.adopt "$(cd "$OLDPWD" && realpath -- "a b")"'
        in recipe
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve", "LINE=of-this-test"], "leave it out of `make serve`"),
        (["repro", "LINE=rots"], "make one with `make line NAME=rots DATA=<folder>`"),
    ],
)
def test_a_line_that_is_none_and_a_verb_of_all_lines_are_refused(
    tiles: str, words: list[str], said: str
) -> None:
    done = dry_run(*words)

    assert done.returncode == 2
    assert said in done.stderr
