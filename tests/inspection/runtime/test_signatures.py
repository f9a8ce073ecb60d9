import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD
from inspection.runtime.releases import POINTER, champion, promote, release
from inspection.runtime.signatures import (
    SIGNATURE,
    make_keys,
    read_private_key,
    read_public_key,
    sign,
)
from inspection.storage import sha256_of, write_json
from tests.bundles import make_bundle


@pytest.fixture
def private(tmp_path: Path) -> Path:
    make_keys(tmp_path / "keys" / "knurl.key")
    return tmp_path / "keys" / "knurl.key"


@pytest.fixture
def public(private: Path) -> Ed25519PublicKey:
    return read_public_key(private.with_name("knurl.key.pub"))


@pytest.fixture
def releases(tmp_path: Path, private: Path) -> Path:
    """A signed champion, release 7, and release 8, which nobody has signed."""
    for version in ("7", "8"):
        make_bundle(tmp_path / version, version=version)
        release(tmp_path / version, tmp_path / "releases", version)
    promote(tmp_path / "releases", "7", read_private_key(private))
    return tmp_path / "releases"


def point_at(releases: Path, version: str) -> None:
    """What somebody does who may write the folder, and knows how a pointer is made."""
    digest = sha256_of(releases / version / CARD)
    pointer = {"version": version, "folder": version, "card_sha256": digest}
    write_json(releases / POINTER, pointer)


def put_another_model(releases: Path, version: str) -> None:
    """Another model in the place of one, with card and pointer to match."""
    folder = releases / version
    (folder / "anomaly.onnx").write_bytes((folder / "locator.onnx").read_bytes())
    card = json.loads((folder / CARD).read_text())
    card["files"]["anomaly.onnx"] = sha256_of(folder / "anomaly.onnx")
    write_json(folder / CARD, card)
    point_at(releases, version)


def test_a_signed_release_is_the_champion(releases: Path, public: Ed25519PublicKey) -> None:
    assert champion(releases, public) == releases / "7"


def test_without_a_key_nothing_is_asked_for(releases: Path) -> None:
    point_at(releases, "8")

    assert champion(releases) == releases / "8"


def test_a_release_that_nobody_signed_is_refused(releases: Path, public: Ed25519PublicKey) -> None:
    point_at(releases, "8")

    with pytest.raises(InspectionError, match="only signed releases may serve"):
        champion(releases, public)


def test_a_model_card_and_pointer_that_were_changed_together_are_refused(
    releases: Path, public: Ed25519PublicKey
) -> None:
    put_another_model(releases, "7")

    assert champion(releases) == releases / "7"  # hashes alone do not see it
    with pytest.raises(InspectionError, match="is not the signature of this release"):
        champion(releases, public)


def test_the_signature_of_one_release_does_not_fit_another(
    releases: Path, public: Ed25519PublicKey
) -> None:
    """Nor a copy of a signed release under the name of another."""
    for name in (CARD, SIGNATURE):
        (releases / "8" / name).write_bytes((releases / "7" / name).read_bytes())
    point_at(releases, "8")

    with pytest.raises(InspectionError, match="is not the signature of this release"):
        champion(releases, public)


def test_a_signature_by_another_key_is_refused(
    releases: Path, public: Ed25519PublicKey, tmp_path: Path
) -> None:
    make_keys(tmp_path / "other.key")
    sign(releases / "7", read_private_key(tmp_path / "other.key"))

    with pytest.raises(InspectionError, match="is not the signature of this release"):
        champion(releases, public)


@pytest.mark.parametrize("content", [b"", b"\0\xff", b"A", b"AAAA"])
def test_what_is_no_signature_is_refused(
    releases: Path, public: Ed25519PublicKey, content: bytes
) -> None:
    (releases / "7" / SIGNATURE).write_bytes(content)

    with pytest.raises(InspectionError, match="is not the signature of this release"):
        champion(releases, public)


def test_the_private_key_is_readable_by_its_owner_alone(private: Path) -> None:
    assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_a_key_that_is_there_is_never_replaced(private: Path) -> None:
    before = private.read_bytes()

    with pytest.raises(InspectionError, match="is there already"):
        make_keys(private)
    assert private.read_bytes() == before


def test_what_is_no_key_is_named(private: Path, tmp_path: Path) -> None:
    public = private.with_name("knurl.key.pub")
    with pytest.raises(InspectionError, match="is no private Ed25519 key"):
        read_private_key(public)
    with pytest.raises(InspectionError, match="is no public Ed25519 key"):
        read_public_key(private)
    with pytest.raises(InspectionError, match="cannot be read"):
        read_public_key(tmp_path / "none.pub")
