"""Kills real commands at random moments, and tells what was lost.

    python -m benchmarks.faults --runs 100 [--seed 0] [--project FOLDER]

Works on a copy of a finished project (the current one): registers a bundle that the registry does
not know, promotes it, rolls back, takes feedback and files of the inbox into the data. Each is
killed (SIGKILL, with all that it has started), every other time soon after its first write, then
repeated. With --pipeline it is the whole pipeline instead, computed anew without DVC's caches, and
killed again and again until it has come to its end; with --stages the flow `retrain`, killed once
in every stage, --runs times over; with --worker a Prefect worker in the same way, on a real server.
Exit 1 where something was lost.
"""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.drills.intake import IntakeDrill
from benchmarks.drills.kills import Commands, Outcome, check_champion, table
from benchmarks.drills.record import Record
from benchmarks.drills.whole_pipeline import KillDrill, StageDrill, copied
from benchmarks.drills.worker import WorkerDrill, prefect_server
from inspection.runtime.bundle import CARD, read_card
from inspection.runtime.releases import champion
from inspection.storage import read_json, sha256_of, write_json
from pipelines.champions import RELEASES
from stages.sections import read_yaml

ROOT = Path(__file__).parents[1]
BUNDLE = Path("models/bundle")
PROMOTE = "python -m pipelines.promote --by faults --override drill --no-bento"
ROLLBACK = "python -m pipelines.rollback --by faults --reason drill --no-bento"
REGISTRY = ("register", "promote", "rollback")
INTAKE = ("take_feedback", "inbox")
# Folders in which the commands write what counts, for a first write is to be noticed.
WATCHED = (
    "mlruns",
    "models/releases",
    "reviews",
    "reviews/taken",
    "reviews/inbox",
    "inbox",
    "inbox/refused",
)


class Campaign:
    """A copy of a project, its commands, and what must hold after each."""

    def __init__(self, project: Path, seed: int) -> None:
        self._project = project
        self._commands = Commands(project, WATCHED, seed)
        self._record = Record(project)
        self._n_bundles = 0

    def begin(self) -> None:
        """Register and promote the bundle that lies there, so that something serves."""
        self._commands.run(self._register_command())
        self._commands.run(PROMOTE)

    def register(self, outcome: Outcome) -> None:
        """A bundle that is new to the registry."""
        command = self._register_command()
        self._renew_bundle()
        self._commands.killed(command, outcome)
        check_champion(self._project / RELEASES, outcome)
        self._commands.repeated(command, outcome)
        wanted = sha256_of(self._project / BUNDLE / CARD)
        if self._registered_card() != wanted:
            outcome.lost["the receipt is of another bundle"] += 1

    def promote(self, outcome: Outcome) -> None:
        """A challenger that is not the champion yet."""
        self._renew_bundle()
        self._commands.run(self._register_command())
        n_moves = self._record.n_moves
        self._commands.killed(PROMOTE, outcome)
        check_champion(self._project / RELEASES, outcome)
        self._commands.repeated(PROMOTE, outcome)
        self._check_serves(self._registered_card(), outcome)
        self._record.check(n_moves + 1, outcome)

    def rollback(self, outcome: Outcome) -> None:
        """Back to the champion of before; then it is the challenger's turn again."""
        before = sha256_of(self._champion() / CARD)
        self._renew_bundle()
        self._commands.run(self._register_command())
        self._commands.run(PROMOTE)
        n_moves = self._record.n_moves
        self._commands.killed(ROLLBACK, outcome)
        check_champion(self._project / RELEASES, outcome)
        if sha256_of(self._champion() / CARD) != before:
            self._commands.repeated(ROLLBACK, outcome)
        else:
            # it may have been cut off after the pointer: what is left to do is done by any command
            self._commands.run("python -m pipelines.promote --sync --no-bento")
        self._check_serves(before, outcome)
        self._record.check(n_moves + 1, outcome)

    def _register_command(self) -> str:
        stages = read_yaml(self._project / "dvc.yaml")["stages"]
        command = str(stages["register"]["cmd"])
        return command.removeprefix("exec ")

    def _registered_card(self) -> str:
        """The hash of the card that was registered last, by the receipt."""
        words = shlex.split(self._register_command())
        path = words[words.index("--out") + 1]
        receipt = read_json(self._project / path)
        return str(receipt["card_sha256"])

    def _renew_bundle(self) -> None:
        """Another card: a note in its lineage, which no decision hangs on."""
        self._n_bundles += 1
        path = self._project / BUNDLE / CARD
        card: dict[str, Any] = read_json(path)
        card["lineage"]["drill"] = self._n_bundles
        write_json(path, card)

    def _champion(self) -> Path:
        return champion(self._project / RELEASES)

    def _check_serves(self, card_sha256: str, outcome: Outcome) -> None:
        serving = self._champion()
        if sha256_of(serving / CARD) != card_sha256:
            version = read_card(serving).version
            outcome.lost[f"another release serves, bundle {version}"] += 1


def campaign(
    project: Path, names: Sequence[str], *, runs: int, seed: int
) -> list[Outcome]:
    """Kill each command `runs` times in a project that may be spoiled; it is promoted first."""
    drill = Campaign(project, seed)
    drill.begin()
    intake = IntakeDrill(Commands(project, WATCHED, seed))
    outcomes = []
    for name in names:
        outcome = Outcome(name)
        of_name = intake if name in INTAKE else drill
        killed = getattr(of_name, name)
        for _ in range(runs):
            killed(outcome)
        outcomes.append(outcome)
    return outcomes


def of_the_pipeline(project: Path, *, runs: int, seed: int) -> Outcome:
    """Kill the whole pipeline `runs` times or more, in a project that may be spoiled."""
    drill = KillDrill(Commands(project, (), seed))
    drill.begin()
    outcome = Outcome("pipeline")
    while outcome.n_killed < runs:
        drill.pipeline(outcome)
    return outcome


def of_each_stage(project: Path, *, runs: int, seed: int) -> Outcome:
    """Kill the flow `retrain` in every stage, `runs` times, in a project that may be spoiled."""
    drill = StageDrill(Commands(project, (), seed))
    drill.begin()
    outcome = Outcome("each stage")
    for _ in range(runs):
        drill.each_stage(outcome)
    return outcome


def of_each_worker(project: Path, *, runs: int, seed: int) -> Outcome:
    """Kill a Prefect worker in every stage, `runs` times, in a project that may be spoiled."""
    outcome = Outcome("worker")
    with (
        tempfile.TemporaryDirectory() as folder,
        prefect_server(Path(folder)) as variables,
    ):
        commands = Commands(project, (), seed, variables)
        drill = WorkerDrill(commands, variables["PREFECT_API_URL"])
        drill.begin()
        for _ in range(runs):
            drill.each_stage(outcome)
    return outcome


def main() -> None:
    """Copy the project, run the campaign, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument(
        "--runs",
        type=int,
        default=100,
        help="kills of each command; with --stages or --worker passes over all stages",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--project", type=Path, default=Path(), help="a finished one")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--pipeline", action="store_true", help="of the whole pipeline, computed anew"
    )
    instead.add_argument(
        "--stages", action="store_true", help="of the flow retrain, in every stage"
    )
    instead.add_argument(
        "--worker", action="store_true", help="of a Prefect worker, in every stage"
    )
    given = parser.parse_args()
    if not (given.project / BUNDLE / CARD).is_file():
        parser.error(
            f"{given.project / BUNDLE}: there is no bundle; run `dvc repro` first"
        )

    names = [*REGISTRY]
    if IntakeDrill(Commands(given.project, (), given.seed)).fits:
        names += INTAKE
    options = {"runs": given.runs, "seed": given.seed}
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(given.project, Path(folder) / "project")
        if given.pipeline:
            outcomes = [of_the_pipeline(copy, **options)]
        elif given.stages:
            outcomes = [of_each_stage(copy, **options)]
        elif given.worker:
            outcomes = [of_each_worker(copy, **options)]
        else:
            outcomes = campaign(copy, names, **options)
    sys.stdout.write(table(outcomes))
    sys.exit(1 if any(one.lost for one in outcomes) else 0)


if __name__ == "__main__":
    main()
