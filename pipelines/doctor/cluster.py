"""The Dask cluster that the environment names, if any: whether its workers would judge as we do."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from inspection.cluster import ADDRESS, connected
from inspection.cluster_setup import check
from inspection.errors import InspectionError
from inspection.runtime.releases import champion
from pipelines.champions import RELEASES
from pipelines.doctor.finding import FAULT, OK, Finding
from pipelines.lots.cluster_judging import needed_for

SUBJECT = "Dask"


def checks() -> Iterator[Finding]:
    """What can be said of the cluster."""
    yield from cluster(os.environ)


def cluster(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the scheduler that DASK_SCHEDULER_ADDRESS names answers, and has workers like us."""
    address = variables.get(ADDRESS)
    if not address:
        return
    try:
        with connected(address) as found:
            n_workers = len(found.workers())
            if not n_workers:
                raise found.without_workers()
            check(found, needed_for(_release(), frame=None))
    except InspectionError as error:
        text, _, remedy = str(error).rpartition("; ")
        yield Finding(FAULT, SUBJECT, text, remedy)
        return
    yield Finding(
        OK, SUBJECT, f"{address}: answers; {n_workers} workers would judge as we do"
    )


def _release() -> Path:
    """The folder of the champion; where there is none, none of the workers has one either."""
    try:
        return champion(RELEASES).absolute()
    except InspectionError:
        return RELEASES.absolute()
