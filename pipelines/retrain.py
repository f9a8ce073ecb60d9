"""The flow `retrain`: a task per DVC stage, in order, through one DVC process.

`python -m pipelines.retrain` runs it once, in the project's root.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.settings import (
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

from inspection.errors import InspectionError
from inspection.storage import locked, read_json
from pipelines.dvc_process import Dvc

LOCK = Path(".state/locks/retrain.lock")
SERVER_START_S = 180  # a busy machine takes longer than the 20 s that Prefect grants
TEST_METRICS = Path("metrics/assemble.json")


@task(retries=1, cache_policy=NO_CACHE, persist_result=False, result_serializer="json")
def run_stage(dvc: Dvc, stage: str) -> str:
    """Bring one stage up to date, and tell whether it ran. Its output goes to the run's log."""
    return "ran" if dvc.run(stage, get_run_logger().info) else "up to date"


@flow(name="retrain", persist_result=False, result_serializer="json")
def retrain() -> list[dict[str, Any]]:
    """Bring every stage up to date; returns what was done. Two runs never overlap."""
    _quiet_known_errors()
    done: list[dict[str, Any]] = []
    with locked(LOCK, holder="flow retrain"), Dvc(get_run_logger().info) as dvc:
        try:
            for stage in dvc.stages:
                done.append({"stage": stage, "outcome": "failed", "seconds": 0.0})
                began = time.monotonic()
                done[-1]["outcome"] = run_stage.with_options(name=stage)(dvc, stage)
                done[-1]["seconds"] = round(time.monotonic() - began, 1)
        finally:
            _publish(done)
    return done


def flat(metrics: Any, prefix: str = "") -> Iterator[dict[str, str]]:
    """The numbers and words of nested metrics as rows of name and value.

    >>> list(flat({"test": {"escapes": 0, "rate": 0.123456}}))
    [{'metric': 'test.escapes', 'value': '0'}, {'metric': 'test.rate', 'value': '0.1235'}]
    """
    if isinstance(metrics, dict):
        for name, value in metrics.items():
            yield from flat(value, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(metrics, float):
        yield {"metric": prefix, "value": f"{metrics:.4g}"}
    else:
        yield {"metric": prefix, "value": json.dumps(metrics, ensure_ascii=False)}


def _publish(done: list[dict[str, Any]]) -> None:
    create_table_artifact(done, key="retrain-stages", description="What each stage did")
    failed = any(row["outcome"] == "failed" for row in done)
    # a failed run shows none of the numbers of the run before
    if TEST_METRICS.is_file() and not failed:
        rows = list(flat(read_json(TEST_METRICS)))
        create_table_artifact(
            rows, key="retrain-metrics", description=f"From {TEST_METRICS}"
        )


class _WithoutTraceback(logging.Filter):
    """Errors that the user can mend are logged as their message alone."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], InspectionError):
            record.exc_info = None
        return True


def _quiet_known_errors() -> None:
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        if not any(isinstance(f, _WithoutTraceback) for f in logger.filters):
            logger.addFilter(_WithoutTraceback())


def main() -> None:
    """Run the flow once; what the user can mend ends it with 1, untraced."""
    argparse.ArgumentParser(
        description="Run the flow `retrain` once: every DVC stage a task, in the project's root."
    ).parse_args()
    patient = {PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: SERVER_START_S}
    try:
        with temporary_settings(patient):
            retrain()
    except InspectionError as error:
        sys.stderr.write(f"retrain: failed\n{error}\n")
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
