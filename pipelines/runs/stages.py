"""Bring one stage up to date, also by the registry, of which DVC knows nothing."""

from collections.abc import Callable

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD
from pipelines.champions import BUNDLE
from pipelines.dvc_process import Dvc
from pipelines.runs import store

REGISTER = "register"


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
    if not (BUNDLE / CARD).is_file():
        return False  # without a bundle no registry is opened, nor made
    try:
        return store.opened()[2].lacks_bundle()
    except InspectionError as error:
        log(f"warning: whether {BUNDLE} is registered is not known: {error}")
        return False
