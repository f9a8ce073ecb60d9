"""A pipeline that is computed anew, and whether it comes out as it does without a fault."""

import shlex
import shutil
import sqlite3
import subprocess
from pathlib import Path

from benchmarks.drills.kills import Commands, Outcome, Times
from inspection.runtime.bundle import CARD, read_card
from stages.sections import read_yaml

REPRO = "python -m pipelines.repro"
RETRAIN = "python -m pipelines.retrain"
# What is taken away: outputs are found in dvc.yaml. With its cache, and the run cache in it, DVC
# would restore what it is to compute; with features and heads (stages/train.py) training is short.
REMEMBERED = (
    ".dvc/cache",
    ".dvc/tmp",
    "dvc.lock",
    ".state/features",
    ".state/heads",
)
# Outputs that hold the id of a run of MLflow, a number of the registry, or a time of day: other
# bytes each time. Of the bundle the version is compared, which names all that decides.
VARYING = frozenset(
    {
        "artifacts/train_run.json",
        "artifacts/receipt.json",
        "metrics/register.json",
        "models/bundle",
        "reports",
    }
)
DATABASE = Path("mlruns/mlflow.db")
BUNDLE = Path("models/bundle")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", "verdicts")
AUTHOR = ("-c", "user.name=drill", "-c", "user.email=drill@localhost")
# Kills of one pass. Each comes at a moment of the time that the whole takes, and what is finished
# stays, so that two or three are usual; on a machine that gets slower meanwhile it would never end.
MAX_KILLS = 8


def copied(project: Path, place: Path) -> Path:
    """A copy of a project at a place that is not there yet, in a git repository of its own."""
    shutil.copytree(project, place, ignore=LEFT_OUT, symlinks=True)
    for words in (
        ["init", "--quiet"],
        ["add", "."],
        [*AUTHOR, "commit", "--quiet", "--allow-empty", "-m", "a copy"],
    ):
        subprocess.run(["git", *words], cwd=place, check=True)
    return place


class WholePipeline:
    """The pipeline of a copied project."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._wanted: dict[str, str] = {}

    def forget(self) -> None:
        """Take away all that was computed: outputs, caches, and what DVC has recorded."""
        stages = read_yaml(self._project / "dvc.yaml")["stages"]
        paths = [*REMEMBERED]
        for stage in stages.values():
            paths += stage.get("outs", ())
        for path in paths:
            _remove(self._project / path)

    def note(self) -> None:
        """What is there now is what comes out without a fault."""
        self._wanted = self._hashes()

    def check(self, outcome: Outcome) -> None:
        """Every output has the bytes that it has without a fault; every training has ended."""
        found = self._hashes()
        for path, digest in self._wanted.items():
            if found.get(path) != digest:
                outcome.lost[f"{path}: other bytes than without a fault"] += 1
        if self._n_running():
            outcome.lost["a killed training is still marked as running"] += 1

    def _hashes(self) -> dict[str, str]:
        """The hashes that DVC recorded of what the stages wrote, and the version of the bundle."""
        stages = read_yaml(self._project / "dvc.lock")["stages"]
        found = {}
        for stage in stages.values():
            for out in stage.get("outs", ()):
                path = out["path"]
                if path not in VARYING:
                    found[path] = out["md5"]
        if (self._project / BUNDLE / CARD).is_file():
            found[str(BUNDLE)] = read_card(self._project / BUNDLE).version
        return found

    def _n_running(self) -> int:
        path = self._project / DATABASE
        if not path.is_file():
            return 0
        database = sqlite3.connect(path)
        try:
            asked = "SELECT COUNT(*) FROM runs WHERE status = 'RUNNING'"
            (n_running,) = database.execute(asked).fetchone()
        finally:
            database.close()
        return int(n_running)


class KillDrill:
    """The whole pipeline is killed again and again, until a run comes to its end by itself."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._pipeline = WholePipeline(commands.project)

    def begin(self) -> None:
        """Compute everything once: how long it takes, and what comes out."""
        self._pipeline.forget()
        self._commands.run(REPRO)
        self._pipeline.note()

    def pipeline(self, outcome: Outcome) -> None:
        """One pass: nothing is computed, and what a kill leaves is what the next run finds."""
        self._pipeline.forget()
        n_ended = outcome.n_too_late
        for _ in range(MAX_KILLS):
            self._commands.killed(REPRO, outcome, after_a_write=False)
            if outcome.n_too_late > n_ended:
                break
        # finishes what is left; after a run that came to its end it finds all done
        self._commands.repeated(REPRO, outcome, learn=False)
        self._pipeline.check(outcome)


class StageDrill:
    """The flow `retrain` is killed once in every stage; each time it goes on from there.

    `command` runs it once. With `each_child` all that it has started is killed, one by one.
    """

    def __init__(
        self, commands: Commands, command: str = RETRAIN, *, each_child: bool = False
    ) -> None:
        self._commands = commands
        self._command = command
        self._each_child = each_child
        self._pipeline = WholePipeline(commands.project)
        self._programs = _programs(commands.project)
        self._took_s: Times = {}

    def begin(self) -> None:
        """Compute everything once: how long each stage takes, and what comes out."""
        self._pipeline.forget()
        self._took_s = self._commands.watched(self._command, self._programs)
        self._pipeline.note()

    def each_stage(self, outcome: Outcome) -> None:
        """One pass: nothing is computed, and what a kill leaves is what the next run finds."""
        self._pipeline.forget()
        for stage in self._programs:
            self._kill_in(stage, outcome)
        self._commands.repeated(self._command, outcome)
        self._pipeline.check(outcome)

    def _kill_in(self, stage: str, outcome: Outcome) -> None:
        """Kill it in a stage; one that was done already is computed anew, with all before it."""
        n_killed = outcome.n_killed
        for _ in range(MAX_KILLS):
            self._commands.killed_in(
                self._command,
                outcome,
                self._programs[stage],
                self._took_s.get(stage, 0.0),
                each_child=self._each_child,
            )
            if outcome.n_killed > n_killed:
                return
            self._pipeline.forget()
        outcome.lost[f"{stage}: never hit in {MAX_KILLS} tries"] += 1


def _programs(project: Path) -> dict[str, list[str]]:
    """The arguments of the process of each stage, which DVC starts by a shell."""
    stages = read_yaml(project / "dvc.yaml")["stages"]
    commands = {
        name: shlex.split(str(stage["cmd"]).removeprefix("exec "))
        for name, stage in stages.items()
    }
    return {name: words[1:] for name, words in commands.items()}


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
