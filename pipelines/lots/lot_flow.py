"""The flow `inspect-lot`: the command, with the counts as a table in Prefect's page."""

from pathlib import Path

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact

from pipelines import alerts
from pipelines.lots import inspect_lot as command
from pipelines.lots.lot import TableColumns, find_lot
from pipelines.runs import known_errors


@flow(
    name="inspect-lot",
    on_failure=[alerts.run_failed],
    on_crashed=[alerts.run_failed],
    persist_result=False,
    result_serializer="json",
)
def inspect_lot(
    frames: str,
    out: str,
    part_per_file: bool = False,
    path_column: str = TableColumns.path,
    part_column: str = TableColumns.part,
    root: str | None = None,
    workers: int | None = None,
    dask: str | None = None,
    anew: bool = False,
    log: bool = True,
) -> dict[str, int]:
    """Inspect a lot; returns how many parts have each verdict. The same run again goes on.

    `dask` is the address of a Dask scheduler, whose workers judge in place of `workers` here.
    """
    known_errors.quiet()
    lot = find_lot(
        frames,
        part_per_file=part_per_file,
        columns=TableColumns(path_column, part_column),
        root=Path(root) if root else None,
    )
    logger = get_run_logger()
    logger.info("%s", command.described(lot))

    summary = command.inspect_lot(
        lot, Path(out), n_workers=workers, dask=dask, anew=anew, log=log
    )
    logger.info("%s", summary)
    counts = {name or "refused": n for name, n in sorted(summary.counts.items())}
    create_table_artifact(
        [{"verdict": name, "parts": n} for name, n in counts.items()],
        key="lot-verdicts",
        description=str(summary),
    )
    return counts
