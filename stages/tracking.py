"""The MLflow store of the project: sqlite, made once, written ahead so that readers do not wait.

MLflow makes every local artifact location absolute and stores it with experiment, run and version.
A checkout that is moved takes its numbers and aliases along, but its registry looks for artifacts
at the old place: move the folder back to read them. What serves, models/releases, moves along.
"""

import os
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from inspection.storage import locked
from stages import program

PATIENCE_S = 60.0


class TrackingParams(program.Params):
    """Where runs and models are registered: a folder with a sqlite database and the artifacts."""

    store: str = "mlruns"
    experiment: str = "knurl"


def connect(params: TrackingParams) -> Any:
    """Point MLflow at the project's store, which is made on first use; returns the module.

    Several processes that migrate a fresh database at once break it: the first makes it under a
    lock while the others wait.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    store = Path(params.store)
    uri = f"sqlite:///{store / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    with locked(
        store / ".lock", holder="another writer of the MLflow store", wait_s=PATIENCE_S
    ):
        if mlflow.get_experiment_by_name(params.experiment) is None:
            place = (store / "artifacts").resolve().as_uri()
            mlflow.create_experiment(params.experiment, artifact_location=place)
        with sqlite3.connect(store / "mlflow.db") as database:
            database.execute("PRAGMA journal_mode=WAL")
    mlflow.set_experiment(params.experiment)
    return mlflow


def changing_aliases(params: TrackingParams) -> AbstractContextManager[None]:
    """Hold the right to change aliases; MLflow's last writer wins, whatever it had read before."""
    lock = Path(params.store) / ".aliases.lock"
    return locked(
        lock, holder="another change of the registry's aliases", wait_s=PATIENCE_S
    )
