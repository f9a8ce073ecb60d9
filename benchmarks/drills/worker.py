"""A Prefect worker that is killed in every stage, with all it has started, and the next one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.apps.servers import free_port, running
from benchmarks.drills.kills import Commands, Outcome
from benchmarks.drills.whole_pipeline import StageDrill
from inspection.errors import InspectionError

POOL = "python -m pipelines.runs.pool line"
# What a killed worker has left at work is marked, as docs/operate.md says; then a run is asked for,
# and a worker takes it and ends with it.
WORK = (
    f"bash -c '{POOL}"
    " && prefect deployment run retrain/weekly"
    " && exec prefect worker start --pool line --run-once --limit 1'"
)
# A server is up within half a minute, and migrates its new database; on a busy machine it has taken
# over three.
START_S = 600.0
DEPLOY = "prefect --no-prompt deploy --name weekly"


class WorkerDrill:
    """Runs of the deployment `retrain/weekly`, each by a worker of its own, on a real server."""

    def __init__(self, commands: Commands, api: str) -> None:
        self._commands = commands
        self._api = api
        self._stages = StageDrill(commands, WORK, each_child=True)

    def begin(self) -> None:
        """Make pool and deployment, and compute everything once. Raises InspectionError."""
        self._commands.run(POOL)
        self._commands.run(DEPLOY)
        self._stages.begin()
        state = self._last_state()
        if state != "COMPLETED":
            raise InspectionError(
                f"retrain/weekly: the run ended as {state}; run it by hand"
            )

    def each_stage(self, outcome: Outcome) -> None:
        """One pass: a worker is killed in each stage, and another one ends what they began."""
        self._stages.each_stage(outcome)
        state = self._last_state()
        if state != "COMPLETED":
            outcome.lost[f"the next run ends as {state}"] += 1
        n_left = len(self._states("RUNNING", "PENDING"))
        if n_left:
            outcome.lost["a run of a killed worker is still at work"] += n_left

    def _last_state(self) -> str:
        states = self._states()
        return states[0] if states else "none"

    def _states(self, *kinds: str) -> list[str]:
        """The states of the runs that have begun, the last one first, or of those of some kinds."""
        asked = {
            "flow_runs": {
                "start_time": {"is_null_": False},
                **({"state": {"type": {"any_": list(kinds)}}} if kinds else {}),
            },
            "sort": "START_TIME_DESC",
        }
        answer = httpx.post(f"{self._api}/flow_runs/filter", json=asked)
        return [str(run["state_type"]) for run in answer.raise_for_status().json()]


@contextmanager
def prefect_server(folder: Path) -> Iterator[dict[str, str]]:
    """A server with its tables in a folder; yields the environment in which clients reach it."""
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    home = {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    words = ("prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port))
    command = [sys.executable, "-m", *words]
    health = "/api/health"
    with running(command, port, folder, home, ready=health, within_s=START_S):
        yield home | {"PREFECT_API_URL": api}
