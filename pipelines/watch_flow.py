"""The flow `watch`: the command, with artifacts and an event for each new alarm.

It also lets a version serve whose alias somebody has moved in MLflow's own page.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image
from prefect import flow, get_run_logger
from prefect.artifacts import create_image_artifact, create_table_artifact
from prefect.events import emit_event

from inspection.images import decode
from inspection.monitoring.measures import NO_CAMERA
from inspection.monitoring.watching import Alarm
from inspection.runtime.bundle import read_card
from inspection.runtime.pictures import picture_path
from inspection.runtime.releases import champion
from inspection.runtime.verdict_log import FILE, LoggedPart, read_parts
from pipelines import alerts
from pipelines import promote as promotion
from pipelines import watch as watching
from pipelines.champions import RELEASES
from pipelines.runs import known_errors
from pipelines.runs.pictures import N_COLUMNS, sheet
from pipelines.shipping.bento import of_what_serves

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
    follow_alias: bool = True,
    bento: bool = True,
) -> list[dict[str, Any]]:
    """Watch once; returns the alarms that stand. A service that has judged nothing has none.

    With `follow_alias` the version serves afterwards that MLflow's alias `champion` names, as after
    `promote --sync`; `bento` packs it.
    """
    known_errors.quiet()
    rows = _watched(Path(verdicts), parts_a_day, false_alarms_a_day)
    # afterwards: an alias that cannot be followed fails the run, and hides no alarm
    if follow_alias and promotion.sync_if_moved(by="watch") == "synced":
        alerts.tell(
            "watch: alias 'champion' was moved in MLflow, and its version serves; "
            "`python -m pipelines.status`"
        )
        if bento:
            get_run_logger().info("%s", of_what_serves())
    return rows


def _watched(
    folder: Path, parts_a_day: int, false_alarms_a_day: float
) -> list[dict[str, Any]]:
    """The alarms that stand, as rows; people and Prefect are told of the new ones."""
    log = get_run_logger()
    if not (folder / FILE).is_file():
        log.info("%s: no verdict log yet", folder)
        return []

    found = watching.watched(
        folder, parts_a_day=parts_a_day, false_alarms_a_day=false_alarms_a_day
    )
    watching.keep(folder, found)
    create_table_artifact(
        watching.rates_table(found),
        key="watch-rates",
        description="Escapes and overkill as they run, bounds one-sided 95 %",
    )
    rows = watching.alarm_rows(found.alarms)
    if rows:
        create_table_artifact(rows, key="watch-alarms", description="What has changed")
    for alarm in watching.tell_new(folder, found.alarms):
        picture = before_and_after(folder, alarm)
        if picture is not None:
            create_image_artifact(picture, key="watch-pictures", description=alarm.text)
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


def before_and_after(folder: Path, alarm: Alarm) -> str | None:
    """The address of a picture: a row of the last that were kept before, a row of the first since.

    They are of the alarm's camera; None where none was kept.
    """
    parts = [
        part
        for part in read_parts(folder)
        if (part.release, part.camera or NO_CAMERA) == (alarm.release, alarm.camera)
    ]
    times = [part.answered_at for part in parts]
    change = times.index(alarm.since) if alarm.since in times else len(times)
    before, after = _kept(folder, parts[:change]), _kept(folder, parts[change:])
    if not before and not after:
        return None

    # a row of its own for each, also where fewer than a row were kept
    blank = ("", Image.new("RGB", (1, 1), "white"))
    first = [_shown(path, at) for path, at in before[-N_COLUMNS:]]
    first += [blank] * (N_COLUMNS - len(first))
    return sheet([*first, *(_shown(path, at) for path, at in after[:N_COLUMNS])])


def _kept(folder: Path, parts: Sequence[LoggedPart]) -> list[tuple[Path, str]]:
    """The pictures of these parts that were kept, with the time of each."""
    views = [
        (picture_path(folder, view.sha256), part.answered_at)
        for part in parts
        for view in part.views
    ]
    return [(path, at) for path, at in views if path.is_file()]


def _shown(path: Path, at: str) -> tuple[str, Image.Image]:
    """A kept picture, grey as the line has it, with its time."""
    bit_depth = read_card(champion(RELEASES)).line.bit_depth
    pixels = decode(path.read_bytes(), channels=1, bit_depth=bit_depth)
    return at[:19], Image.fromarray(pixels).convert("RGB")
