"""Make a work pool where there is none, and mark as crashed its runs that nobody works at.

    python -m pipelines.runs.pool docker
    python -m pipelines.runs.pool kubernetes

Pools of these two names are of that type. Of the others runs are processes beside the worker, and
are marked, and people are told: for `make schedule`, while no worker runs. A killed worker leaves
its runs as running for ever, and they would block those that come after them.
"""

import argparse
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

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

from pipelines import alerts

# The types of Prefect's that run containers; a pool of such a name is of that type.
IN_CONTAINERS = ("docker", "kubernetes")
# Where the checkout lies in a container: Dockerfile and prefect.yaml say so, too.
MOUNTED = "/knurl"
AT_WORK = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


def main() -> None:
    """Make the pool, and mark the runs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("pool", help="name of the work pool")
    pool = parser.parse_args().pool
    make(pool)
    # runs in containers end without us, and there may be a worker that knows of them
    if pool not in IN_CONTAINERS:
        mark(pool)


def make(pool: str) -> None:
    """Make a pool, unless it is there."""
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(pool)
        except ObjectNotFound:
            kind = pool if pool in IN_CONTAINERS else ProcessWorker.type
            template = job_template(kind, client.read_worker_metadata())
            made = WorkPoolCreate(name=pool, type=kind, base_job_template=template)
            client.create_work_pool(made)


def job_template(kind: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Prefect's template of a type's jobs; for Kubernetes with the volume of the checkout.

    `metadata` are the types that a server knows, by the package of each.
    """
    (known,) = [types[kind] for types in metadata.values() if kind in types]
    template: dict[str, Any] = deepcopy(known["default_base_job_configuration"])
    if kind == "kubernetes":
        _mount(template)
    return template


def _mount(template: dict[str, Any]) -> None:
    """Prefect's job has no volumes: give it one, whose claim is a variable like its image."""
    template["variables"]["properties"]["claim"] = {
        "title": "Claim",
        "description": "The persistent volume claim that holds the checkout.",
        "type": "string",
        "default": "knurl",
    }
    pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    claim = {"claimName": "{{ claim }}"}
    pod["volumes"] = [{"name": "project", "persistentVolumeClaim": claim}]
    (container,) = pod["containers"]
    container["volumeMounts"] = [{"name": "project", "mountPath": MOUNTED}]


def mark(pool: str) -> None:
    """Mark the runs of a pool that are at work by their state as crashed, and tell people of each.

    The flow's own hooks, which would do that, have ended with the worker.
    """
    at_work = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=AT_WORK))
    )
    of_pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
    ended: State[None] = Crashed(message="the worker ended before the run did")
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=at_work, work_pool_filter=of_pool)
        for run in runs:
            client.set_flow_run_state(run.id, ended, force=True)
        flows = [client.read_flow(run.flow_id) for run in runs]
    # afterwards: a receiver that is away keeps no run from being marked
    for flow, run in zip(flows, runs, strict=True):
        alerts.run_failed(flow, run, ended)


if __name__ == "__main__":
    main()
