"""The flows `promote` and `rollback`: the commands, with their parameters in Prefect's page."""

from prefect import flow

from inspection.errors import InspectionError
from pipelines import alerts
from pipelines import promote as gate
from pipelines import rollback as back
from pipelines.runs import known_errors
from pipelines.shipping.bento import of_what_serves


@flow(
    name="promote",
    on_failure=[alerts.run_failed],
    on_crashed=[alerts.run_failed],
    persist_result=False,
    result_serializer="json",
)
def promote(
    by: str,
    dry_run: bool = False,
    override: str = "",
    sync: bool = False,
    bento: bool = True,
) -> str:
    """Hold the challenger against the champion; a run whose challenger is refused fails.

    `override`, a reason, promotes in spite of the gate. `sync` lets the version serve that MLflow's
    alias `champion` names, and records what the gate says. `bento` packs what then serves.
    """
    known_errors.quiet()
    outcome = gate.promote_or_sync(
        by=by, dry_run=dry_run, override=override, follow_alias=sync
    )
    if outcome in gate.STAYS:
        raise InspectionError(
            f"promote: the challenger is {outcome}; see `python -m pipelines.status`"
        )
    if bento and outcome in gate.SERVES:
        gate.say(of_what_serves())
    return outcome


@flow(
    name="rollback",
    on_failure=[alerts.run_failed],
    on_crashed=[alerts.run_failed],
    persist_result=False,
    result_serializer="json",
)
def rollback(by: str, reason: str, bento: bool = True) -> str:
    """Let the previous champion serve again; `bento` packs it."""
    known_errors.quiet()
    said = back.rollback(reason=reason, by=by)
    if bento:
        gate.say(of_what_serves())
    return said
