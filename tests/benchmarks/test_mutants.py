import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.mutants import Constant, Mutant, constants_of, moved, mutated, own_tests

ROOT = Path(__file__).parents[2]
RATES = """\
LIMIT = 3  # parts
SPARE = 0.5
SEED = 7  # no outcome: any would do
# no outcome: only how it is drawn
SIZES = (1, 2)


def passes(n):
    return n < LIMIT and n != 100
"""
TESTS = """\
from inspection.rooms.rates import passes


def test_the_limit():
    assert passes(2)
    assert not passes(3)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("inspection/rooms", "tests/inspection/rooms"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n')
    (tmp_path / "inspection/__init__.py").write_text("")
    (tmp_path / "inspection/rooms/__init__.py").write_text("")
    (tmp_path / "inspection/rooms/rates.py").write_text(RATES)
    (tmp_path / "tests/inspection/rooms/test_rates.py").write_text(TESTS)
    return tmp_path


def ran(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.mutants", *words],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_constant_that_no_test_holds_survives_and_is_named_by_its_line(project: Path) -> None:
    done = ran(project)

    assert done.stdout.splitlines() == [
        "rooms: 2 of 4 killed (50%)",
        "all: 2 of 4 killed (50%)",
        "alive: inspection/rooms/rates.py:2: 0.5 -> 0.625 "
        "(tests/inspection/rooms/test_rates.py passes)",
        "alive: inspection/rooms/rates.py:2: 0.5 -> 0.4 "
        "(tests/inspection/rooms/test_rates.py passes)",
    ]
    assert (project / "inspection/rooms/rates.py").read_text() == RATES


def test_results_are_kept_until_the_module_or_its_tests_change(project: Path) -> None:
    first = ran(project, "--rooms", "rooms").stdout
    kept = project / ".state/mutants.json"
    kept_keys = json.loads(kept.read_text())
    kept.write_text(json.dumps(dict.fromkeys(kept_keys, True)))
    again = ran(project, "--rooms", "rooms").stdout
    with (project / "tests/inspection/rooms/test_rates.py").open("a") as file:
        file.write("\n\ndef test_nothing_more():\n    assert passes(1)\n")
    changed = ran(project, "--rooms", "rooms").stdout

    assert again.startswith("rooms: 4 of 4 killed")
    assert changed == first


def test_a_module_without_tests_kills_nothing(project: Path) -> None:
    (project / "tests/inspection/rooms/test_rates.py").unlink()

    assert "rooms: 0 of 4 killed (0%)" in ran(project).stdout


def test_tests_that_fail_by_themselves_kill_nothing_and_stop_the_run(project: Path) -> None:
    (project / "tests/inspection/rooms/test_rates.py").write_text("def test_it():\n    assert 0\n")
    done = ran(project)

    assert done.returncode == 1
    assert "fails without any mutant" in done.stderr


def test_a_mutant_that_never_ends_is_killed_by_its_time(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.mutants import passes

    (project / "tests/inspection/rooms/test_rates.py").write_text(
        "import time\n\n\ndef test_it():\n    time.sleep(120)\n"
    )
    monkeypatch.chdir(project)

    assert not passes(project, "tests/inspection/rooms/test_rates.py", limit_s=2)


def test_a_room_that_is_not_there_is_refused(project: Path) -> None:
    done = ran(project, "--rooms", "attic")

    assert done.returncode == 1
    assert "inspection/attic: no such room" in done.stderr


def test_constants_are_found_within_tuples_and_dicts_and_at_the_top_level_only() -> None:
    text = "A = {'x': (1, -2.5)}\nB: int = 3\nC = True\n\ndef f(n=4):\n    D = 5\n"

    assert [(one.line, one.value) for one in constants_of("m.py", text)] == [
        (1, 1),
        (1, 2.5),
        (2, 3),
    ]


def test_a_constant_is_moved_both_ways_and_only_it_is_replaced() -> None:
    text = 'WORDS = "ä"; LIMIT = -2'
    (constant,) = constants_of("m.py", text)
    up, down = moved(constant)

    assert mutated(text.encode(), up).decode() == 'WORDS = "ä"; LIMIT = -(3)'
    assert mutated(text.encode(), down).decode() == 'WORDS = "ä"; LIMIT = -(1)'


@pytest.mark.parametrize(
    ("value", "others"), [(3, [4, 2]), (2.0, [2.5, 1.6]), (0.0, [0.1, -0.1]), (0, [1, -1])]
)
def test_whole_numbers_move_by_one_and_others_by_a_quarter(
    value: float, others: list[float]
) -> None:
    constant = Constant("m.py", 1, 0, 1, value)

    assert moved(constant) == [Mutant(constant, other) for other in others]


def test_the_tests_of_a_module_mirror_its_path() -> None:
    assert own_tests("inspection/models/cam.py") == "tests/inspection/models/test_cam.py"
    assert own_tests("inspection/line.py") == "tests/inspection/test_line.py"
