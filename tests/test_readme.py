"""The README's commands exist: verbs of the Makefile, programs that answer --help, DVC's own."""

import re
import subprocess
import sys

import pytest

from tests.architecture import ROOT, file_of

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMANDS = [
    line.removeprefix("$ ").split("  #")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
PROGRAMS = sorted({match for c in COMMANDS for match in re.findall(r"python -m ([\w.]+)", c)})


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_every_make_verb_of_the_readme_is_one(command: str) -> None:
    verb = command.split()[1]

    assert re.search(rf"^{verb}:.*##", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("module", [p for p in PROGRAMS if file_of(p)])
def test_every_program_of_the_readme_answers_help(module: str) -> None:
    command = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert (done.returncode, "usage:" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("verb", re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))
def test_every_verb_of_the_makefile_is_in_the_readme(verb: str) -> None:
    assert f"make {verb}" in README


def test_every_room_is_in_the_tree_of_the_readme() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    rooms = {name.split("/")[0] for name in listed.splitlines() if "/" in name}

    assert {room for room in rooms if f"{room}/" not in README} == set()
