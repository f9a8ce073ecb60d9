import os
import subprocess
import sys
from pathlib import Path

import pytest

from inspection.runtime.releases import champion, promote, release
from inspection.runtime.signatures import read_public_key
from pipelines.champions import RELEASES, signing_key
from tests.bundles import make_bundle

ROOT = Path(__file__).parents[2]


def ran(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipelines.signing", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the champion 7, which nobody has signed."""
    make_bundle(tmp_path / "bundle")
    release(tmp_path / "bundle", tmp_path / RELEASES, "7")
    promote(tmp_path / RELEASES, "7")
    return tmp_path


def test_a_champion_of_before_there_were_keys_is_signed_by_the_command(project: Path) -> None:
    made = ran(project, "make-key", "line.key")
    signed = ran(project, "sign", "line.key")

    assert (made.returncode, signed.returncode) == (0, 0), made.stderr + signed.stderr
    assert "KNURL_PUBLIC_KEY=line.key.pub" in made.stdout
    public = read_public_key(project / "line.key.pub")
    assert champion(project / RELEASES, public).name == "7"


def test_a_broken_release_is_not_signed(project: Path) -> None:
    ran(project, "make-key", "line.key")
    (project / RELEASES / "7" / "anomaly.onnx").write_bytes(b"another")
    refused = ran(project, "sign", "line.key", "--release", "7")

    assert refused.returncode == 1
    assert "its hash is not the one on the card" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_promotion_signs_where_the_environment_names_a_key(project: Path) -> None:
    ran(project, "make-key", "line.key")
    key = signing_key({"KNURL_SIGNING_KEY": str(project / "line.key")})

    assert signing_key({}) is None
    assert key is not None
    assert key.public_key() == read_public_key(project / "line.key.pub")
