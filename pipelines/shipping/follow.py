"""Let the registry's champion serve on this host, and follow it, where nothing is trained.

    MLFLOW_TRACKING_URI=http://mlflow:5000 python -m pipelines.shipping.follow --line rod-assembly

It fetches the release of the version that the last promotion or rollback made the champion, holds
it against the hash that was registered, and moves the pointer that the service follows. What cannot
be fetched, is not what was registered, or is not signed where KNURL_PUBLIC_KEY asks for it, changes
nothing: the last good release of that line serves on, also while the registry is away. What the
release's normal test parts look like comes after it, for a watch on this host, and holds back no
release. Nothing is written to the registry. Exit 1, with --once: a champion could not be brought
here.

Of several lines (`--line rod-assembly tiles`) the first serves as that in the root, each other one
as `lines/<name>`. In a checkout they need not be named: followed are that of params.yaml, and each
in `lines/`.
"""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.errors import InspectionError, raise_all
from inspection.plant import LINES, LineErrors, as_typed, check_name, lines_in

if TYPE_CHECKING:
    from pipelines.champions import Registry
    from stages.tracking import TrackingParams

# A look costs the registry a few requests, and this host the hashes of one release. The service
# takes the pointer up within a second, so that a promotion serves here within the promised ten.
EVERY_S = 5.0
# In the folder of a line; pipelines/champions.py has it too, and imports what takes its time.
RELEASES = Path("models/releases")

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

    with LineErrors("follow"):
        lines = wanted(given.line, given.releases, given.lines)
        if given.once:
            once(lines)
            return
        follow(lines, every_s=given.every, stopping=stopping)


@dataclass(frozen=True)
class Followed:
    """A line by its name in the registry, the registry, and the folder that it serves from."""

    line: str
    store: "TrackingParams"
    releases: Path


@dataclass(frozen=True)
class Brought:
    """The release that serves, and why this host does not know what it usually sees, if so."""

    release: str
    problem: str

    def __str__(self) -> str:
        warning = f"; warning: {self.problem}" if self.problem else ""
        return f"{self.release} serves{warning}"


def once(lines: Sequence[Followed]) -> None:
    """Bring the champion of each line here. Raises one InspectionError for all that stay away."""
    problems = []
    for one in lines:
        try:
            said = brought(one.line, one.store, one.releases)
            logger.info("%s", as_typed(str(said)))
        except InspectionError as error:
            problems.append(str(error))
    raise_all(problems)


def follow(
    lines: Sequence[Followed], *, every_s: float = EVERY_S, stopping: threading.Event
) -> None:
    """Bring each new champion here until `stopping`; a problem is logged once and tried again."""
    said: dict[str, str] = {}
    while not stopping.is_set():
        for one in lines:
            try:
                told = str(brought(one.line, one.store, one.releases))
            except InspectionError as error:
                told = f"warning: the last good release stays: {error}"
            if told != said.get(one.line):
                logger.info("%s", as_typed(told))
            said[one.line] = told
        stopping.wait(every_s)


def brought(
    line: str,
    store: "TrackingParams",
    releases: Path,
    variables: Mapping[str, str] = os.environ,
) -> Brought:
    """Let the champion serve from `releases`. Raises InspectionError."""
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
        number = _champion(registry)
        folder = registry.signed(number)
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise InspectionError(f"registry: {reason}") from error

    if key is not None:
        require_signature(folder, (folder / CARD).read_bytes(), key)
    if not _serves(folder, releases):
        promote(releases, folder.name)
    return Brought(folder.name, _lacks_usual(registry, number))


def _lacks_usual(registry: "Registry", number: str) -> str:
    """Why what is usual of a version cannot be brought here; '' where it is here."""
    from mlflow.exceptions import MlflowException

    try:
        registry.bring_usual(number)
    except (InspectionError, MlflowException) as error:
        return str(error).splitlines()[0]
    return ""


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


def wanted(
    names: Sequence[str], releases: Path = RELEASES, lines: Path = LINES
) -> list[Followed]:
    """The lines to follow: by their names and the environment, or those of this checkout.

    The first serves from `releases`, each other one from a folder of its own in `lines`. Raises
    InspectionError.
    """
    if not names:
        return _of_checkout(releases, lines)

    from stages.tracking import TrackingParams

    first, *others = names
    for name in others:
        check_name(name)
    return [
        Followed(first, TrackingParams(), releases),
        *(Followed(one, TrackingParams(), lines / one / RELEASES) for one in others),
    ]


def _of_checkout(releases: Path, lines: Path) -> list[Followed]:
    """The line that params.yaml describes, and each other one that is in `lines/`."""
    from inspection.line import Line
    from stages import sections, tracking

    found = []
    for folder in (Path(), *lines_in(LINES).values()):
        with chdir(folder):
            described, store = sections.read(
                sections.section("line", Line),
                sections.section("tracking", tracking.TrackingParams),
            )
        if ":" not in store.store:
            # a folder: that of the line, from here
            store = store.model_copy(update={"store": str(folder / store.store)})
        place = lines / folder.name / RELEASES if folder.name else releases
        found.append(Followed(described.name, store, place))
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--line", nargs="+", default=[], metavar="NAME", help="(those of this checkout)"
    )
    parser.add_argument(
        "--releases", type=Path, default=RELEASES, metavar="PATH", help="of the first"
    )
    parser.add_argument(
        "--lines", type=Path, default=LINES, metavar="PATH", help="of the others"
    )
    parser.add_argument("--every", type=float, default=EVERY_S, metavar="S")
    parser.add_argument("--once", action="store_true", help="look once, and end")
    return parser.parse_args()


if __name__ == "__main__":
    main()
