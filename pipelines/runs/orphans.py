"""Mark as crashed the runs of a work pool that nobody works at, so that they block no other.

For `make schedule`, while no worker runs. A killed worker leaves its runs as running for ever.
"""

import argparse
import sys

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import State, StateType
from prefect.states import Crashed

AT_WORK = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


def main() -> None:
    """Mark them, and name each in a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", help="name of the work pool")
    for name in mark(parser.parse_args().pool):
        sys.stdout.write(f"run {name}: marked as crashed, nobody works at it\n")


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
