"""Releases: verified copies of bundles, and the pointer to the one that serves."""

import hashlib
import re
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD, Card, read_card, verified
from inspection.runtime.signatures import require_signature, sign
from inspection.storage import locked, read_json, sha256_of, write_bytes, write_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

POINTER = "champion.json"
LOCK = ".lock"
# How long one release waits for another: a copy and its hashes take a second, on a busy disk some.
PATIENCE_S = 60.0
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


def release(bundle: Path, releases: Path, version: str) -> Path:
    """Copy a bundle to `releases/version` and return that folder; it appears whole or not at all.

    Only the card and the files that it names are copied, and the copy is verified. Releasing the
    same bundle under the same version again changes nothing; another bundle is refused.
    """
    _check_version(version)
    target = releases / version
    card = verified(bundle)
    with _alone_in(releases):
        if target.exists():
            _check_same(bundle, target)
            return target
        partial = releases / f".{version}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        _copy(bundle, partial, card)
        verified(partial)
        partial.rename(target)
    return target


def replace_broken(bundle: Path, releases: Path, version: str) -> Path:
    """As `release`, but a folder of this version that is no longer whole is taken away first."""
    _check_version(version)
    target = releases / version
    with _alone_in(releases):
        try:
            verified(target)
        except InspectionError:
            broken = releases / f".{version}.broken"
            shutil.rmtree(broken, ignore_errors=True)
            if target.exists():
                target.rename(broken)
    return release(bundle, releases, version)


def promote(
    releases: Path, version: str, signing_key: "Ed25519PrivateKey | None" = None
) -> None:
    """Make a released version the champion, by one atomic write; a broken one is refused.

    The pointer holds `version`, `folder`, the `line` that it serves, and the hash of the card.
    With a key the release is signed before the pointer names it.
    """
    _check_version(version)
    folder = releases / version
    with _alone_in(releases):
        card = verified(folder)
        if signing_key is not None:
            sign(folder, signing_key)
        pointer = {
            "version": version,
            "folder": folder.name,
            "line": card.line.name,
            "card_sha256": sha256_of(folder / CARD),
        }
        write_json(releases / POINTER, pointer)


def champion(releases: Path, public_key: "Ed25519PublicKey | None" = None) -> Path:
    """The folder of the champion, whose card is the one that was promoted.

    With a key only a release that its owner has signed is one.
    """
    return champion_card(releases, public_key)[0]


def champion_card(
    releases: Path, public_key: "Ed25519PublicKey | None" = None
) -> tuple[Path, bytes]:
    """The folder of the champion, and the bytes of its card that were checked."""
    path = releases / POINTER
    if not path.is_file():
        raise InspectionError(
            f"{path}: there is no champion yet; run `dvc repro`, then `python -m pipelines.promote`"
        )
    folder, card_sha256 = _read_pointer(path)
    try:
        card = (folder / CARD).read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise InspectionError(
            f"{folder / CARD}: not found, yet {path} names it; promote again"
        ) from error
    if hashlib.sha256(card).hexdigest() != card_sha256:
        raise InspectionError(
            f"{folder / CARD}: is not the card that was promoted; promote a release again"
        )
    if public_key is not None:
        require_signature(folder, card, public_key)
    return folder, card


def champion_line(releases: Path) -> str:
    """The line that the champion serves; pointers of before they held it lead to the card."""
    folder = champion(releases)
    return str(read_json(releases / POINTER).get("line") or read_card(folder).line.name)


def _alone_in(releases: Path) -> AbstractContextManager[None]:
    """Hold the right to add releases and to move the pointer."""
    return locked(releases / LOCK, holder="a release", wait_s=PATIENCE_S)


def _read_pointer(path: Path) -> tuple[Path, str]:
    pointer: Any = read_json(path)
    found = pointer if isinstance(pointer, dict) else {}
    name, digest = found.get("folder"), found.get("card_sha256")
    if not (
        isinstance(name, str) and VERSION.fullmatch(name) and isinstance(digest, str)
    ):
        raise InspectionError(
            f"{path}: should name a folder beside it and the card's hash, got {pointer!r}; "
            "promote a release again"
        )
    return path.parent / name, digest


def _check_version(version: str) -> None:
    if not VERSION.fullmatch(version) or version == POINTER:
        raise InspectionError(
            f"version: {version!r} cannot name a folder; use letters, digits and . _ + -"
        )


def _check_same(bundle: Path, target: Path) -> None:
    verified(target)
    if sha256_of(bundle / CARD) != sha256_of(target / CARD):
        raise InspectionError(
            f"{target}: holds another bundle already; release this one under a new version"
        )


def _copy(bundle: Path, target: Path, card: Card) -> None:
    for name in (*sorted(card.files), CARD):
        write_bytes(target / name, (bundle / name).read_bytes())
