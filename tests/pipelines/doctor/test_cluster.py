from pathlib import Path

import pytest

from pipelines.doctor.cluster import cluster
from pipelines.doctor.finding import FAULT, OK
from tests.clusters import scheduler
from tests.servers import HOST, INSTALL, free_port


def test_without_a_name_no_cluster_is_asked() -> None:
    assert list(cluster({})) == []


def test_a_scheduler_that_is_away_is_a_fault() -> None:
    pytest.importorskip("distributed", reason=INSTALL)
    (found,) = cluster({"DASK_SCHEDULER_ADDRESS": f"tcp://{HOST}:{free_port()}"})

    assert (found.state, "no Dask scheduler answers" in found.text) == (FAULT, True)


@pytest.mark.slow
def test_workers_are_counted_and_a_scheduler_without_any_is_a_fault(tmp_path: Path) -> None:
    with scheduler(tmp_path / "dask") as begun:
        variables = {"DASK_SCHEDULER_ADDRESS": begun.address}
        (alone,) = cluster(variables)
        begun.add_workers(2)
        (found,) = cluster(variables)

    assert (alone.state, "the Dask scheduler has no worker" in alone.text) == (FAULT, True)
    assert (found.state, "2 workers would judge as we do" in found.text) == (OK, True)


@pytest.mark.slow
def test_workers_of_another_checkout_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with scheduler(tmp_path / "dask", {"PYTHONPATH": str(tmp_path / "empty")}) as begun:
        begun.add_workers(1)
        (found,) = cluster({"DASK_SCHEDULER_ADDRESS": begun.address})

    assert found.state == FAULT
    assert "cannot run this project" in found.text
