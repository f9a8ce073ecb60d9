"""Bring one stage up to date, also by the registry, of which DVC knows nothing."""

from collections.abc import Callable
from pathlib import Path

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD
from inspection.storage import sha256_of
from pipelines.dvc_process import Dvc
from pipelines.runs import store

REGISTER = "register"
BUNDLE = Path("models/bundle")


def brought_up_to_date(dvc: Dvc, stage: str, log: Callable[[str], None]) -> bool:
    """As `dvc.run`; stage `register` is repeated where the registry does not have the bundle.

    So it is after `dvc exp apply` of a run with `--temp`, and after a clone: DVC brings bundle and
    receipt, and the version that they name is in a registry that is gone.
    """
    ran = dvc.run(stage, log)
    if ran or stage != REGISTER or not _is_missing(log):
        return ran
    log(f"{BUNDLE}: is not in this registry, and is registered again")
    return dvc.run(stage, log, force=True)


def _is_missing(log: Callable[[str], None]) -> bool:
    """Whether no version of the registry is this bundle; a registry that is away is not asked."""
    card = BUNDLE / CARD
    if not card.is_file():
        return False
    try:
        return not store.opened()[2].holds(sha256_of(card))
    except InspectionError as error:
        log(f"warning: whether {BUNDLE} is registered is not known: {error}")
        return False
