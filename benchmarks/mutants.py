"""How many wrong constants the tests notice: `python -m benchmarks.mutants [--rooms models ...]`.

Every numeric constant at the top level of a module of `inspection/` is moved a little, first up,
then down, and the tests of its module are run on a copy of the project. A mutant is killed when
they fail. One that survives is a number that nothing holds in place: give it a test at its
boundary, or say `no outcome: <why>` in a comment on its line or above it.

Results are kept in .state/mutants.json, so a run that was stopped goes on where it was. One counts
as long as the module and its test file are as they were.
"""

import argparse
import ast
import hashlib
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

DOMAIN = "inspection"
GROUND = "ground"
NO_OUTCOME = "no outcome:"
RESULTS = Path(".state/mutants.json")

# Imported once, before the first run: each run is a fork, and starts within milliseconds. That
# takes as long as a few runs without it.
HEAVY = (
    "numpy",
    "pandas",
    "cv2",
    "scipy.stats",
    "sklearn.linear_model",
    "torch",
    "timm",
    "pytest",
)
# Up to so many, it would take longer than what it saves.
FEW_MUTANTS = 8
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LEFT_OUT = ("__pycache__", ".*", "truth", "*.png", "*.jpg")

# A mutant may loop for ever. It gets five times what the tests take without it, for a busy machine,
# and a minute more, for tests so short that their start-up is all of it.
TIME_FACTOR = 5
TIME_MORE_S = 60
# What the tests of one module may take without a mutant; slow ones are not run.
MAX_TESTS_S = 600

# What a float is multiplied by. A quarter is less than what two people would set differently, and
# more than rounding.
FLOAT_FACTORS = (1.25, 0.8)
ZERO_STEP = 0.1  # 0.0 has no quarter


@dataclass(frozen=True)
class Constant:
    """A numeric literal: its module, its first line, and where it lies in the module's bytes."""

    module: str
    line: int
    start: int
    end: int
    value: int | float


@dataclass(frozen=True)
class Mutant:
    """A constant that has been moved to another value."""

    constant: Constant
    value: int | float

    @property
    def name(self) -> str:
        """Place and change, as `inspection/rates.py:12: 95 -> 96`."""
        one = self.constant
        return f"{one.module}:{one.line}: {one.value} -> {self.value}"


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: killed, or alive and why."""

    mutant: Mutant
    killed: bool
    why: str


def main() -> None:
    """Run the mutants of the rooms that are asked for; print the share killed and the survivors."""
    wanted = _arguments()
    root = Path.cwd()
    constants: list[Constant] = []
    for room in wanted.rooms or [""]:
        constants += found_in(root, room)
    if wanted.sample and wanted.sample < len(constants):
        generator = random.Random(wanted.seed)
        constants = generator.sample(constants, wanted.sample)

    mutants: list[Mutant] = []
    for constant in sorted(constants, key=_place):
        mutants += moved(constant)
    if not mutants:
        raise SystemExit(
            f"no constants in {DOMAIN}/ {' '.join(wanted.rooms)}; name other rooms"
        )

    _prepare(heavy=len(mutants) > FEW_MUTANTS)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "project")
        copy_project(root, tree)
        outcomes = list(
            _each(
                mutants,
                tree,
                root / RESULTS,
                fresh=wanted.fresh,
            )
        )
    sys.stdout.write(summary(outcomes))


def found_in(root: Path, room: str) -> list[Constant]:
    """The constants of a room of the domain; `ground` are the modules in no room, '' is all."""
    domain = root / DOMAIN
    if room == GROUND:
        paths = domain.glob("*.py")
    elif room and not (domain / room).is_dir():
        raise SystemExit(
            f"{DOMAIN}/{room}: no such room; name a folder of {DOMAIN}/ or {GROUND}"
        )
    else:
        paths = (domain / room).rglob("*.py")

    found: list[Constant] = []
    for path in sorted(paths):
        name = path.relative_to(root).as_posix()
        found += constants_of(name, path.read_text(encoding="utf-8"))
    return found


def constants_of(module: str, text: str) -> list[Constant]:
    """The numeric literals in the assignments at the top level of a module.

    Those on a line, or in a statement, that `no outcome:` stands on or directly above are left out.
    """
    lines = text.encode("utf-8").splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    found = []
    for statement in ast.parse(text).body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        if statement.value is None:
            continue
        if _is_excused(lines, statement.lineno):
            continue
        for node, value in _numbers(statement.value):
            if _is_excused(lines, node.lineno):
                continue
            of_line = starts[node.lineno - 1]
            start = of_line + node.col_offset
            end = of_line + (node.end_col_offset or 0)
            found.append(Constant(module, node.lineno, start, end, value))
    return sorted(found, key=_place)


def moved(constant: Constant) -> list[Mutant]:
    """The constant a little larger, and a little smaller."""
    value = constant.value
    if isinstance(value, int):
        others: tuple[int | float, ...] = (value + 1, value - 1)
    elif value == 0:
        others = (ZERO_STEP, -ZERO_STEP)
    else:
        others = tuple(value * factor for factor in FLOAT_FACTORS)
    return [Mutant(constant, other) for other in others]


def mutated(content: bytes, mutant: Mutant) -> bytes:
    """The bytes of a module with the constant replaced."""
    # In brackets: `-5` moved past zero, and `5 .real`, stay what they mean.
    new = f"({mutant.value!r})"
    before = content[: mutant.constant.start]
    after = content[mutant.constant.end :]
    return before + new.encode() + after


def own_tests(module: str) -> str:
    """The test file of a module: `inspection/models/cam.py` has its tests in
    `tests/inspection/models/test_cam.py`.
    """
    path = Path(module)
    return Path("tests", path.parent, f"test_{path.name}").as_posix()


def copy_project(root: Path, tree: Path) -> None:
    """Copy the files at the root, and every folder that holds Python; no data, no models."""
    tree.mkdir()
    ignored = shutil.ignore_patterns(*LEFT_OUT)
    for path in root.iterdir():
        target = tree / path.name
        if path.is_file():
            shutil.copy2(path, target)
        elif _holds_python(path):
            shutil.copytree(path, target, ignore=ignored)


def _holds_python(folder: Path) -> bool:
    """Whether a folder of the project is needed by its tests; that of tests may be no package."""
    if folder.name.startswith("."):
        return False
    return folder.name == "tests" or any(folder.glob("*.py"))


def passes(tree: Path, tests: str, limit_s: int) -> bool:
    """Whether a test file passes in the tree, in time, in a fork of this process."""
    child = os.fork()
    if child == 0:
        _become_pytest(tree, tests, limit_s)
    _, status = os.waitpid(child, 0)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what a killed test may have started
    return status == 0


def summary(outcomes: Sequence[Outcome]) -> str:
    """A row for each room and for all, then a line for each mutant that is alive."""
    by_room: dict[str, list[Outcome]] = {}
    for one in outcomes:
        room = _room_of(one.mutant.constant.module)
        by_room.setdefault(room, []).append(one)

    rows = [_row(room, by_room[room]) for room in sorted(by_room)]
    rows.append(_row("all", outcomes))
    for one in outcomes:
        if not one.killed:
            rows.append(f"alive: {one.mutant.name} ({one.why})")
    return "\n".join(rows) + "\n"


def _each(
    mutants: Sequence[Mutant], tree: Path, results: Path, *, fresh: bool
) -> Iterator[Outcome]:
    """Run mutant by mutant; a file's tests are run once without any before its first mutant."""
    known: dict[str, bool] = {}
    if results.is_file() and not fresh:
        known = json.loads(results.read_text(encoding="utf-8"))
    limits: dict[str, int] = {}

    for mutant in tqdm(mutants, desc="mutants", disable=None):
        tests = own_tests(mutant.constant.module)
        if not (tree / tests).is_file():
            yield Outcome(mutant, killed=False, why=f"no {tests}")
            continue
        key = _key(mutant, tree)
        if key not in known:
            if tests not in limits:
                limits[tests] = _limit(tree, tests)
            known[key] = not _survives(mutant, tree, limits[tests])
            _save(results, known)
        yield Outcome(mutant, killed=known[key], why=f"{tests} passes")


def _survives(mutant: Mutant, tree: Path, limit_s: int) -> bool:
    """Whether the tests pass with the mutant in its module, which is put right again."""
    module = mutant.constant.module
    path = tree / module
    content = path.read_bytes()
    path.write_bytes(mutated(content, mutant))
    try:
        return passes(tree, own_tests(module), limit_s)
    finally:
        path.write_bytes(content)


def _limit(tree: Path, tests: str) -> int:
    """How many seconds a mutant gets; tests that fail without one can kill none."""
    began_s = time.monotonic()
    if not passes(tree, tests, limit_s=MAX_TESTS_S):
        raise SystemExit(
            f"{tests}: fails without any mutant; run it and repair it first"
        )
    took_s = time.monotonic() - began_s
    return round(took_s * TIME_FACTOR) + TIME_MORE_S


def _become_pytest(tree: Path, tests: str, limit_s: int) -> None:
    """Run pytest in this forked process, and end it; an alarm ends a run that takes too long."""
    os.setsid()
    signal.alarm(limit_s)
    root = str(Path.cwd())
    os.chdir(tree)
    sys.path[:] = [str(tree) if path in ("", root) else path for path in sys.path]
    # byte code of a mutant could be taken for the next one's
    sys.dont_write_bytecode = True
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)

    import pytest

    status = pytest.main(
        [
            "-x",
            "-q",
            "-m",
            "not slow",
            "-p",
            "no:cacheprovider",
            "--assert=plain",
            tests,
        ]
    )
    os._exit(int(status))


def _prepare(*, heavy: bool) -> None:
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    tqdm.monitor_interval = 0  # its thread would not live on in the forks
    if not heavy:
        return
    for name in HEAVY:
        with suppress(ModuleNotFoundError):
            importlib.import_module(name)


def _arguments() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--rooms",
        nargs="+",
        default=[],
        metavar="ROOM",
        help=f"folders of {DOMAIN}/, or {GROUND}",
    )
    parser.add_argument(
        "--sample", type=int, metavar="N", help="only N constants, drawn at random"
    )
    parser.add_argument("--seed", type=int, default=0, help="of that draw")
    parser.add_argument(
        "--fresh", action="store_true", help="run again what has been run"
    )
    return parser.parse_args()


def _numbers(tree: ast.AST) -> Iterator[tuple[ast.Constant, int | float]]:
    """Each number within a statement, with its value; True and False are none."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant):
            continue
        value = node.value
        if isinstance(value, bool):
            continue
        if isinstance(value, int | float):
            yield node, value


def _is_excused(lines: Sequence[bytes], number: int) -> bool:
    """Whether line `number` (from 1), or the comment right above it, says `no outcome:`."""
    marker = NO_OUTCOME.encode()
    if marker in lines[number - 1]:
        return True
    above = number - 2
    while above >= 0 and lines[above].strip().startswith(b"#"):
        if marker in lines[above]:
            return True
        above -= 1
    return False


def _place(constant: Constant) -> tuple[str, int]:
    return constant.module, constant.start


def _key(mutant: Mutant, tree: Path) -> str:
    """The name of a result: it changes with the mutant, its module, and its tests."""
    constant = mutant.constant
    module = tree / constant.module
    tests = tree / own_tests(constant.module)
    digest = hashlib.sha256(module.read_bytes())
    digest.update(tests.read_bytes())
    # 64 bits: enough to tell the states of two files apart
    short = digest.hexdigest()[:16]
    return f"{mutant.name} @{constant.start} {short}"


def _save(path: Path, known: dict[str, bool]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    text = json.dumps(known, indent=0, sort_keys=True)
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _room_of(module: str) -> str:
    """The folder of the domain that holds a module; `ground` where it lies in none."""
    parts = Path(module).parts
    if len(parts) > 2:
        return parts[1]
    return GROUND


def _row(name: str, outcomes: Sequence[Outcome]) -> str:
    n_killed = sum(one.killed for one in outcomes)
    n = len(outcomes)
    share = n_killed / n
    return f"{name}: {n_killed} of {n} killed ({share:.0%})"


if __name__ == "__main__":
    main()
