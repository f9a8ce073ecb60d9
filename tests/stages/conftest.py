from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.tracking import TrackingParams
from tests import threads


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    with threads.one_thread():
        yield


@pytest.fixture(scope="session")
def mlflow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests' MLflow store is: one for all of them, its tables take seconds to make."""
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture
def tracked(mlflow_folder: Path, tmp_path: Path) -> Iterator[TrackingParams]:
    """A real sqlite store, with an experiment for this test alone."""
    import mlflow

    yield TrackingParams(store=str(mlflow_folder / "mlruns"), experiment=str(tmp_path))
    mlflow.end_run()


def statuses(store: TrackingParams) -> list[str]:
    """How the runs of the test's experiment ended."""
    from stages.tracking import connect

    client: Any = connect(store).MlflowClient()
    experiment = client.get_experiment_by_name(store.experiment)
    return [run.info.status for run in client.search_runs([experiment.experiment_id])]
