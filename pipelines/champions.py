"""The champion of a line: an alias in MLflow says which version it is, a pointer lets it serve.

The alias is the truth. It is moved under `tracking.changing_aliases` and read again there. Each
move or refusal is an entry that nobody changes: a line in `history.jsonl` beside the releases, a
tag of the version with all of it, and in brief one of the registered model, of which MLflow keeps
little. The entry of a move is written ahead of it, so that a move that was cut off is finished by
the next one.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD, verified
from inspection.runtime.releases import POINTER, promote, replace_broken
from inspection.runtime.signatures import SIGNATURE, read_private_key
from inspection.storage import (
    locked,
    read_json,
    sha256_of,
    write_bytes,
    write_json,
    write_text,
)
from stages.tracking import CARD_TAG, CHAMPION, PREVIOUS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

RELEASES = Path("models/releases")
# What the last run has assembled.
BUNDLE = Path("models/bundle")
HISTORY = "history.jsonl"
# What the registry held when it was asked last: the dashboard reads this and not MLflow.
SEEN = "registry.json"
# The newest versions stand there, as many as a person goes through, and those that bear an alias.
N_SEEN = 20
FETCH_LOCK = ".fetch.lock"
# How long one waits for another process that fetches a release: 60 MB over a slow line.
FETCH_PATIENCE_S = 600.0
ENTRY = "entry-"
# Of an entry in brief: MLflow keeps 5,000 characters of a registered model's tag, which PostgreSQL
# insists on, and JSON may write a character as six. Two texts are free: who, and why.
MAX_BRIEF_TEXT = 300
# Names the entry of a move that is under way.
MOVING = "moving"
# The outcomes of entries after which another version is the champion.
MOVES = ("promoted", "overridden", "synced", "rolled back")
# The tag of a version that holds its release's signature, for hosts that have the public key only.
SIGNATURE_TAG = "signature"
# Of a version: the hash of what its normal test parts look like, which lies among the artifacts of
# its run under that hash. It is measured by the promotion, so it is no part of the bundle.
USUAL_TAG = "usual_sha256"
USUAL = "usual"
SIGNING_KEY = "KNURL_SIGNING_KEY"


def signing_key(
    variables: Mapping[str, str] = os.environ,
) -> "Ed25519PrivateKey | None":
    """The key that signs what is promoted; None where the environment names none."""
    path = variables.get(SIGNING_KEY)
    return read_private_key(Path(path)) if path else None


def usual_path(releases: Path, release: str) -> Path:
    """Where the measures of a release's normal test parts are kept, for the watch.

    Beside the release, which holds what was registered and nothing else.
    """
    return releases / f"{release}.usual.json"


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

    def description(self, number: str) -> str:
        """The model card of a version, Markdown."""
        return str(self.client.get_model_version(self.line, number).description or "")

    def holds(self, card_sha256: str) -> bool:
        """Whether a version of the line is the bundle with this card."""
        versions = self.client.search_model_versions(f"name = '{self.line}'")
        return any(one.tags.get(CARD_TAG) == card_sha256 for one in versions)

    def lacks_bundle(self) -> bool:
        """Whether the bundle of the last run lies here, and is no version of this registry."""
        card = BUNDLE / CARD
        return card.is_file() and not self.holds(sha256_of(card))

    def has(self, number: str) -> bool:
        """Whether there is a version of this number."""
        from mlflow.exceptions import MlflowException

        try:
            self.client.get_model_version(self.line, number)
        except MlflowException as error:
            # the second where it is no number at all
            if error.error_code not in (
                "RESOURCE_DOES_NOT_EXIST",
                "INVALID_PARAMETER_VALUE",
            ):
                raise
            return False
        return True

    def released(self, number: str) -> Path:
        """The whole release of a version, fetched from the registry where it is not there.

        Of processes that want it at the same time one fetches it, and the others wait.
        """
        tags = self.tags(number)
        folder = self.releases / tags["release"]
        if _is_whole(folder, tags):
            return folder

        lock = self.releases / FETCH_LOCK
        with locked(lock, holder="a fetch of a release", wait_s=FETCH_PATIENCE_S):
            if not _is_whole(folder, tags):
                self._fetch(number, tags)
        return folder

    def signed(self, number: str) -> Path:
        """As `released`, with the signature beside its card that was made where it was promoted."""
        folder = self.released(number)
        signature = self.tags(number).get(SIGNATURE_TAG)
        if signature:
            write_text(folder / SIGNATURE, f"{signature}\n")
        return folder

    def keep_usual(self, number: str, usual: Mapping[str, Any]) -> None:
        """Write what normal test parts look like beside a version's release, and into its record:
        from there hosts that follow it have it.
        """
        path = usual_path(self.releases, self.tags(number)["release"])
        write_json(path, usual)
        self.record_usual(number)

    def record_usual(self, number: str) -> None:
        """Put what lies beside a version's release into its record; nothing where nothing does."""
        tags = self.tags(number)
        path = usual_path(self.releases, tags["release"])
        if not path.is_file():
            return
        digest, text = sha256_of(path), path.read_text(encoding="utf-8")
        self.client.log_text(tags["run_id"], text, f"{USUAL}/{digest}.json")
        self.tag(number, **{USUAL_TAG: digest})

    def bring_usual(self, number: str) -> None:
        """Fetch what `keep_usual` has recorded of a version, where it is not there; nothing where
        nothing is recorded, as of versions of before. Raises InspectionError.
        """
        from mlflow.exceptions import MlflowException

        tags = self.tags(number)
        digest, path = tags.get(USUAL_TAG), usual_path(self.releases, tags["release"])
        if digest is None or (path.is_file() and sha256_of(path) == digest):
            return

        with tempfile.TemporaryDirectory(prefix="knurl-usual-") as into:
            try:
                fetched = self.mlflow.artifacts.download_artifacts(
                    run_id=tags["run_id"],
                    artifact_path=f"{USUAL}/{digest}.json",
                    dst_path=into,
                )
                found = sha256_of(Path(fetched))
            except (MlflowException, OSError) as error:
                reason = str(error).splitlines()[0]
                raise InspectionError(
                    f"{path}: cannot be fetched ({reason}); run `python -m pipelines.promote` "
                    "where it was promoted, which records it anew"
                ) from error
            if found != digest:
                raise InspectionError(
                    f"{path}: is in the registry not what was recorded; run `python -m "
                    "pipelines.promote` where it was promoted, which records it anew"
                )
            write_bytes(path, Path(fetched).read_bytes())

    def promoted(self) -> str | None:
        """The version that the last promotion, rollback or sync made the champion, if any."""
        briefs = _briefs(self._model_tags()).values()
        moves = [entry for entry in briefs if entry.get("outcome") in MOVES]
        return str(moves[-1]["to"]) if moves else None

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

    def move(self, number: str, *, previous: str | None, **entry: Any) -> None:
        """Make a version the champion, and add the entry, which says so first.

        Two moves never overlap: the caller holds `tracking.changing_aliases`.
        """
        self.released(number)
        self.client.set_registered_model_tag(self.line, MOVING, self._next_entry())
        self._take_effect(self._added({"from": previous, "to": number} | entry))

    def finish_interrupted(self) -> str | None:
        """Finish a move that was cut off; returns the version that it made the champion.

        The caller holds `tracking.changing_aliases`.
        """
        tags = self._model_tags()
        if MOVING not in tags:
            return None
        name = tags[MOVING]
        if name not in tags:  # cut off before the entry: nothing was moved
            self.client.delete_registered_model_tag(self.line, MOVING)
            return None

        brief = tags[name]
        text = self.tags(json.loads(brief)["to"]).get(name, brief)
        entry: dict[str, Any] = json.loads(text)
        history = self.releases / HISTORY
        written = history.read_text(encoding="utf-8") if history.is_file() else ""
        if text not in written.splitlines():
            self._note(text, torn=bool(written) and not written.endswith("\n"))
        self._take_effect(entry)
        return str(entry["to"])

    def note_versions(self) -> None:
        """Write beside the releases which versions there are and which aliases they bear."""
        aliases = self.aliases()
        if not aliases:
            return

        newest = self.client.search_model_versions(
            f"name = '{self.line}'",
            max_results=N_SEEN,
            order_by=["version_number DESC"],
        )
        tags = {str(one.version): dict(one.tags) for one in newest}
        for number in aliases.values():
            tags.setdefault(number, self.tags(number))

        versions = [
            {
                "number": number,
                "release": of_version.get("release", ""),
                "card_sha256": of_version.get(CARD_TAG, ""),
                "aliases": [name for name, at in aliases.items() if at == number],
            }
            for number, of_version in tags.items()
        ]
        write_json(self.releases / SEEN, {"line": self.line, "versions": versions})

    def _take_effect(self, entry: dict[str, Any]) -> None:
        """The tags, the aliases, the signature, then the pointer; twice is as once."""
        number, previous = entry["to"], entry["from"]
        folder = self.released(number)
        if entry.get("outcome") == "rolled back" and previous is not None:
            why = entry["why"] or "no reason given"
            self.tag(previous, rolled_back=f"by {entry['who']}: {why}")
        if entry.get("outcome") in ("promoted", "overridden"):
            reason = entry["why"] or "all rules passed"
            self.tag(number, gate=entry["outcome"], gate_reason=reason)

        if previous not in (None, number):
            self.client.set_registered_model_alias(self.line, PREVIOUS, previous)
        self.client.set_registered_model_alias(self.line, CHAMPION, number)
        promote(self.releases, folder.name, self._signing_key)
        if self._signing_key is not None:
            signature = (folder / SIGNATURE).read_text(encoding="ascii")
            self.tag(number, **{SIGNATURE_TAG: signature.strip()})
        self.client.delete_registered_model_tag(self.line, MOVING)
        self.note_versions()

    def entries(self) -> list[dict[str, Any]]:
        """What happened, oldest first; in brief where the version was deleted that has the rest."""
        versions = self.client.search_model_versions(f"name = '{self.line}'")
        tags = {str(version.version): version.tags for version in versions}
        found = []
        for name, brief in _briefs(self._model_tags()).items():
            whole = tags.get(str(brief["to"]), {}).get(name)
            found.append(json.loads(whole) if whole else brief)
        return found

    def append(self, **entry: Any) -> dict[str, Any]:
        """Add an entry, with the time. The caller holds `tracking.changing_aliases`."""
        added = self._added(entry)
        self.note_versions()
        return added

    def _added(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The entry with the time. It counts once the registered model has it: all of it is written
        to the version before.
        """
        entry = {"when": datetime.now(UTC).isoformat(timespec="seconds"), **entry}
        text, name = _as_text(entry), self._next_entry()
        self.tag(entry["to"], **{name: text})
        self.client.set_registered_model_tag(
            self.line, name, _as_text(_in_brief(entry))
        )
        self._note(text)
        return entry

    def _note(self, text: str, *, torn: bool = False) -> None:
        """Add a line to the history; one that was torn by a power cut is ended first."""
        self.releases.mkdir(parents=True, exist_ok=True)
        with (self.releases / HISTORY).open("a", encoding="utf-8") as file:
            file.write(("\n" if torn else "") + text + "\n")

    def _next_entry(self) -> str:
        return f"{ENTRY}{len(_briefs(self._model_tags())) + 1:06d}"

    def _model_tags(self) -> dict[str, str]:
        from mlflow.exceptions import MlflowException

        try:
            return dict(self.client.get_registered_model(self.line).tags)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return {}

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


def _briefs(tags: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The entries among a registered model's tags by their names, oldest first.

    Those of older software have everything.
    """
    names = sorted(name for name in tags if name.startswith(ENTRY))
    return {name: json.loads(tags[name]) for name in names}


def _in_brief(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry without its rules, and with the beginning of what people have written."""
    return {
        key: value[:MAX_BRIEF_TEXT] if isinstance(value, str) else value
        for key, value in entry.items()
        if key != "rules"
    }


def _as_text(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, sort_keys=True)


def _is_whole(folder: Path, tags: dict[str, str]) -> bool:
    try:
        _check(folder, tags)
    except InspectionError:
        return False
    return True


def _check(folder: Path, tags: dict[str, str]) -> None:
    """Refuse a folder that is not whole, or not the bundle that was registered."""
    verified(folder)
    found = sha256_of(folder / CARD)
    if found != tags.get(CARD_TAG, found):
        raise InspectionError(
            f"{folder / CARD}: is not the card that was registered; fetch the bundle again"
        )
