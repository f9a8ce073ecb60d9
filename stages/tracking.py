"""The MLflow store: a server where MLFLOW_TRACKING_URI names one, else sqlite in the project.

The project's own is made once and written ahead, so that readers do not wait. Its artifact
locations are kept relative to the project's root: a copied checkout writes into itself.
"""

import os
import platform
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from inspection.errors import InspectionError
from inspection.storage import locked
from stages import sections

# A store is held for the seconds in which it is created or moved to a newer schema.
PATIENCE_S = 60.0
# A server that is up accepts a connection within a second.
ANSWER_S = 5.0
# Of what MLflow says, in characters: it repeats the page that a web server has sent.
MAX_REASON = 200
ADDRESS = "MLFLOW_TRACKING_URI"
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
SQLITE = "sqlite:///"
LOCK_DIR = Path(".state/locks")
CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
CARD_TAG = "sha256_card.json"
HOST_TAG, PROCESS_TAG = "knurl.host", "knurl.process"
# On a server: a registered model that is there while aliases are changed. Names are unique, so of
# several hosts one makes it.
CLAIM = "knurl-aliases-are-being-changed"
CLAIM_POLL_S = 0.5
# Another one after each start of the machine.
BOOT = Path("/proc/sys/kernel/random/boot_id")
# Of /proc/<pid>/stat, counted from the state, the third field: the 22nd (proc_pid_stat(5)).
START_FIELD = 19


class TrackingParams(sections.Params):
    """Where runs and models are registered."""

    store: str = "mlruns"
    """A folder for a sqlite database and the artifacts, or the address of an MLflow server or of
    its database. The environment variable `MLFLOW_TRACKING_URI` overrules it."""

    experiment: str = "knurl"
    """The name of the experiment whose runs these are."""


def address(params: TrackingParams) -> str:
    """The store's URI; the environment overrules params.yaml, and a strange scheme is refused."""
    given = os.environ.get(ADDRESS) or params.store
    if ":" not in given:
        return f"{SQLITE}{Path(given) / 'mlflow.db'}"
    scheme = urlsplit(given).scheme.split("+")[0]
    if scheme not in PORTS and not given.startswith(SQLITE):
        raise InspectionError(
            f"{ADDRESS} or tracking.store: {given!r} is no MLflow store; give a folder, or an "
            f"address that begins with {SQLITE}, {'://, '.join(PORTS)}://"
        )
    return given


def connect(params: TrackingParams) -> Any:
    """Point MLflow at the store, which is made on first use; returns the module.

    Several processes that migrate a fresh database at once break it: the first makes it under a
    lock while the others wait.
    """
    mlflow = reader(params)
    folder = _folder(address(params))
    with locked(
        (folder or LOCK_DIR) / ".lock",
        holder="another writer of the MLflow store",
        wait_s=PATIENCE_S,
    ):
        if not _is_known(mlflow, params):
            mlflow.create_experiment(params.experiment)
        if folder is not None:
            _keep_in_project(folder, params.experiment)
    mlflow.set_experiment(params.experiment)
    _end_runs_of_the_dead(mlflow, params.experiment)
    return mlflow


def _is_known(mlflow: Any, params: TrackingParams) -> bool:
    """Whether the experiment is there; the first question to the store, so that InspectionError
    says where something else than MLflow answers, or asks who it is."""
    from mlflow.exceptions import MlflowException

    try:
        return mlflow.get_experiment_by_name(params.experiment) is not None
    except MlflowException as error:
        uri = address(params)
        if not uri.startswith("http"):
            raise  # of a database: MLflow says what to do
        host = urlsplit(uri).netloc.rpartition("@")[2]  # without name and password
        reason = str(error).splitlines()[0][:MAX_REASON]
        raise InspectionError(
            f"{ADDRESS} or tracking.store: {host} answers, and not as an MLflow server does "
            f"({reason}); correct the address, or, where it asks who you are, set "
            "MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        ) from error


def reader(params: TrackingParams) -> Any:
    """Point MLflow at the store, which must be there, and write nothing; returns the module."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    require_reachable(params)
    uri = address(params)
    import mlflow

    before = os.environ.get(ADDRESS)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    # MLflow has set it, and the next store would be taken for it
    if before is None:
        os.environ.pop(ADDRESS, None)
    return mlflow


def require_reachable(params: TrackingParams) -> None:
    """Raise InspectionError where no server answers, or where the database is damaged."""
    uri = address(params)
    _require_answer(uri)
    _require_database(_folder(uri))


def owner() -> dict[str, str]:
    """Tags of a run that say which process writes it: by them a run is found that was killed."""
    return {HOST_TAG: platform.node(), PROCESS_TAG: _process(os.getpid())}


@contextmanager
def changing_aliases(params: TrackingParams) -> Iterator[None]:
    """Hold the right to change aliases; MLflow's last writer wins, whatever it had read before.

    The processes of one checkout wait for each other by a file, hosts by a claim on the server.
    MLflow points at the store already.
    """
    folder = _folder(address(params))
    lock = (folder or LOCK_DIR) / ".aliases.lock"
    with locked(
        lock, holder="another change of the registry's aliases", wait_s=PATIENCE_S
    ):
        if folder is not None:
            yield
            return
        from mlflow import MlflowClient

        client = MlflowClient()
        _claim(client)
        try:
            yield
        finally:
            client.delete_registered_model(CLAIM)


def _claim(client: Any) -> None:
    """Make the claim, once nobody else holds it. Raises InspectionError after PATIENCE_S."""
    from mlflow.exceptions import MlflowException

    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            client.create_registered_model(CLAIM, tags=owner())
            return
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        holder = _holder(client)
        # a claim that is gone meanwhile is tried for at once, whatever the clock says
        if holder and time.monotonic() >= deadline:
            raise InspectionError(
                f"registry: {holder} changes aliases; wait for it to end, or, where it is gone, "
                f"delete the model {CLAIM!r} on MLflow's page"
            )
        if holder:
            time.sleep(CLAIM_POLL_S)


def _holder(client: Any) -> str:
    """Who holds the claim, '' where nobody does: that of a dead process of this host is dropped."""
    from mlflow.exceptions import MlflowException

    try:
        claim = client.get_registered_model(CLAIM)
        host, process = (claim.tags.get(name, "?") for name in (HOST_TAG, PROCESS_TAG))
        if host == platform.node() and process != _process(_number(process)):
            client.delete_registered_model(CLAIM)
            return ""
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return ""
    since = datetime.fromtimestamp(claim.creation_timestamp / 1000, UTC)
    return f"process {_number(process)} on {host}, since {since:%Y-%m-%d %H:%M:%S} UTC,"


def _end_runs_of_the_dead(mlflow: Any, experiment: str) -> None:
    """Mark as KILLED what still counts as running, and whose process on this host is gone."""
    running = mlflow.search_runs(
        experiment_names=[experiment],
        filter_string="attributes.status = 'RUNNING' "
        f"and tags.`{HOST_TAG}` = '{platform.node()}'",
        output_format="list",
    )
    for run in running:
        named = run.data.tags.get(PROCESS_TAG, "")
        if named != _process(_number(named)):
            mlflow.MlflowClient().set_terminated(run.info.run_id, status="KILLED")


def _number(process: str) -> int:
    """The number of a process that `_process` names; 0 where it names none."""
    first = process.partition(" ")[0]
    return int(first) if first.isdigit() else 0


def _process(pid: int) -> str:
    """A process by its number and its start, since numbers are given again."""
    try:
        return f"{pid} {_start(pid)}"
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return "gone"


def _start(pid: int) -> str:
    """When a process began. Where Linux tells it: in ticks since a boot that has a name, for the
    time of day moves when somebody sets the clock."""
    if not BOOT.is_file():
        return f"{psutil.Process(pid).create_time():.2f}"
    # the second field is the program's name in parentheses, which may hold anything
    fields = (
        Path(f"/proc/{pid}/stat")
        .read_text("utf-8", "replace")
        .rpartition(")")[2]
        .split()
    )
    return f"{fields[START_FIELD]} {BOOT.read_text('utf-8').strip()}"


def _require_database(folder: Path | None) -> None:
    """Refuse a database that sqlite cannot read, before MLflow migrates it."""
    path = (folder or Path()) / "mlflow.db"
    if folder is None or not path.is_file():
        return
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_S)) as database:
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found.splitlines()[-1])
    except sqlite3.DatabaseError as error:
        raise InspectionError(
            f"{path}: is damaged ({error}); copy it back from a backup, or move it away and run "
            "`dvc repro -f -s register`: what was promoted stands in models/releases/history.jsonl"
        ) from error


def _folder(uri: str) -> Path | None:
    """The folder of a sqlite store; None for a server."""
    return Path(uri.removeprefix(SQLITE)).parent if uri.startswith(SQLITE) else None


def _keep_in_project(folder: Path, experiment: str) -> None:
    """Write ahead, and make the artifact location relative where the folder is.

    MLflow makes every local location absolute when an experiment is made, and derives those of
    runs and models from it.
    """
    place = str(folder / "artifacts")
    with sqlite3.connect(folder / "mlflow.db") as database:
        # kept in the file: whoever opens it later need not ask for it
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(
            "UPDATE experiments SET artifact_location = ? "
            "WHERE name = ? AND artifact_location NOT LIKE ?",
            (place, experiment, "mlflow-artifacts:%"),
        )


def _require_answer(uri: str) -> None:
    parts = urlsplit(uri)
    if uri.startswith(SQLITE):
        return
    host = parts.hostname or ""
    port = parts.port or PORTS[parts.scheme.split("+")[0]]
    try:
        socket.create_connection((host, port), ANSWER_S).close()
    except OSError as error:
        raise InspectionError(
            f"{ADDRESS} or tracking.store: no answer from {host}:{port} ({error}); start the "
            "server, or correct the address"
        ) from error
