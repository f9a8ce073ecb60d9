"""The champion of a line: an alias in MLflow says which version it is, a pointer lets it serve.

The alias is the truth. It is moved under `tracking.changing_aliases` and read again there, and each
move or refusal is an entry that nobody changes: a tag of the registered model, and a line in
`history.jsonl` beside the releases.
"""

import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD, verified
from inspection.runtime.releases import POINTER, promote, replace_broken
from inspection.runtime.signatures import read_private_key
from inspection.storage import read_json, sha256_of
from stages.tracking import CARD_TAG, CHAMPION, PREVIOUS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

RELEASES = Path("models/releases")
HISTORY = "history.jsonl"
ENTRY = "entry-"
SIGNING_KEY = "KNURL_SIGNING_KEY"


def signing_key(
    variables: Mapping[str, str] = os.environ,
) -> "Ed25519PrivateKey | None":
    """The key that signs what is promoted; None where the environment names none."""
    path = variables.get(SIGNING_KEY)
    return read_private_key(Path(path)) if path else None


class Registry:
    """The versions of one line's model, their aliases and the entries of what happened to them."""

    def __init__(
        self,
        mlflow: Any,
        line: str,
        releases: Path = RELEASES,
        signing_key: "Ed25519PrivateKey | None" = None,
    ) -> None:
        self.mlflow = mlflow
        self.client = mlflow.MlflowClient()
        self.line = line
        self.releases = releases
        self._signing_key = signing_key

    def aliases(self) -> dict[str, str]:
        """The aliases of the line's model and the versions that they name; none without a model."""
        from mlflow.exceptions import MlflowException

        try:
            found = self.client.get_registered_model(self.line).aliases
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return {}
        return {str(name): str(number) for name, number in found.items()}

    def tags(self, number: str) -> dict[str, str]:
        """The tags of a version."""
        return dict(self.client.get_model_version(self.line, number).tags)

    def tag(self, number: str, **tags: str) -> None:
        """Set tags of a version."""
        for name, value in tags.items():
            self.client.set_model_version_tag(self.line, number, name, value)

    def released(self, number: str) -> Path:
        """The whole release of a version, fetched from the registry where it is not there."""
        tags = self.tags(number)
        folder = self.releases / tags["release"]
        try:
            _check(folder, tags)
        except InspectionError:
            self._fetch(number, tags)
        return folder

    def served(self) -> str | None:
        """The version whose release the pointer names; None where that is none of this line."""
        path = self.releases / POINTER
        if not path.is_file():
            return None
        release = read_json(path).get("version")
        for version in self.client.search_model_versions(f"name = '{self.line}'"):
            if version.tags.get("release") == release:
                return str(version.version)
        return None

    def move(self, number: str, *, previous: str | None) -> None:
        """Make a version the champion: its release, the aliases, its signature, then the pointer.

        The caller holds `tracking.changing_aliases`.
        """
        folder = self.released(number)
        if previous not in (None, number):
            self.client.set_registered_model_alias(self.line, PREVIOUS, previous)
        self.client.set_registered_model_alias(self.line, CHAMPION, number)
        promote(self.releases, folder.name, self._signing_key)

    def entries(self) -> list[dict[str, Any]]:
        """What happened, oldest first."""
        from mlflow.exceptions import MlflowException

        try:
            tags = self.client.get_registered_model(self.line).tags
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return []
        return [
            json.loads(tags[name]) for name in sorted(tags) if name.startswith(ENTRY)
        ]

    def append(self, **entry: Any) -> None:
        """Add an entry, with the time. The caller holds `tracking.changing_aliases`."""
        entry = {"when": datetime.now(UTC).isoformat(timespec="seconds")} | entry
        text = json.dumps(entry, ensure_ascii=False, sort_keys=True)
        name = f"{ENTRY}{len(self.entries()) + 1:06d}"
        self.client.set_registered_model_tag(self.line, name, text)

        self.releases.mkdir(parents=True, exist_ok=True)
        with (self.releases / HISTORY).open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    def artifact(self, number: str, path: str, into: Path) -> Path:
        """An artifact of a version, by its path among what `register` logged for it."""
        tags = self.tags(number)
        if "artifacts" not in tags:
            raise InspectionError(
                f"version {number} of {self.line}: was registered without {path}; register it "
                "again with `dvc repro -f -s register`"
            )
        return Path(
            self.mlflow.artifacts.download_artifacts(
                run_id=tags["run_id"],
                artifact_path=f"{tags['artifacts']}/{path}",
                dst_path=str(into),
            )
        )

    def _fetch(self, number: str, tags: dict[str, str]) -> None:
        from mlflow.exceptions import MlflowException

        into = self.releases / f".{tags['release']}.fetched"
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        try:
            self.mlflow.artifacts.download_artifacts(
                f"models:/{self.line}/{number}", dst_path=str(into)
            )
            bundle = next((card.parent for card in into.rglob(CARD)), into)
            _check(bundle, tags)
            replace_broken(bundle, self.releases, tags["release"])
        except (MlflowException, OSError, InspectionError) as error:
            raise InspectionError(
                f"{self.releases / tags['release']}: version {number} of {self.line} is whole "
                f"neither there nor in the registry ({error}); put the folder back, or give alias "
                f"{CHAMPION!r} to another version (`make registry`)"
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
