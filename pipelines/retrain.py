"""The flow `retrain`: a task per DVC stage, side by side where none needs the other.

`python -m pipelines.retrain` runs it once, in the project's root.
"""

import argparse
import getpass
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.settings import (
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)
from prefect.task_runners import ThreadPoolTaskRunner

from inspection.errors import InspectionError, first_three
from inspection.plant import LINES, as_typed, lines_in
from inspection.storage import locked
from pipelines import alerts
from pipelines import promote as gate
from pipelines.dvc_process import PassingError
from pipelines.dvc_state import PIPELINE, dvc_root
from pipelines.intake.steps import RETRAINING
from pipelines.runs import branch, dvc_pool, known_errors, records, store
from pipelines.runs import shared as shared_state
from pipelines.runs.overrides import overridden
from pipelines.runs.stages import brought_up_to_date
from pipelines.shipping.bento import of_what_serves
from stages.sections import read_yaml

LOCK = RETRAINING
# In the root of the checkout, for all of its lines.
TURN = Path(".state/locks/training.lock")
# A line trains for minutes to hours: of those that are due at one hour, the last within the day.
TURN_PATIENCE_S = 24 * 3600.0
SERVER_START_S = 180  # a busy machine takes longer than the 20 s that Prefect grants
# what Prefect's RuntimeError says where it took longer even so
NO_SERVER = "Timed out while attempting to connect to ephemeral Prefect API server"
# evaluate_cam and fit_anomaly need the same stages and not each other; more never run at once
MAX_SIDE_BY_SIDE = 2
# by then whoever held DVC's locks has mostly ended, and memory is free again
RETRY_DELAY_S = 10
TASK_RUNNER: Any = ThreadPoolTaskRunner(max_workers=MAX_SIDE_BY_SIDE)
FAILED, SKIPPED = "failed", "not begun"
# The stages that write to the MLflow store.
TRACKED = {"train", "register"}


def can_pass(task: Any, run: Any, state: State[Any]) -> bool:
    """Whether a failed task is worth another try: not where a parameter or a stage is wrong."""
    raised = state.result(raise_on_failure=False)
    return isinstance(raised, (PassingError, OSError))


@task(
    retries=1,
    retry_delay_seconds=RETRY_DELAY_S,
    retry_condition_fn=can_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
    result_serializer="json",
)
def run_stage(stage: str) -> dict[str, Any]:
    """Bring one stage up to date: whether it ran, and for how long. Its output goes to the log."""
    began = time.monotonic()
    log = get_run_logger().info
    with dvc_pool.lent(log) as dvc:
        ran = brought_up_to_date(dvc, stage, log)
    seconds = round(time.monotonic() - began, 1)
    return {"outcome": "ran" if ran else "up to date", "seconds": seconds}


# Of what asks a remote: a network that is away for a minute is mostly back then.
ASKS_A_REMOTE: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": [10, 60],
    "retry_condition_fn": can_pass,
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "result_serializer": "json",
}


@task(**ASKS_A_REMOTE)
def take() -> str:
    """Bring the checkout to what others have pushed; returns its commit."""
    return shared_state.take()


@task(**ASKS_A_REMOTE)
def hand_on(name: str) -> None:
    """Push the branch of the results."""
    shared_state.hand_on(name)


@task(**ASKS_A_REMOTE)
def push() -> str:
    """`dvc push` where a remote is set."""
    if not shared_state.dvc_remote():
        return "no remote"

    command = [sys.executable, "-m", "dvc", "push", "--quiet"]
    pushed = subprocess.run(command, capture_output=True, text=True)
    if pushed.returncode:
        # mostly the network; the retries are for that
        raise PassingError(f"dvc push: {pushed.stderr.strip()}; run it by hand")
    return "pushed"


@flow(
    name="retrain",
    task_runner=TASK_RUNNER,
    on_failure=[alerts.run_failed],
    on_crashed=[alerts.run_failed],
    persist_result=False,
    result_serializer="json",
)
def retrain(
    stages: list[str] | None = None,
    overrides: list[str] | None = None,
    promote: bool = False,
    by: str = "retrain",
    shared: bool = False,
) -> list[dict[str, Any]]:
    """Bring every stage up to date, or only `stages`; returns what was done.

    `overrides` are parameters for this run, as `dvc exp run -S` takes them (`train.epochs=3`);
    afterwards the folder is as it was. The results are committed on a branch of their own. With
    `promote` the gate is asked, in the name of `by`. `shared` is for checkouts that share a git and
    a DVC remote: what others have pushed is taken before, and the branch is pushed afterwards. Two
    runs of one line never overlap, and of the lines of one checkout each waits for the others.
    """
    known_errors.quiet()
    if lines_in(_checkout() / LINES):
        get_run_logger().info("of the lines of a checkout one is trained at a time")
    with locked(LOCK, holder="flow retrain"), turn():
        if shared:
            get_run_logger().info("shared: at commit %s", take())
        with overridden(overrides or []):
            done = _run(stages, shared=shared)
        if promote:
            done.append({"stage": "promote", "outcome": _promoted(by), "seconds": None})
    return done


def turn() -> AbstractContextManager[None]:
    """A block in which no other line of this checkout trains: they share memory, git's files and
    DVC's lock. Raises InspectionError where it has waited for a day.
    """
    holder = "the training of another line"
    return locked(_checkout() / TURN, holder, wait_s=TURN_PATIENCE_S)


def _checkout() -> Path:
    return dvc_root() or Path()


def _run(chosen: Sequence[str] | None, *, shared: bool) -> list[dict[str, Any]]:
    """Run the stages, publish what they did, commit it; raise what the first failure raised."""
    try:
        with dvc_pool.lent(get_run_logger().info) as dvc:
            needs = _chosen(dvc.needs, chosen)
        if TRACKED & needs.keys():
            store.require_server()
        states = _states(needs)
    finally:
        dvc_pool.end_idle()

    done = [_row(stage, state) for stage, state in states.items()]
    failed = [row["stage"] for row in done if row["outcome"] == FAILED]
    records.publish_stages(done)
    made = _commit(
        f"failed at {', '.join(failed)}" if failed else "all stages up to date"
    )
    for stage in failed:
        states[stage].result()

    records.publish_results(states.keys())
    get_run_logger().info("dvc push: %s", push())
    # after the data: whoever sees the branch finds all that it names
    if shared and made:
        hand_on(made)
    return done


def _require_known(chosen: Sequence[str], known: Collection[str]) -> None:
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise InspectionError(
            f"stages: {first_three(unknown)} not in dvc.yaml; it has {', '.join(known)}"
        )


def _chosen(
    needs: Mapping[str, list[str]], chosen: Sequence[str] | None
) -> dict[str, list[str]]:
    """The stages to run, in order, and what each waits for."""
    _require_known(chosen or [], needs)
    wanted = set(chosen or needs)
    return {
        stage: [one for one in before if one in wanted]
        for stage, before in needs.items()
        if stage in wanted
    }


def _states(needs: Mapping[str, list[str]]) -> dict[str, State[Any]]:
    """How each stage ended, each begun when all that it needs had ended well."""
    futures: dict[str, PrefectFuture[Any]] = {}
    for stage, before in needs.items():
        waits_for = [futures[one] for one in before]
        run = run_stage.with_options(name=stage)
        futures[stage] = run.submit(stage=stage, wait_for=waits_for, return_state=False)

    for future in futures.values():
        future.wait()
    return {stage: future.state for stage, future in futures.items()}


def _row(stage: str, state: State[Any]) -> dict[str, Any]:
    if state.is_completed():
        return {"stage": stage, **state.result()}
    outcome = FAILED if state.is_failed() or state.is_crashed() else SKIPPED
    return {"stage": stage, "outcome": outcome, "seconds": None}


def _commit(message: str) -> str | None:
    """Commit what the run has written on a branch, say where it is, and return its name."""
    log = get_run_logger()
    try:
        made = branch.commit(f"retrain: {message}")
    except branch.NoRepositoryError:
        lock = Path("dvc.lock")
        if lock.is_file():
            records.publish_lock(lock.read_text(encoding="utf-8"))
        return None
    if made is None:
        log.info("nothing new to commit")
    else:
        how = f"git add --update . && git merge {made}"
        log.info("results: branch %s; to take them: `%s`", made, how)
    return made


def _promoted(by: str) -> str:
    """What became of the challenger; a refusal is told to people, and is no failure of the run."""
    outcome = gate.promote(by=by)
    if outcome in gate.STAYS:
        alerts.tell(
            f"retrain: the challenger is {outcome}; `python -m pipelines.status`"
        )
    else:
        get_run_logger().info("%s", of_what_serves())
    return outcome


def main() -> None:
    """Run the flow once; what the user can mend ends it with 1, untraced."""
    parser = argparse.ArgumentParser(
        description="Run the flow `retrain` once: every DVC stage a task, in the project's root."
    )
    parser.add_argument(
        "--stages", nargs="+", metavar="STAGE", help="only these stages"
    )
    parser.add_argument(
        "--set", "-S", dest="overrides", action="append", metavar="KEY=VALUE",
        help="a parameter for this run, as of `dvc exp run -S`",
    )  # fmt: skip
    parser.add_argument("--promote", action="store_true", help="then ask the gate")
    given = parser.parse_args()
    try:
        if given.stages:  # before a server is started for them
            _require_known(given.stages, read_yaml(PIPELINE)["stages"])
        with temporary_settings(
            {PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: SERVER_START_S}
        ):
            retrain(given.stages, given.overrides, given.promote, by=getpass.getuser())
    except RuntimeError as error:
        if NO_SERVER not in str(error):
            raise
        sys.stderr.write(
            f"retrain: Prefect's server did not answer within {SERVER_START_S} s; nothing was "
            "begun. Run it again when the machine is less busy, or name a server that runs in "
            "PREFECT_API_URL (`make schedule` starts one)\n"
        )
        raise SystemExit(1) from error
    except InspectionError as error:
        sys.stderr.write(as_typed(f"retrain: failed\n{error}\n"))
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
