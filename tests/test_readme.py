"""The README's commands exist; each is run by a test, or it is said why not (tests/readme.py)."""

import re
import subprocess
import sys

import pytest

from tests.architecture import ROOT, files_of_module
from tests.readme import (
    COMMANDS,
    IN_THE_PROJECT,
    NOT_RUN,
    PAGES,
    README,
    RUN_BY,
    TEXT,
    committed,
    numbers,
    runner,
)

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROGRAMS = sorted({match for c in COMMANDS for match in re.findall(r"python -m ([\w.]+)", c)})


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_known_who_runs_a_command_of_the_readme(command: str) -> None:
    assert runner(command), f"{command}: run it in a test, and name that test in tests/readme.py"


def test_a_command_that_nobody_runs_is_noticed() -> None:
    assert runner("dvc metrics showing") == ""
    assert runner("make demolition") == ""


@pytest.mark.parametrize("place", sorted(set(RUN_BY.values())))
def test_the_tests_that_are_said_to_run_a_command_exist(place: str) -> None:
    path, _, name = place.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")

    assert f"def {name}(" in text if name else path == ".ci/run"


@pytest.mark.parametrize("verb", [verb for verb, place in RUN_BY.items() if place == ".ci/run"])
def test_ci_runs_what_it_is_said_to_run(verb: str) -> None:
    """`make setup` stands behind every verb that needs the environment."""
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")

    assert verb in text or (verb == "make setup" and "lint: $(READY)" in MAKEFILE)


@pytest.mark.parametrize("start", [*IN_THE_PROJECT, *RUN_BY, *NOT_RUN])
def test_no_entry_outlives_its_command(start: str) -> None:
    assert any((command + " ").startswith(start + " ") for command in COMMANDS)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_every_make_verb_of_the_readme_is_one(command: str) -> None:
    verb = command.split()[1]

    assert re.search(rf"^{verb}:.*##", MAKEFILE, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("module", [p for p in PROGRAMS if files_of_module(p)])
def test_every_program_of_the_readme_answers_help(module: str) -> None:
    command = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert (done.returncode, "usage:" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("verb", re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))
def test_every_verb_of_the_makefile_is_in_the_readme(verb: str) -> None:
    assert f"make {verb}" in TEXT


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_or_a_heading_leads_there(page: str) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", PAGES[page])
    inside = [one for one in targets if not re.match(r"https?:", one)]
    assert [one for one in inside if not leads_there(page, one)] == []


def leads_there(page: str, target: str) -> bool:
    """Whether the file of a link is there, and the heading in it that the link may name."""
    file, _, heading = target.partition("#")
    path = (ROOT / page).parent / file if file else ROOT / page
    if not path.exists():
        return False
    return not heading or heading in headings(path.read_text(encoding="utf-8"))


def headings(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in found}


def test_every_room_is_in_the_tree_of_the_readme() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    rooms = {name.split("/")[0] for name in listed.splitlines() if "/" in name}

    assert {room for room in rooms if f"{room}/" not in README} == set()


def test_the_numbers_of_the_readme_are_those_of_the_run_committed_with_it() -> None:
    if "name: rod-assembly" not in committed("params.yaml"):
        pytest.skip("the README tells of the sample line, and another one is committed here")
    text = committed("README.md")
    wrong = {head: row for head, row in numbers().items() if f"| {head} | {row}" not in text}

    assert wrong == {}
