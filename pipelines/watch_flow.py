"""The flow `watch`: the command, with artifacts and an event for each new alarm."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.events import emit_event

from inspection.runtime.verdict_log import FILE
from pipelines import alerts
from pipelines import watch as watching

ALARM = "knurl.alarm"


@flow(
    name="watch",
    on_failure=[alerts.run_failed],
    on_crashed=[alerts.run_failed],
    persist_result=False,
    result_serializer="json",
)
def watch(
    verdicts: str = str(watching.VERDICTS),
    parts_a_day: int = watching.PARTS_A_DAY,
    false_alarms_a_day: float = watching.FALSE_ALARMS_A_DAY,
) -> list[dict[str, Any]]:
    """Watch once; returns the alarms that stand. A service that has judged nothing has none."""
    folder = Path(verdicts)
    log = get_run_logger()
    if not (folder / FILE).is_file():
        log.info("%s: no verdict log yet", folder)
        return []

    found = watching.watched(
        folder, parts_a_day=parts_a_day, false_alarms_a_day=false_alarms_a_day
    )
    create_table_artifact(
        watching.rates_table(found),
        key="watch-rates",
        description="Escapes and overkill as they run, bounds one-sided 95 %",
    )
    rows = watching.alarm_rows(found.alarms)
    if rows:
        create_table_artifact(rows, key="watch-alarms", description="What has changed")
    for alarm in watching.tell_new(folder, found.alarms):
        emit_event(
            event=ALARM,
            resource={
                "prefect.resource.id": f"knurl.camera.{alarm.camera}",
                "prefect.resource.name": f"camera {alarm.camera}",
            },
            payload=asdict(alarm),
        )
    log.info("%s", watching.text_of(found))
    return rows
