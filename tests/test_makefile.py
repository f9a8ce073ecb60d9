"""What the verbs of the Makefile run, as make itself says it without running it."""

import subprocess

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
