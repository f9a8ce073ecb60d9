"""What the verbs of the Makefile run, as make itself says it without running it."""

import subprocess

import pytest

from tests.architecture import ROOT
from tests.surroundings import plain_environment

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def told(*words: str) -> subprocess.CompletedProcess[str]:
    """What `make --dry-run` prints; the environment counts as made."""
    made = ("--dry-run", "--assume-old=.venv/.ready")
    return subprocess.run(
        ["make", *made, *words], cwd=ROOT, env=plain_environment(), capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["DATA=a b"], '"a b"'),
        (["DATA=a", "REPLACE=1"], '"a" --replace'),
        (["DATA=a", "NORMAL=no defect", "NAME=tiles"], '"a" --normal "no defect" --name "tiles"'),
    ],
)
def test_adopt_passes_on_what_it_is_given(given: list[str], expected: str) -> None:
    recipe = told("adopt", *given).stdout.replace("\\\n", " ")

    assert " ".join(recipe.split()).endswith(f"python -m pipelines.adopt {expected}")


def test_the_usage_of_adopt_names_every_variable() -> None:
    listed = next(line for line in MAKEFILE.splitlines() if line.startswith("adopt:"))
    usage = told("adopt", "DATA=").stdout.split('"')[3]

    assert usage.removesuffix(":") == listed.split(": ")[-1]
    for variable in ("DATA=", "REPLACE=", "NORMAL=", "NAME="):
        assert variable in usage
