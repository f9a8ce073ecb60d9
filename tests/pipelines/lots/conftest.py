from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.lots.journal import Journal
from tests.lots import make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with params.yaml and a champion; the current folder."""
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal."""
    with closing(Journal(tmp_path / "j.db")) as opened:
        yield opened
