"""Make a work pool where there is none, and mark as crashed its runs that nobody works at.

For `make schedule`, while no worker runs. A killed worker leaves its runs as running for ever, and
they would block those that come after them.
"""

import argparse
import sys

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed
from prefect.workers.process import ProcessWorker

AT_WORK = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


def main() -> None:
    """Make the pool, mark the runs, and name each of these in a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", help="name of the work pool")
    pool = parser.parse_args().pool
    make(pool)
    for name in mark(pool):
        sys.stdout.write(f"run {name}: marked as crashed, nobody works at it\n")


def make(pool: str) -> None:
    """Make a pool whose runs are processes beside the worker, unless it is there."""
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(pool)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            made = WorkPoolCreate(
                name=pool, type=ProcessWorker.type, base_job_template=template
            )
            client.create_work_pool(made)


def mark(pool: str) -> list[str]:
    """Mark the runs of a pool that are at work by their state; returns their names."""
    at_work = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=AT_WORK))
    )
    of_pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
    ended: State[None] = Crashed(message="the worker ended before the run did")
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=at_work, work_pool_filter=of_pool)
        for run in runs:
            client.set_flow_run_state(run.id, ended, force=True)
    return [run.name for run in runs]


if __name__ == "__main__":
    main()
