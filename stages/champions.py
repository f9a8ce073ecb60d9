"""The champion of a line: an alias in MLflow says which version it is, a pointer lets it serve.

The alias is the truth. Both are changed under `tracking.changing_aliases`, and read again.
"""

import shutil
from pathlib import Path
from typing import Any

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD, verified
from inspection.runtime.releases import (
    POINTER,
    champion,
    champion_line,
    promote,
    replace_broken,
)
from inspection.storage import sha256_of
from stages import program

CHALLENGER = "challenger"
CHAMPION = "champion"
CARD_TAG = f"sha256_{CARD}"


def appoint(
    client: Any, line: str, number: str, releases: Path, released: str
) -> list[str]:
    """Make a version the challenger, and the champion where its line has none.

    A project serves the line that its params describe: the first version of a line serves also
    where another line did. Returns the version's aliases, as the registry then has them.
    """
    client.set_registered_model_alias(line, CHALLENGER, number)
    if CHAMPION not in aliases(client, line):
        client.set_registered_model_alias(line, CHAMPION, number)
        before = _served(releases)
        promote(releases, released)
        if before not in ("", line):
            program.log.info(
                "%s: line %r served, params.yaml describes %r: %s serves from now on; to go back, "
                "undo the adopt and run `dvc repro`",
                releases / POINTER, before, line, released,
            )  # fmt: skip
    return sorted(name for name, of in aliases(client, line).items() if of == number)


def restore(mlflow: Any, line: str, releases: Path) -> None:
    """Let the line's champion serve again where the pointer or its release was lost.

    Also where the pointer serves another line. The release comes from its folder, else from the
    registry. Raises InspectionError where neither has it whole.
    """
    client = mlflow.MlflowClient()
    number = aliases(client, line).get(CHAMPION)
    if number is None or _served(releases) == line:
        return
    tags = client.get_model_version(line, number).tags
    released = tags.get("release") or f"{line}-{number}"
    try:
        _check(releases / released, tags)
        origin = "its release was there"
    except InspectionError:
        _fetch(mlflow, line, number, releases, released)
        origin = "fetched from the registry"
    promote(releases, released)
    program.log.info(
        "%s: did not serve line %r; %s, its champion, version %s, serves again (%s)",
        releases / POINTER, line, released, number, origin,
    )  # fmt: skip


def unregistered(client: Any, line: str, releases: Path) -> Path | None:
    """The release that serves the line although the registry has lost its champion."""
    lost = CHAMPION not in aliases(client, line) and _served(releases) == line
    return champion(releases) if lost else None


def aliases(client: Any, line: str) -> dict[str, str]:
    """The aliases of a line's model and the versions that they name; none without a model."""
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_registered_model(line).aliases
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}
    return {str(name): str(number) for name, number in found.items()}


def _served(releases: Path) -> str:
    """The line that the pointer serves, empty where it cannot serve any."""
    try:
        return champion_line(releases)
    except InspectionError:
        return ""


def _fetch(mlflow: Any, line: str, number: str, releases: Path, released: str) -> None:
    from mlflow.exceptions import MlflowException

    into = releases / f".{released}.fetched"
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    tags = mlflow.MlflowClient().get_model_version(line, number).tags
    try:
        mlflow.artifacts.download_artifacts(
            f"models:/{line}/{number}", dst_path=str(into)
        )
        bundle = next((card.parent for card in into.rglob(CARD)), into)
        _check(bundle, tags)
        replace_broken(bundle, releases, released)
    except (MlflowException, OSError, InspectionError) as error:
        raise InspectionError(
            f"{releases / released}: the champion of line {line!r}, version {number}, is whole "
            f"neither there nor in the registry ({error}); put the folder back, or give alias "
            f"{CHAMPION!r} to another version (`make registry`), then run `dvc repro`"
        ) from error
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _check(folder: Path, tags: dict[str, str]) -> None:
    """Refuse a folder that is not whole, or not the bundle that was registered."""
    verified(folder)
    found = sha256_of(folder / CARD)
    if found != tags.get(CARD_TAG, found):
        raise InspectionError(
            f"{folder / CARD}: is not the card that was registered; fetch the bundle again"
        )
