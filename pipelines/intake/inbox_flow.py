"""The flow `inbox`: the command, with a table of what was refused, and by policy a retraining."""

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact

from inspection.errors import first_three
from pipelines import alerts
from pipelines.intake import inbox as intake
from pipelines.retrain import retrain
from pipelines.runs import known_errors


@flow(
    name="inbox",
    on_failure=[alerts.run_failed],
    on_crashed=[alerts.run_failed],
    persist_result=False,
    result_serializer="json",
)
def inbox(
    folder: str = str(intake.INBOX),
    retrain_after: int | None = None,
    promote: bool = False,
    by: str = "inbox",
) -> dict[str, Any]:
    """Take what is new in the inbox; returns how many files were taken, refused, and wait.

    Once `retrain_after` files wait that no run has trained on, every stage is brought up to date;
    None leaves that to others. With `promote` the gate is asked then, in the name of `by`.
    """
    known_errors.quiet()
    found, said = intake.take_new(Path(folder), wait_s=intake.PATIENCE_S)
    get_run_logger().info("%s%s", intake.text_of(found), said)
    if found.refused:
        _tell(folder, found.refused)

    n_waiting = intake.waiting()
    trains = retrain_after is not None and n_waiting >= max(1, retrain_after)
    if trains:
        before = intake.untrained()
        retrain(promote=promote, by=by)
        intake.mark_trained(before)
        n_waiting = intake.waiting()
    return {
        "taken": len(found.accepted),
        "refused": len(found.refused),
        "waiting": n_waiting,
        "retrained": trains,
    }


def _tell(folder: str, refused: dict[str, str]) -> None:
    rows = [{"file": name, "why": why} for name, why in sorted(refused.items())]
    create_table_artifact(
        rows, key="inbox-refused", description=f"Now in {folder}/{intake.REFUSED}"
    )
    alerts.tell(
        f"inbox: {len(refused)} files refused: {first_three(sorted(refused))}; why: "
        f"{folder}/{intake.REFUSED}"
    )
