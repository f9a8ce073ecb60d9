import hashlib
import os
from pathlib import Path

import pytest

from pipelines.lots.part import Frame

CONTENT = b"a frame"
HASH = hashlib.sha256(CONTENT).hexdigest()


def test_a_frame_has_one_hash_however_it_came(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(CONTENT)
    assert Frame("a.png", tmp_path / "a.png").sha256() == HASH
    assert Frame("a.png", tmp_path / "none.png", content=CONTENT).sha256() == HASH


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_cannot_be_read_has_no_hash_and_holds_nobody_up(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.png"
    if kind == "folder":
        path.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    assert Frame("a.png", path).sha256() == ""
