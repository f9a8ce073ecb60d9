"""The Dask cluster that the environment names, if any: whether its workers would work as we do.

Lots are judged there by the release of each line, and stages loop over views. What these two need
alike is not the same: a stage wants numpy's code to be for the same processor, too.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from inspection.cluster import ADDRESS, connected
from inspection.cluster_setup import Needed, check
from inspection.errors import InspectionError
from inspection.over_views import LIBRARIES, SOURCES
from inspection.plant import LINES, lines_in
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
            for needed in _needed():
                check(found, needed)
    except InspectionError as error:
        text, _, remedy = str(error).rpartition("; ")
        yield Finding(FAULT, SUBJECT, text, remedy)
        return
    text = (
        f"{address}: answers; {n_workers} workers would judge, and run stages, as we do"
    )
    yield Finding(OK, SUBJECT, text)


def _needed() -> Iterator[Needed]:
    """What is asked for the lots of each line, and for the stages of all."""
    for folder in (Path(), *lines_in(LINES).values()):
        yield needed_for(_release(folder / RELEASES), frame=None)
    yield Needed(SOURCES, LIBRARIES, frame=None, held=True)


def _release(releases: Path) -> Path:
    """The folder of the champion; where there is none, none of the workers has one either."""
    try:
        return champion(releases).absolute()
    except InspectionError:
        return releases.absolute()
