"""Let the registry's champion serve on this host, and follow it, where nothing is trained.

    MLFLOW_TRACKING_URI=http://mlflow:5000 python -m pipelines.shipping.follow --line rod-assembly

It fetches the release of the version that the last promotion or rollback made the champion, holds
it against the hash that was registered, and moves the pointer that the service follows. What cannot
be fetched, is not what was registered, or is not signed where KNURL_PUBLIC_KEY asks for it, changes
nothing: the last good release serves on, also while the registry is away. Nothing is written to the
registry. Exit 1, with --once: the champion could not be brought here.
"""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.errors import InspectionError
from inspection.failures import PlainErrors

if TYPE_CHECKING:
    from pipelines.champions import Registry
    from stages.tracking import TrackingParams

# A look costs the registry a few requests, and this host the hashes of one release. The service
# takes the pointer up within a second, so that a promotion serves here within the promised ten.
EVERY_S = 5.0

logger = logging.getLogger("knurl.follow")


def main() -> None:
    """Follow until Ctrl-C, or look once."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # of its few small files MLflow would draw a bar each
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())

    with PlainErrors("follow"):
        line, store = _wanted(given.line)
        if given.once:
            logger.info("%s serves", brought(line, store, given.releases))
            return
        follow(line, store, given.releases, every_s=given.every, stopping=stopping)


def follow(
    line: str,
    store: "TrackingParams",
    releases: Path,
    *,
    every_s: float = EVERY_S,
    stopping: threading.Event,
) -> None:
    """Bring each new champion here until `stopping`; a problem is logged once and tried again."""
    said = ""
    while not stopping.is_set():
        try:
            told = f"{brought(line, store, releases)} serves"
        except InspectionError as error:
            told = f"warning: the last good release stays: {error}"
        if told != said:
            logger.info("%s", told)
        said = told
        stopping.wait(every_s)


def brought(
    line: str,
    store: "TrackingParams",
    releases: Path,
    variables: Mapping[str, str] = os.environ,
) -> str:
    """Let the champion serve from `releases`; returns its release. Raises InspectionError."""
    from mlflow.exceptions import MlflowException

    from inspection.runtime.bundle import CARD
    from inspection.runtime.releases import promote
    from inspection.runtime.signatures import read_public_key, require_signature
    from pipelines.champions import Registry
    from stages import tracking

    path = variables.get("KNURL_PUBLIC_KEY")
    key = read_public_key(Path(path)) if path else None
    try:
        registry = Registry(tracking.reader(store), line, releases)
        folder = registry.signed(_champion(registry))
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise InspectionError(f"registry: {reason}") from error

    if key is not None:
        require_signature(folder, (folder / CARD).read_bytes(), key)
    if not _serves(folder, releases):
        promote(releases, folder.name)
    return folder.name


def _champion(registry: "Registry") -> str:
    """The version that is champion by its alias and by the entry of the move that made it so."""
    from stages.tracking import CHAMPION

    alias, promoted = registry.aliases().get(CHAMPION), registry.promoted()
    if alias is None:
        raise InspectionError(
            f"{registry.line}: no version has the alias {CHAMPION!r} in this registry; run "
            "`python -m pipelines.promote` where it is trained"
        )
    if alias != promoted:
        raise InspectionError(
            f"{registry.line}: the alias {CHAMPION!r} names version {alias}, which no gate has "
            f"seen (promoted was {promoted or 'none'}); run `python -m pipelines.promote --sync` "
            "where it is trained"
        )
    return alias


def _serves(folder: Path, releases: Path) -> bool:
    from inspection.runtime.releases import champion

    try:
        return champion(releases) == folder
    except InspectionError:  # none yet, or a broken pointer
        return False


def _wanted(line: str | None) -> "tuple[str, TrackingParams]":
    """The line and the store: by name and environment, or those of params.yaml."""
    from inspection.line import Line
    from stages import sections, tracking

    if line is not None:
        return line, tracking.TrackingParams()
    described, store = sections.read(
        sections.section("line", Line),
        sections.section("tracking", tracking.TrackingParams),
    )
    return described.name, store


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--line", metavar="NAME", help="(that of params.yaml)")
    parser.add_argument(
        "--releases", type=Path, default=Path("models/releases"), metavar="PATH"
    )
    parser.add_argument("--every", type=float, default=EVERY_S, metavar="S")
    parser.add_argument("--once", action="store_true", help="look once, and end")
    return parser.parse_args()


if __name__ == "__main__":
    main()
