"""Signed releases: a detached Ed25519 signature (RFC 8032) beside the card of a release.

The card holds the hash of every model, so that who signs it signs the whole release. The name of
the release is signed with it: one that was signed cannot take the place of another.
"""

import base64
import binascii
import os
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD
from inspection.storage import write_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

SIGNATURE = f"{CARD}.sig"
# Says what is signed: a signature made for anything else with the same key is none of a release.
PURPOSE = b"knurl release, signed:"
ONLY_THE_OWNER = 0o600


def make_keys(private: Path) -> Path:
    """Write a new private key, and the public one beside it, whose path is returned.

    Both are PEM files. What is there already is never replaced.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = private.with_name(f"{private.name}.pub")
    for path in (private, public):
        if path.exists():
            raise InspectionError(
                f"{path}: is there already; move it away, or give another name"
            )

    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    shown = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    private.parent.mkdir(parents=True, exist_ok=True)
    # never readable by others, not even between two system calls
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(private, flags, ONLY_THE_OWNER), "wb") as file:
        file.write(secret)
    write_text(public, shown.decode("ascii"))
    return public


def read_private_key(path: Path) -> "Ed25519PrivateKey":
    """The key that signs, from a PEM file. Raises InspectionError."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    content = _content(path)
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise _no_key(path, "private") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private")
    return key


def read_public_key(path: Path) -> "Ed25519PublicKey":
    """The key that signatures are checked with, from a PEM file. Raises InspectionError."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    content = _content(path)
    try:
        key = serialization.load_pem_public_key(content)
    except ValueError as error:
        raise _no_key(path, "public") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public")
    return key


def sign(release: Path, key: "Ed25519PrivateKey") -> None:
    """Write the signature of a release into its folder, in base64."""
    signature = key.sign(_message(release.name, (release / CARD).read_bytes()))
    write_text(release / SIGNATURE, base64.b64encode(signature).decode("ascii") + "\n")


def require_signature(release: Path, card: bytes, key: "Ed25519PublicKey") -> None:
    """Raise InspectionError unless the owner of the key has signed this very release.

    `card` is what was read of its card, and will be used.
    """
    from cryptography.exceptions import InvalidSignature

    path = release / SIGNATURE
    try:
        signature = base64.b64decode(path.read_bytes(), validate=False)
        key.verify(signature, _message(release.name, card))
    except FileNotFoundError as error:
        raise InspectionError(
            f"{path}: not found, and only signed releases may serve; look at the release, then "
            f"`make sign KEY=... RELEASE={release.name}`"
        ) from error
    except (InvalidSignature, binascii.Error) as error:
        raise InspectionError(
            f"{path}: is not the signature of this release by the owner of the public key; "
            "somebody may have changed it: compare it with the registry, then promote it again"
        ) from error


def _message(release: str, card: bytes) -> bytes:
    return b"\0".join((PURPOSE, release.encode("utf-8"), card))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InspectionError(
            f"{path}: cannot be read ({error.strerror}); make keys with `make key KEY=<file>`"
        ) from error


def _no_key(path: Path, kind: str) -> InspectionError:
    return InspectionError(
        f"{path}: is no {kind} Ed25519 key in PEM; make keys with `make key KEY=<file>`"
    )
