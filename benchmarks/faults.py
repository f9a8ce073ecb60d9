"""Kills real commands at random moments, and tells what was lost.

    python -m benchmarks.faults --runs 100 [--seed 0] [--project FOLDER]

Works on a copy of a finished project (the current one): registers a bundle that the registry does
not know, promotes it, rolls back; with --pipeline the whole pipeline too, without its run cache.
Each is killed (SIGKILL, with all that it has started) at a moment drawn from the time that it
takes, then repeated. Exit 1 where something was lost.
"""

import argparse
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD, read_card, verified
from inspection.runtime.releases import POINTER, champion
from inspection.storage import read_json, sha256_of, write_json
from stages.sections import read_yaml

ROOT = Path(__file__).parents[1]
BUNDLE, RELEASES = Path("models/bundle"), Path("models/releases")
PROMOTE = "python -m pipelines.promote --by faults --override drill"
ROLLBACK = "python -m pipelines.rollback --by faults --reason drill"
PIPELINE = "python -m pipelines.repro"
# What a run of the pipeline makes anew, and whose bytes no run id is in.
STEADY = ("validate", "clean_labels", "split", "crop")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", "verdicts")


@dataclass
class Outcome:
    """What came of killing one command: how often it was hit, and what was lost, in words."""

    name: str
    n_killed: int = 0
    n_too_late: int = 0
    lost: Counter[str] = field(default_factory=Counter)


class Campaign:
    """A copy of a project, its commands, and what must hold after each."""

    def __init__(self, project: Path, seed: int) -> None:
        self._project = project
        self._random = random.Random(seed)
        self._n_bundles = 0
        self._takes_s: dict[str, float] = {}

    def begin(self) -> None:
        """Register and promote the bundle that lies there, so that something serves."""
        self._run(self._register_command())
        self._run(PROMOTE)

    def register(self, outcome: Outcome) -> None:
        """A bundle that is new to the registry."""
        command = self._register_command()
        self._renew_bundle()
        self._killed(command, outcome)
        self._check_champion(outcome)
        self._repeated(command, outcome)
        receipt = read_json(self._project / self._flag(command, "--out"))
        wanted = sha256_of(self._project / BUNDLE / CARD)
        if receipt["card_sha256"] != wanted:
            outcome.lost["the receipt is of another bundle"] += 1

    def promote(self, outcome: Outcome) -> None:
        """A challenger that is not the champion yet."""
        self._renew_bundle()
        self._run(self._register_command())
        self._killed(PROMOTE, outcome)
        self._check_champion(outcome)
        self._repeated(PROMOTE, outcome)
        receipt = read_json(
            self._project / self._flag(self._register_command(), "--out")
        )
        self._check_serves(receipt["card_sha256"], outcome)

    def rollback(self, outcome: Outcome) -> None:
        """Back to the champion of before; then it is the challenger's turn again."""
        before = sha256_of(self._champion() / CARD)
        self._renew_bundle()
        self._run(self._register_command())
        self._run(PROMOTE)
        self._killed(ROLLBACK, outcome)
        self._check_champion(outcome)
        if sha256_of(self._champion() / CARD) != before:
            self._repeated(ROLLBACK, outcome)
        else:
            # it may have been cut off after the pointer: what is left to do is done by any command
            self._run("python -m pipelines.promote --sync")
        self._check_serves(before, outcome)

    def pipeline(self, outcome: Outcome) -> None:
        """Every stage computed anew: without outputs, lock and run cache."""
        wanted = self._hashes()
        for path in ("artifacts", ".dvc/cache/runs", "dvc.lock"):
            place = self._project / path
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        self._killed(PIPELINE, outcome)
        self._check_champion(outcome)
        self._repeated(PIPELINE, outcome)
        if self._hashes() != wanted:
            outcome.lost["other bytes than without the kill"] += 1

    def _killed(self, command: str, outcome: Outcome) -> None:
        """Start a command and kill it, with all its children, at some moment of the time it takes.

        How long that is, is learned from whole runs.
        """
        moment_s = self._random.uniform(0, self._takes_s.get(command, 10.0))
        process = self._started(command)
        try:
            process.communicate(timeout=moment_s)
            outcome.n_too_late += 1
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            outcome.n_killed += 1

    def _repeated(self, command: str, outcome: Outcome) -> None:
        try:
            self._run(command)
        except InspectionError as error:
            outcome.lost[f"repeated, it fails: {error}"] += 1

    def _run(self, command: str) -> None:
        began_s = time.monotonic()
        process = self._started(command)
        _, said = process.communicate()
        if process.returncode:
            last = said.strip().splitlines()[-3:]
            raise InspectionError(f"{command}: {' / '.join(last)}; run it by hand")
        self._takes_s[command] = time.monotonic() - began_s

    def _started(self, command: str) -> "subprocess.Popen[str]":
        words = [sys.executable if w == "python" else w for w in shlex.split(command)]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return subprocess.Popen(
            words,
            cwd=self._project,
            env=os.environ | {"PYTHONPATH": str(self._project), "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _register_command(self) -> str:
        stages = read_yaml(self._project / "dvc.yaml")["stages"]
        return str(stages["register"]["cmd"]).removeprefix("exec ")

    def _flag(self, command: str, flag: str) -> str:
        words = shlex.split(command)
        return words[words.index(flag) + 1]

    def _renew_bundle(self) -> None:
        """Another card: a note in its lineage, which no decision hangs on."""
        self._n_bundles += 1
        path = self._project / BUNDLE / CARD
        card: dict[str, Any] = read_json(path)
        card["lineage"]["drill"] = self._n_bundles
        write_json(path, card)

    def _champion(self) -> Path:
        return champion(self._project / RELEASES)

    def _check_champion(self, outcome: Outcome) -> None:
        """What a service would take up now is whole; before the first promotion there is none."""
        if not (self._project / RELEASES / POINTER).exists():
            return
        try:
            verified(self._champion())
        except InspectionError as error:
            outcome.lost[f"no whole release serves: {error}"] += 1

    def _check_serves(self, card_sha256: str, outcome: Outcome) -> None:
        if sha256_of(self._champion() / CARD) != card_sha256:
            version = read_card(self._champion()).version
            outcome.lost[f"another release serves, bundle {version}"] += 1

    def _hashes(self) -> dict[str, str]:
        """The hashes that DVC recorded of what the first stages wrote."""
        stages = read_yaml(self._project / "dvc.lock")["stages"]
        outs = [out for name in STEADY for out in stages[name]["outs"]]
        return {out["path"]: out["md5"] for out in outs}


def campaign(
    project: Path, names: Sequence[str], *, runs: int, seed: int
) -> list[Outcome]:
    """Kill each command `runs` times in a project that may be spoiled; the first is promoted."""
    drill = Campaign(project, seed)
    drill.begin()
    outcomes = []
    for name in names:
        outcome = Outcome(name)
        for _ in range(runs):
            getattr(drill, name)(outcome)
        outcomes.append(outcome)
    return outcomes


def table(outcomes: Sequence[Outcome]) -> str:
    """One row a command, and a line for each loss."""
    rows = [f"{'killed':10} {'times':>5} {'too late':>8}  lost\n"]
    for one in outcomes:
        n_lost = sum(one.lost.values())
        rows.append(
            f"{one.name:10} {one.n_killed:5} {one.n_too_late:8}  {n_lost or 'nothing'}\n"
        )
        rows += [f"  {n} x {what}\n" for what, n in one.lost.items()]
    return "".join(rows)


def main() -> None:
    """Copy the project, run the campaign, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=100, help="kills of each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--project", type=Path, default=Path(), help="a finished one")
    parser.add_argument(
        "--pipeline", action="store_true", help="kill the whole pipeline too, hours"
    )
    given = parser.parse_args()
    if not (given.project / BUNDLE / CARD).is_file():
        parser.error(
            f"{given.project / BUNDLE}: there is no bundle; run `dvc repro` first"
        )

    names = ["register", "promote", "rollback", *["pipeline"] * given.pipeline]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        shutil.copytree(given.project, copy, ignore=LEFT_OUT, symlinks=True)
        outcomes = campaign(copy, names, runs=given.runs, seed=given.seed)
    sys.stdout.write(table(outcomes))
    sys.exit(1 if any(one.lost for one in outcomes) else 0)


if __name__ == "__main__":
    main()
