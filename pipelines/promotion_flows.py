"""The flows `promote` and `rollback`: the commands, with their parameters in Prefect's page."""

import sys

from prefect import flow

from inspection.errors import InspectionError
from pipelines import alerts
from pipelines import promote as gate
from pipelines import rollback as back
from pipelines.runs import known_errors
from pipelines.shipping.bento import of_champion


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
    if outcome in ("refused", "superseded"):
        raise InspectionError(
            f"promote: the challenger is {outcome}; see `python -m pipelines.status`"
        )
    if bento and not dry_run:
        # when it serves already: a Bento that cannot be built keeps no part waiting
        sys.stdout.write(of_champion() + "\n")
    return outcome


@flow(
    name="rollback",
    on_failure=[alerts.run_failed],
    on_crashed=[alerts.run_failed],
    persist_result=False,
    result_serializer="json",
)
def rollback(by: str, reason: str) -> str:
    """Let the previous champion serve again."""
    known_errors.quiet()
    return back.rollback(reason=reason, by=by)
